"""If a speaker is in training and test, the scores are those of known voices.

Printed if more than half of the tested clips are the only one of their item. If each clip really is another speaker, silence
it.
"""

from collections.abc import Iterator

from xval.answers.variants import Variants
from xval.base.errors import capital
from xval.base.findings import Finding, Rule
from xval.folds.random_split import count_lone_clips

FINDING = Finding.coded(
    __name__,
    "{Counts}, as in a random split.",
    "If several clips are of one speaker, session or recording, make that the item (--item-pattern, or a column item).",
)


@Rule(4, FINDING)
def _find(variants: Variants) -> Iterator[Finding]:
    if counts := count_lone_clips(variants.done[0].n_clips.values(), variants.item):
        yield FINDING.fill(Counts=capital(counts))
