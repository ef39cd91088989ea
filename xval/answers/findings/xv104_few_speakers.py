"""With fewer than 6 speakers the standard deviation between them is hardly known.

The same holds for a class that few speakers have: AUC, recalls and balanced accuracy vary with these speakers, however many
others there are. With fewer than 3 of a class these scores have no interval at all.
"""

from collections.abc import Iterator

from xval.answers.next_step import MORE_ITEMS, MORE_OF_CLASSES, call_classes, fewest_items, name_few
from xval.answers.summary import metric_words
from xval.answers.variants import Variants
from xval.base.findings import Finding, Rule
from xval.measures.statistics.intervals import FEWEST_ITEMS, FEWEST_ITEMS_TO_RELY_ON

_FEW = "Only {few} {n:was|were} tested; one more could change score and interval considerably."
FEW = Finding.coded(__name__, _FEW, MORE_ITEMS)
FEW_OF_CLASS = Finding.coded(__name__, _FEW, MORE_OF_CLASSES)
NO_INTERVAL = Finding.coded(
    __name__,
    "Only {few} {n:was|were} tested, so scores over classes, such as {metric}, have no interval.",
    MORE_OF_CLASSES,
)


@Rule(8, FEW, FEW_OF_CLASS, NO_INTERVAL)
def _find(variants: Variants) -> Iterator[Finding]:
    fewest, rare = fewest_items(variants.done)
    if fewest >= FEWEST_ITEMS_TO_RELY_ON:
        return
    finding = FEW if not rare else NO_INTERVAL if fewest < FEWEST_ITEMS else FEW_OF_CLASS
    yield finding.fill(
        few=name_few(variants.done),
        n=sum(rare.values()) if rare else fewest,
        items=variants.items,
        classes=call_classes(variants.done, rare),
        metric=metric_words(variants.main_metric),
    )
