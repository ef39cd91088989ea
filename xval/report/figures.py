"""The figures of an instance that the page shows: a value, its interval, the values of the folds.

Comes in: instances. Goes out: an `Estimate` for an instance and a metric.
"""

from collections.abc import Sequence
from typing import NamedTuple

from xval.answers.figure_text import fixed
from xval.answers.item_words import call_items_of
from xval.answers.summary import chance_level, metric_words, parameter_value, shown_parameter, side_name, test_side
from xval.results.instance import InstanceResults

FOLDS = "mean over folds"
_OF = {"items": "mean over items", "pooled": "pooled over all test examples"}
"""What a value is, by its kind in `ItemFigure`; an item is called what it is."""


class Estimate(NamedTuple):
    """A test metric of an instance.

    Attributes:
        value: The figure; None: undefined or not there yet.
        low: Lower end of its 95 % interval over items; None: there is none.
        high: Upper end.
        of: What the figure is: ``mean over speakers``, ``pooled over all test examples`` or ``mean over folds``.
        chance: What the best strategy reaches that does not listen; None: not known.
        folds: The value of each fold and repeat that has one.
    """

    value: float | None
    low: float | None
    high: float | None
    of: str
    chance: float | None
    folds: tuple[float, ...]

    @property
    def text(self) -> str:
        """``0.842 [0.766, 0.901]``, ``0.842`` or ``–``."""
        if self.value is None:
            return "–"
        return fixed(self.value) + (f" [{fixed(self.low)}, {fixed(self.high)}]" if self.low is not None else "")


def estimate(instance: InstanceResults, side: str, metric: str) -> Estimate:
    """Return a test metric of an instance: the figure that has an interval, or else the mean over folds."""
    folds = tuple(instance.fold_values(side, metric).values())
    level = chance_level([instance], metric, side)
    chance = level.lowest if level else None
    over_items = instance.item_figure(side, metric)
    if over_items is None or over_items[over_items["of"]] is None:
        return Estimate(instance.over_folds(side, metric)["mean"], None, None, FOLDS, chance, folds)
    of = call_items_of([instance], _OF[over_items["of"]])
    return Estimate(over_items[over_items["of"]], over_items["low"], over_items["high"], of, chance, folds)


def recall_texts(instance: InstanceResults) -> dict[str, str]:
    """Return the recall of each class with its interval over items, ``0.84 [0.77, 0.90]``, the lowest first."""
    texts = {}
    for name, found in sorted(instance.class_recalls.items(), key=lambda entry: entry[1]["recall"] or 0.0):
        between = "" if found["low"] is None else f" [{found['low']:.2f}, {found['high']:.2f}]"
        texts[name] = f"{found['recall']:.2f}{between}"
    return texts


def parameter_text(instance: InstanceResults, name: str) -> str:
    """Return a parameter as text: None and lists as in config.ini, ``–`` for one that the instance does not have."""
    return str(parameter_value(shown_parameter(instance, name, "–")))


class MainColumn(NamedTuple):
    """A main metric of the test side.

    Attributes:
        side: ``test`` or ``clip_test``.
        equal: Further main metrics that have the same figures in all instances, as accuracy has where classes are even.
        side_name: The side in words.
    """

    side: str
    name: str
    equal: tuple[str, ...]
    side_name: str

    @property
    def title(self) -> str:
        """Such as ``test balanced accuracy (UAR) = accuracy``."""
        return f"{self.side_name} {' = '.join(map(metric_words, (self.name, *self.equal)))}"


def main_columns(instances: Sequence[InstanceResults], main: Sequence[str]) -> list[MainColumn]:
    """Return the main metrics, by name, that some instance has; those with the same figures share a column."""
    side = test_side(instances)
    columns: dict[tuple[object, ...], list[str]] = {}
    for name in main:
        if any(instance.over_folds(side, name)["n"] for instance in instances):
            estimates = [estimate(instance, side, name) for instance in instances]
            shown = tuple((instance.text, *map(fixed, (instance.chance, *instance.folds))) for instance in estimates)
            columns.setdefault(shown, []).append(name)
    return [MainColumn(side, names[0], tuple(names[1:]), side_name(side, instances)) for names in columns.values()]
