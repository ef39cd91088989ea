"""They are tested, or ranked by validation, on other clips; the easier clips win."""

from collections.abc import Iterator

from xval.answers.variants import Variants
from xval.base.findings import Finding, Rule

FINDING = Finding.coded(
    __name__,
    "Variants differ in {names}, so their {sides} scores are of different clips and cannot be compared.",
    "Compare variants that agree in train_where, test_where and enrolment_s.",
)
_SIDES = {"test_where": "test", "train_where": "validation", "enrolment_s": "test and validation"}


@Rule(5, FINDING)
def _find(variants: Variants) -> Iterator[Finding]:
    names = [name for name in _SIDES if len({instance.parameters.get(name) for instance in variants.done}) > 1]
    if names:
        yield FINDING.fill(names=" and ".join(names), sides=" and ".join(dict.fromkeys(_SIDES[name] for name in names)))
