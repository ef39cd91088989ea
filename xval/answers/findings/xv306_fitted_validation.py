"""The validation score of such an [ensemble](../ensembles.md) (`choose`, `stack`) is optimistic."""

from collections.abc import Iterator

from xval.answers.fitted_validation import fitted_to_own_items
from xval.answers.variants import Variants
from xval.base.findings import Finding, Rule

FINDING = Finding.coded(
    __name__,
    "Validation does not rank {who}, because the one {item} that validates also chose or weighted its members.",
    "Compare by test scores, or let two or more {items} validate in each fold.",
)


@Rule(10, FINDING)
def _find(variants: Variants) -> Iterator[Finding]:
    if numbers := fitted_to_own_items(variants.done):
        yield FINDING.fill(numbers, who=variants.call(numbers), item=variants.item, items=variants.items)
