"""What the methods of a `Task` take and return in addition to arrays."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from preprocessing.annotations.annotation_settings import FrameSettings
from xval.measures.metrics import Metric

if TYPE_CHECKING:
    import pandas as pd

Array: TypeAlias = NDArray[Any]
Known: TypeAlias = NDArray[Any] | None
"""None: not known."""
Names: TypeAlias = Sequence[str]
Renames: TypeAlias = Mapping[str, str]
Encoded: TypeAlias = dict[str, Array]
Columns: TypeAlias = "Mapping[str, Any] | pd.DataFrame"
"""Of a table, by their names: whatever has ``to_numpy``."""
MetricValues: TypeAlias = dict[str, float]


class ResampledScore(NamedTuple):
    """A score of drawn items, and the examples of each item in each class it is of, float (n_classes, n_items)."""

    compute: Callable[[NDArray[np.intp]], float]
    weights: NDArray[Any]


class Decoded(NamedTuple):
    """Targets as metrics take them (None: the columns have none), and predictions, float32 (n, n_outputs)."""

    targets: NDArray[Any] | None
    predictions: NDArray[np.float32]

    def complete(self) -> tuple[NDArray[Any], NDArray[np.float32]]:
        """Return targets and predictions, which have to be known and finite.

        Raises:
            KeyError: There are no targets.
            ValueError: A number is NaN or infinite.
        """
        if self.targets is None:
            raise KeyError("target")
        for name, values in zip(self._fields, self, strict=True):
            if values is not None and not np.isfinite(values).all():
                raise ValueError(f"NaN or infinite values among the {name}")
        return self.targets, self.predictions


@dataclass(frozen=True)
class ScoreOptions:
    """What scores depend on in addition to targets and predictions.

    Attributes:
        class_names: Of the outputs; empty where there are none.
        further: Metrics in addition to those of the task, by name.
        thresholds: From which probability on each of several labels is predicted, float64 (n_classes,).
        clip_average: How the predictions of a clip's examples are combined.
        frames: Of a task that labels frames: how events are found.
        known: Scores by the bytes of what they are of, computed once where clips have one example each.
    """

    class_names: tuple[str, ...] = ()
    further: Mapping[str, Metric] = field(default_factory=dict)
    thresholds: NDArray[np.float64] | None = None
    clip_average: str = "probabilities"
    frames: FrameSettings | None = None
    frame_s: float = 0.0
    known: dict[bytes, MetricValues] | None = None


class SideScores(NamedTuple):
    """The scores of a side.

    Attributes:
        metrics: By name; NaN: undefined.
        item_metrics: n_clips and the metrics of each item.
        classes: class_metrics by class, and confusion_matrix, where the task has them.
    """

    metrics: MetricValues
    item_metrics: dict[str, MetricValues]
    classes: dict[str, Any]


class ClipAnswers(NamedTuple):
    """What was answered on the clips of a fold, as text, and how wrong it is; arrays with a value per clip.

    Attributes:
        true: As text; empty where a text would say nothing.
        answer: As text; empty where a text would say nothing.
        sure: Probability of the answer; NaN without classes.
        error: How wrong it is, larger for worse; None: that takes the answers of all folds, see `Task.worst`.
        numbers: Further columns, by name.
    """

    true: Any = ""
    answer: Any = ""
    sure: Any = math.nan
    error: Any = None
    numbers: Mapping[str, Any] = MappingProxyType({})


class AnswerText(NamedTuple):
    """The answer on a clip, for people.

    Attributes:
        answer: Empty for frames and reconstructions.
        sure: The probability of the answer; empty without classes.
        error: How wrong it is: as text, empty for classes, or a number.
        is_right: Nothing is wrong with it.
    """

    answer: str
    sure: str = ""
    error: str | float = ""
    is_right: bool = False
