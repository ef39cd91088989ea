"""`3 (4/6)` is variant 3, of which 4 of 6 folds are finished."""

from collections.abc import Iterator

from xval.answers.item_words import items_word
from xval.answers.variants import Variants
from xval.base.errors import first_of
from xval.base.findings import Finding, Rule

_MOST_NAMED = 3
_LACKING = (
    "{n:Variant|Variants} {listed} {n:lacks|lack} folds, so means skip {items}, perhaps the hard ones, and cannot be compared."
)
MISSING = Finding.coded(__name__, _LACKING, "Run the same command again before you report anything.")
FAILED = Finding.coded(__name__, _LACKING, "Fix the error (sheet folds of results.xlsx) and run the same command again.")


@Rule(6, MISSING, FAILED)
def _find(variants: Variants) -> Iterator[Finding]:
    lacking = [instance for instance in variants.instances if len(instance.folds) < instance.n_folds]
    if not lacking:
        return
    has_failed = any(record["status"] == "failed" for instance in lacking for record in instance.jobs.values())
    listed = first_of((f"{instance.number} ({len(instance.folds)}/{instance.n_folds})" for instance in lacking), _MOST_NAMED)
    numbers = [instance.number for instance in lacking]
    yield (FAILED if has_failed else MISSING).fill(numbers, n=len(lacking), listed=listed, items=items_word(variants.instances))
