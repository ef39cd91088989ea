"""Representation learning: a model reconstructs its features without labels.

For each example, targets are the mean squared error of predicting the mean, predictions that of the reconstruction, both
float32 (n_examples,), in squared units of the normalised features.
"""

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from xval.base.errors import JobError
from xval.measures.answered import Answered
from xval.measures.forms import Array, ClipAnswers, Columns, Decoded, Encoded, Known, Names, Renames, ScoreOptions
from xval.measures.labels import LabelledData, TrueLabels
from xval.measures.metrics import Chance, metric
from xval.measures.side import Side
from xval.measures.task import Task

if TYPE_CHECKING:
    import pandas as pd

Errors = NDArray[np.float32]


def _chance_mse(targets: Errors, weights: NDArray[np.float64]) -> Chance:
    return Chance(float(weights @ targets.astype(np.float64)), "always the mean of the training features")


def _zero(targets: Errors, weights: NDArray[np.float64]) -> Chance:  # noqa: ARG001 - every chance level takes both
    return Chance(0.0, "always the mean of the training features")


@metric(higher_is_better=False, bounds=(0, math.inf), is_mean=True, chance=_chance_mse)
def mse(targets: Errors, predictions: Errors) -> float:  # noqa: ARG001 - every metric takes both
    """Return the mean squared error of the reconstruction; features that are normalised per bin have the variance 1."""
    return float(np.mean(predictions, dtype=np.float64))


@metric(higher_is_better=True, bounds=(-math.inf, 1), chance=_zero)
def explained_variance(targets: Errors, predictions: Errors) -> float:
    """Return 1 less the error of the reconstruction over that of the mean of the training features: 1 perfect, 0 no better.

    NaN where the features are that mean everywhere.
    """
    error_of_mean = float(np.sum(targets, dtype=np.float64))
    return 1 - float(np.sum(predictions, dtype=np.float64)) / error_of_mean if error_of_mean else float("nan")


def check(targets: Errors, predictions: Errors) -> None:
    """Raise an error for arrays of unsuitable shapes, and for negative errors."""
    if targets.ndim != 1 or targets.shape != predictions.shape:
        raise JobError(
            f"metrics of representation: received errors {targets.shape} of the mean and {predictions.shape} of the "
            "reconstruction; expected (n_examples,) for both."
        )
    if (targets < 0).any() or (predictions < 0).any():
        raise JobError("metrics of representation: received negative squared errors.")


class Representation(Task):
    """Learning a representation of features without labels; a prediction is the squared error of the reconstruction."""

    target = "input"
    has_classes = False
    activation = "linear"
    losses = {"mean_squared_error": "input", "mean_absolute_error": "input", "huber": "input", "log_cosh": "input"}
    training_metric = "mse"
    training_metric_classes = {"input": "MeanSquaredError"}
    main_metrics = ("explained_variance", "mse")
    item_metric = "mse"
    relative_metrics = ("explained_variance",)
    loss_depends_on = "features"  # errors are in their units
    loss_metrics = ("loss", "mse")
    loss_metric = "mse"
    takes_further_metrics = False
    needs_labels = False
    why_no_ensemble = (
        "only reconstruction errors of autoencoders are stored, so there are no predictions to combine. Ensembles need "
        "classes, numbers or frames."
    )
    worst_first = "Clips with the largest squared error of the reconstruction first."

    def encode(
        self, targets: Known, predictions: Array, names: Names, thresholds: Known = None, clip_of: Known = None
    ) -> Encoded:
        """Return squared_error, and squared_error_of_mean if it is known."""
        error_of_mean = {} if targets is None else {"squared_error_of_mean": targets}
        return {"squared_error": predictions.reshape(len(predictions))} | error_of_mean

    def decode(self, columns: Columns, names: Names = ()) -> Decoded:
        """Return the squared errors of the mean and of the reconstruction: two float32 (n,)."""
        error_of_mean = columns["squared_error_of_mean"].to_numpy() if "squared_error_of_mean" in columns else None
        errors = columns["squared_error"].to_numpy().astype(np.float32)
        return Decoded(None if error_of_mean is None else error_of_mean.astype(np.float32), errors)

    def monitors(self, further: Iterable[str] = ()) -> tuple[str, ...]:
        """Return the losses and the training metric.

        Other metrics also require the features, which are not kept between epochs.
        """
        return ("val_loss", "loss", self.training_metric, f"val_{self.training_metric}")

    def answer_constantly(self, side: Side, training_targets: Array, options: ScoreOptions) -> Side:
        """Return the errors of always reconstructing the mean of the training features."""
        return Answered(side.rows, side.targets, side.targets)

    def answer_clips(self, table: "pd.DataFrame", clip_of: Array, options: ScoreOptions) -> ClipAnswers:
        """Return the mean squared error of each clip."""
        return ClipAnswers(error=table.groupby(clip_of, sort=True)["squared_error"].mean())

    def read_labels(self, data: LabelledData, names: Names, renames: Renames, policy: str) -> TrueLabels:
        """Return that every clip counts, because there are no labels."""
        return TrueLabels(None, np.ones(len(data.table), bool))


TASK = Representation()
