"""The arguments and results of the methods of a `Task`, in addition to arrays."""

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
"""The columns of a table by name; each has ``to_numpy``."""
MetricValues: TypeAlias = dict[str, float]


class ResampledScore(NamedTuple):
    """A score of resampled items, and the number of examples of each item in each class: float (n_classes, n_items)."""

    compute: Callable[[NDArray[np.intp]], float]
    weights: NDArray[Any]


class Decoded(NamedTuple):
    """Targets in the form for metrics (None: the columns have none), and predictions, float32 (n, n_outputs)."""

    targets: NDArray[Any] | None
    predictions: NDArray[np.float32]

    def complete(self) -> tuple[NDArray[Any], NDArray[np.float32]]:
        """Return targets and predictions, which must be known and finite.

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
    """Options of scores in addition to targets and predictions.

    Attributes:
        class_names: Names of the outputs; empty if there are none.
        further: Metrics in addition to those of the task, by name.
        thresholds: float64 (n_classes,), the probability from which on each of several labels is predicted.
        clip_average: How to combine the predictions of the examples of a clip.
        frames: For a task with labels of frames: the settings for finding events.
        known: Computed scores by the bytes of their input, so that clips with one example each are scored once.
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
        metrics: The metrics by name; NaN: undefined.
        item_metrics: n_clips and the metrics, for each item.
        classes: class_metrics by class, and confusion_matrix, if the task has them.
    """

    metrics: MetricValues
    item_metrics: dict[str, MetricValues]
    classes: dict[str, Any]


class ClipAnswers(NamedTuple):
    """The predictions for the clips of a fold as text, and their errors; arrays with a value per clip.

    Attributes:
        true: The target as text; empty if a text would be of no use.
        answer: The prediction as text; empty if a text would be of no use.
        sure: Probability of the predicted class; NaN without classes.
        error: The error, larger is worse; None: it requires the predictions of all folds, see `Task.worst`.
        numbers: Further columns, by name.
    """

    true: Any = ""
    answer: Any = ""
    sure: Any = math.nan
    error: Any = None
    numbers: Mapping[str, Any] = MappingProxyType({})


class AnswerText(NamedTuple):
    """The prediction for a clip as text.

    Attributes:
        answer: The prediction; empty for frames and reconstructions.
        sure: The probability of the prediction; empty without classes.
        error: The error, as text (empty for classes) or as a number.
        is_right: Whether the prediction has no error.
    """

    answer: str
    sure: str = ""
    error: str | float = ""
    is_right: bool = False
