"""The columns of main metrics, recalls and parameters of instances on the page, as text."""

from collections.abc import Sequence
from typing import NamedTuple

from xval.answers.score_text import estimate, fixed
from xval.answers.summary import metric_words, parameter_value, shown_parameter, side_name, test_side
from xval.results.instance import InstanceResults


def recall_texts(instance: InstanceResults) -> dict[str, str]:
    """Return the recall of each class with its interval over items, ``0.84 [0.77, 0.90]``, the lowest first."""
    texts = {}
    for name, recall in sorted(instance.class_recalls.items(), key=lambda entry: entry[1]["recall"] or 0.0):
        interval = "" if recall["low"] is None else f" [{recall['low']:.2f}, {recall['high']:.2f}]"
        texts[name] = f"{recall['recall']:.2f}{interval}"
    return texts


def parameter_text(instance: InstanceResults, name: str) -> str:
    """Return a parameter as text: None and lists as in config.ini, ``–`` if the instance does not have it."""
    return str(parameter_value(shown_parameter(instance, name, "–")))


class MainColumn(NamedTuple):
    """A main metric of the test side.

    Attributes:
        side: ``test`` or ``clip_test``.
        side_name: The side in words.
        metric: The metric in words.
        equal: In words, further main metrics with the same scores in all instances, such as accuracy for balanced classes.
    """

    side: str
    name: str
    side_name: str
    metric: str
    equal: tuple[str, ...]

    @property
    def title(self) -> str:
        """The title, such as ``test balanced accuracy (UAR)``."""
        return f"{self.side_name} {self.metric}"

    @property
    def same(self) -> str:
        """A sentence on the metrics that have no column because they have these values; empty: none."""
        return f"{self.side_name} {' and '.join(self.equal)}: the same as {self.metric}." if self.equal else ""


def main_columns(instances: Sequence[InstanceResults], main: Sequence[str]) -> list[MainColumn]:
    """Return the main metrics of some instance, by name; metrics with equal scores share a column.

    The side is that of clips, except for a loss, which is computed for windows if clips are cut.
    """
    columns: dict[tuple[str, tuple[object, ...]], list[str]] = {}
    for name in main:
        for side in dict.fromkeys((test_side(instances), "test")):
            if any(instance.over_folds(side, name)["n"] for instance in instances):
                estimates = [estimate(instance, side, name) for instance in instances]
                shown = tuple((instance.text, *map(fixed, (instance.chance, *instance.folds))) for instance in estimates)
                columns.setdefault((side, shown), []).append(name)
                break
    found = []
    for (side, _), names in columns.items():
        metric, *equal = (metric_words(name, instances) for name in names)
        found.append(MainColumn(side, names[0], side_name(side, instances), metric, tuple(equal)))
    return found
