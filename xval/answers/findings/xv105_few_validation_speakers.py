"""With few validation speakers the choice fits only them.

Printed if less than half of all speakers validate in any fold, and two or more variants are ranked.
"""

from collections.abc import Iterator

from xval.answers.variants import Variants
from xval.base.findings import Finding, Rule

_FEWEST_OF_NEXT_FOLD = 3  # folds
_FEW = (
    "Only {n_validated} of the {n_items} {items} {n_validated:ranks|rank} the variants and "
    "{n_validated:chooses|choose} epochs (validation)."
)
NEXT_FOLD = Finding.coded(__name__, _FEW, "Set validation = next_fold, so that each {item} validates once.")
LUCK = Finding.coded(__name__, _FEW, "Do not choose by small differences, which may be luck.")


@Rule(9, NEXT_FOLD, LUCK)
def _find(variants: Variants) -> Iterator[Finding]:
    done = variants.done
    records = max(done, key=lambda instance: len(instance.folds)).folds.values()
    validated = {item for record in records for item in record["items"]["validation"]}
    n_items = len(validated.union(*(record["items"]["training"] + record["items"]["test"] for record in records)))
    if len(done) < 2 or not validated or 2 * len(validated) >= n_items:
        return
    n_folds = done[0].n_folds // done[0].n_fold_repeats
    can_follow = n_folds >= _FEWEST_OF_NEXT_FOLD and done[0].parameters.get("validation") != "next_fold"
    finding = NEXT_FOLD if can_follow else LUCK
    yield finding.fill(n_validated=len(validated), n_items=n_items, item=variants.item, items=variants.items)
