"""The scores of an instance over its test items in estimates.json; xval/answers/over_items.py computes them."""

from typing import TYPE_CHECKING, Literal, NotRequired, TypedDict

from xval.base.numbers import finite_or_none

if TYPE_CHECKING:
    from xval.measures.metrics import Chance
    from xval.measures.statistics.intervals import Interval

OVER_ITEMS_VERSION = 13
"""Of the code that computes scores over items; those of another version are computed anew."""
EARLIER_OF_THIS_FORM = (12,)
"""Earlier versions whose scores have the same entries."""


class LeftOut(TypedDict):
    """A pooled score in each training run, for all items and without each item in turn (each group if there are over 500).

    `weights` are the numbers of examples of each item or group in each class of the score, as in `MetricOverItems`.
    """

    figures: list[float]
    without: list[list[float]]
    weights: list[list[int]]


class ItemChance(TypedDict, total=False):
    """The score of knowing only the item of an example; None: undefined. Only accuracy and balanced accuracy have it.

    See `xval.measures.statistics.item_chance`.

    Attributes:
        group_chance: The score of one prediction for each group of items with the same classes; None: not above chance.
        permuted: The mean score of the predictions with the targets permuted within items.
        permuted_high: The score that 97.5 % of these permutations do not exceed.
    """

    group_chance: float | None
    permuted: float | None
    permuted_high: float | None


class ItemScore(ItemChance):
    """One metric over the test items of an instance; None: undefined or not known.

    Attributes:
        items: Mean over items, all with the same weight.
        pooled: The score of all test examples (clips, frames) of all folds together.
        of: The one of the two to which interval and chance belong: ``items`` if each example has a value, or each fold tests
            one item with all classes (or with varying numbers); otherwise ``pooled``.
        low: Lower end of the 95 % interval over items, or over items, repeats and seeds.
        high: Its upper end.
        method: Method of the interval; see `xval.measures.statistics.intervals`.
        covers: The scope of the interval: ``models``, these trained models on other items; ``method``, this way of training.
        chance: The score of the best strategy that ignores the audio.
        strategy: That strategy in words.
        left_out: The leave-one-out scores of pooled main metrics, further metrics and metrics of events, for comparisons.
        no_interval: Why there are too few items for an interval, such as ``only 2 items of class 'ill'``.
    """

    items: float | None
    pooled: float | None
    of: Literal["items", "pooled"]
    low: float | None
    high: float | None
    method: str | None
    covers: Literal["models", "method"] | None
    chance: float | None
    strategy: str
    left_out: NotRequired[LeftOut]
    no_interval: NotRequired[str]


class ClassRecall(TypedDict):
    """The recall of a class or label over the test clips; None: undefined, or not known.

    Attributes:
        n_clips: Number of test clips with the class.
        n_items: Number of items with such clips.
        recall: Recall over all these clips together.
        low: Lower end of the 95 % interval over these items.
        high: Its upper end.
    """

    n_clips: int
    n_items: int
    recall: float | None
    low: float | None
    high: float | None


class OverItems(TypedDict):
    """The scores over the test items of an instance.

    Attributes:
        version: Version of the code that computed them.
        n_items: Number of test items.
        folds_lacking_classes: The folds without a test example of a class that other folds test; for numbers, the folds in
            which a target is constant.
        missing: Why there are no pooled scores; empty: there are.
        classes: A `ClassRecall` for each class that occurs, by name; empty where clips have no classes.
        figures: An `ItemScore` for each metric of the sides ``test`` and, if clips are cut into windows, ``clip_test``.
    """

    version: int
    n_items: int
    folds_lacking_classes: list[int]
    missing: str
    classes: dict[str, ClassRecall]
    figures: dict[str, dict[str, ItemScore]]


def make_item_score(
    items: float | None, pooled: float, of: Literal["items", "pooled"], interval: "Interval | None", chance: "Chance"
) -> ItemScore:
    """Return a score; NaN: undefined or not known."""
    return ItemScore(
        items=finite_or_none(items),
        pooled=finite_or_none(pooled),
        of=of,
        low=interval and interval.low,
        high=interval and interval.high,
        method=interval and interval.method,
        covers=interval and interval.covers,
        chance=finite_or_none(chance.value),
        strategy=chance.strategy,
    )
