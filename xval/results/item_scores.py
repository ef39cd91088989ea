"""The scores of an instance over its test items, as estimates.json has them; xval/answers/over_items.py computes them."""

from typing import TYPE_CHECKING, Literal, NotRequired, TypedDict

from xval.base.numbers import finite_or_none

if TYPE_CHECKING:
    from xval.measures.metrics import Chance
    from xval.measures.statistics.intervals import Interval

OVER_ITEMS_VERSION = 13
"""Of the code that computes scores over items; those of another version are computed anew."""


class LeftOut(TypedDict):
    """A pooled score in each training run: of all items, and without each item (of more than 500: each group) in turn.

    `weights` are the examples of each in each class that the score is of, as of `MetricOverItems`.
    """

    figures: list[float]
    without: list[list[float]]
    weights: list[list[int]]


class ItemChance(TypedDict, total=False):
    """What knowing the item of an example reaches; None: undefined. Only accuracy and balanced accuracy have it.

    See `xval.measures.statistics.item_chance`.

    Attributes:
        group_chance: What one answer for each group of items reaches that have the same classes; None: no more than chance.
        permuted: What the answers reach on average with the targets permuted within items.
        permuted_high: What 97.5 % of these permutations do not exceed.
    """

    group_chance: float | None
    permuted: float | None
    permuted_high: float | None


class ItemScore(ItemChance):
    """One metric over the test items of an instance; None: undefined or not known.

    Attributes:
        items: Mean over items, each counted once.
        pooled: Of all test examples (clips, frames) of all folds together.
        of: Which of the two interval and chance belong to: ``items`` where each example has a value, or each fold tests one
            item with all classes (or with numbers that vary); otherwise ``pooled``.
        low: Lower end of the 95 % interval over items, or over items, repeats and seeds.
        high: Its upper end.
        method: Of the interval; see `xval.measures.statistics.intervals`.
        covers: What the interval is about: ``models``, these trained ones on other items; ``method``, training in this way.
        chance: What the best strategy reaches that does not listen.
        strategy: That strategy in words.
        left_out: Of pooled main metrics, further ones and those of events, for comparisons.
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
        n_clips: Test clips that have it.
        n_items: Items that have such clips.
        recall: Of all these clips together.
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
        version: Of the code that computed them.
        n_items: Number of test items.
        folds_lacking_classes: The folds that test no example of some class that others test; of numbers, those in which one of
            them does not vary.
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
