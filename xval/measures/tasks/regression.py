"""Regression: each clip has one number or several.

Targets and predictions are float32 (n_examples, n_outputs), in the unit of the targets. Metrics are computed in float64 as the
plain mean over outputs; NaN as soon as one output has no value.
"""

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from xval.base.errors import JobError
from xval.base.keras_names import KerasMetric
from xval.measures.columns import decode_outputs
from xval.measures.forms import Array, ClipAnswers, Columns, Decoded, Encoded, Known, Names, Renames, ScoreOptions
from xval.measures.labels import LabelledData, TrueLabels, match_targets
from xval.measures.metrics import Chance, metric
from xval.measures.task import Task

if TYPE_CHECKING:
    import pandas as pd

Numbers = NDArray[np.float32]


def _variances(targets: Numbers, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the variance of each output, the squared error of always predicting its mean: float64 (n_outputs,)."""
    wide = targets.astype(np.float64)
    return np.asarray(weights @ (wide - weights @ wide) ** 2)


def _chance_mse(targets: Numbers, weights: NDArray[np.float64]) -> Chance:
    return Chance(float(np.mean(_variances(targets, weights))), "always the mean target")


def _chance_rmse(targets: Numbers, weights: NDArray[np.float64]) -> Chance:
    return Chance(float(np.mean(np.sqrt(_variances(targets, weights)))), "always the mean target", weights @ targets)


def _chance_r2(targets: Numbers, weights: NDArray[np.float64]) -> Chance:
    return Chance(0.0, "always the mean target", weights @ targets)


def _chance_mae(targets: Numbers, weights: NDArray[np.float64]) -> Chance:
    wide = targets.astype(np.float64)
    order = np.argsort(wide, axis=0)
    below = np.cumsum(weights[order], axis=0)
    middle = np.argmax(below >= 0.5 - 1e-12, axis=0)
    median = np.take_along_axis(wide, np.take_along_axis(order, middle[np.newaxis], axis=0), axis=0)
    return Chance(float(np.mean(weights @ np.abs(wide - median))), "always the median target")


def _zero(targets: Numbers, weights: NDArray[np.float64]) -> Chance:  # noqa: ARG001 - every chance level takes both
    return Chance(0.0, "always the mean target, or guessing")


@metric(higher_is_better=False, bounds=(0, math.inf), is_mean=True, chance=_chance_mse)
def mse(targets: Numbers, predictions: Numbers) -> float:
    """Return the mean squared error, in the squared unit of the targets."""
    return float(np.mean(_errors(targets, predictions) ** 2))


@metric(higher_is_better=False, bounds=(0, math.inf), chance=_chance_rmse)
def rmse(targets: Numbers, predictions: Numbers) -> float:
    """Return the root of the mean squared error of each output, averaged over outputs, in the unit of the targets."""
    return float(np.mean(np.sqrt(np.mean(_errors(targets, predictions) ** 2, axis=0))))


@metric(higher_is_better=False, bounds=(0, math.inf), is_mean=True, chance=_chance_mae)
def mae(targets: Numbers, predictions: Numbers) -> float:
    """Return the mean absolute error, in the unit of the targets."""
    return float(np.mean(np.abs(_errors(targets, predictions))))


@metric(higher_is_better=True, bounds=(-math.inf, 1), chance=_chance_r2)
def r2(targets: Numbers, predictions: Numbers) -> float:
    """Return the coefficient of determination, 1 less error over variance of the targets; NaN for constant targets."""
    variance = np.mean(_centred(targets) ** 2, axis=0)
    if np.any(variance == 0):
        return float("nan")
    return float(np.mean(1 - np.mean(_errors(targets, predictions) ** 2, axis=0) / variance))


@metric(higher_is_better=True, bounds=(-1, 1), chance=_zero)
def pearson(targets: Numbers, predictions: Numbers) -> float:
    """Return the correlation coefficient (Pearson 1895); NaN when targets or predictions are constant."""
    true, predicted = _centred(targets), _centred(predictions)
    scale = np.linalg.norm(true, axis=0) * np.linalg.norm(predicted, axis=0)
    if np.any(scale == 0):
        return float("nan")
    return float(np.mean(np.clip(np.sum(true * predicted, axis=0) / scale, -1, 1)))


@metric(higher_is_better=True, bounds=(-1, 1), chance=_zero)
def ccc(targets: Numbers, predictions: Numbers) -> float:
    """Return the concordance correlation coefficient, with variances over n (Lin 1989).

    It is 0 when one side alone is constant, and NaN when both are the same constant.
    """
    true, predicted = _centred(targets), _centred(predictions)
    distance = np.mean(_errors(targets, predictions), axis=0)
    scale = np.mean(true**2, axis=0) + np.mean(predicted**2, axis=0) + distance**2
    if np.any(scale == 0):
        return float("nan")
    return float(np.mean(np.clip(2 * np.mean(true * predicted, axis=0) / scale, -1, 1)))


def check(targets: Numbers, predictions: Numbers) -> None:
    """Raise an error for arrays of unsuitable shapes, and for targets that are NaN or infinite."""
    if targets.ndim != 2 or targets.shape != predictions.shape:
        raise JobError(
            f"metrics of regression: received targets {targets.shape} and predictions {predictions.shape}; "
            f"expected (n_examples, n_outputs) for both."
        )
    if not np.isfinite(targets).all():
        raise JobError("metrics of regression: received targets that are NaN or infinite. Correct the labels of the dataset.")


def _errors(targets: Numbers, predictions: Numbers) -> NDArray[np.float64]:
    return predictions.astype(np.float64) - targets.astype(np.float64)


def _centred(values: Numbers) -> NDArray[np.float64]:
    """Return the values minus their mean over examples: exactly 0 for constant float32 values, because the sum is float64."""
    wide = values.astype(np.float64)
    return np.asarray(wide - np.mean(wide, axis=0))


class Regression(Task):
    """Numbers of clips."""

    has_classes = False
    activation = "linear"
    losses = {
        "mean_squared_error": "number",
        "mean_absolute_error": "number",
        "huber": "number",
        "log_cosh": "number",
        "mean_absolute_percentage_error": "number",
        "mean_squared_logarithmic_error": "number",
        "poisson": "number",
        "cosine_similarity": "number",
    }
    scaled_losses = ("mean_squared_error", "mean_absolute_error", "huber", "log_cosh")
    training_metric = "mae"
    training_metric_classes = {"number": "MeanAbsoluteError"}
    main_metrics = ("rmse", "ccc")
    item_metric = "rmse"
    keras_metrics = {
        "cosine_similarity": KerasMetric("CosineSimilarity", higher_is_better=True),
        "log_cosh_error": KerasMetric("LogCoshError", higher_is_better=False),
        "mean_absolute_error": KerasMetric("MeanAbsoluteError", higher_is_better=False),
        "mean_absolute_percentage_error": KerasMetric("MeanAbsolutePercentageError", higher_is_better=False),
        "mean_squared_error": KerasMetric("MeanSquaredError", higher_is_better=False),
        "mean_squared_logarithmic_error": KerasMetric("MeanSquaredLogarithmicError", higher_is_better=False),
        "poisson": KerasMetric("Poisson", higher_is_better=False),
        "r2_score": KerasMetric("R2Score", higher_is_better=True),
        "root_mean_squared_error": KerasMetric("RootMeanSquaredError", higher_is_better=False),
    }
    draws_numbers = True
    refused = {
        name: Task.refused[name]
        for name in ("label_smoothing", "clip_average", "class_weights", "sampling", "calibration", "positive_class")
    }
    uneven_folds = "All true numbers are equal in {folds}, so {its} correlations and R2 are undefined, or 0 for any prediction"
    why_no_folder = "folders give classes, but this model predicts numbers. Give a table with the column label."
    worst_first = "Clips with the largest absolute error first (in standard deviations of the target)."

    def encode(
        self, targets: Known, predictions: Array, names: Names, thresholds: Known = None, clip_of: Known = None
    ) -> Encoded:
        """Return target_<name> and predicted_<name> of each target."""
        columns = {}
        for number, name in enumerate(names):
            if targets is not None:
                columns[f"target_{name}"] = targets[:, number]
            columns[f"predicted_{name}"] = predictions[:, number]
        return columns

    def decode(self, columns: Columns, names: Names = ()) -> Decoded:
        """Return the numbers, in the order of their columns."""
        outputs = _names_behind("predicted_", columns)
        is_known = bool(_names_behind("target_", columns))
        targets = decode_outputs("target", columns, outputs) if is_known else None
        return Decoded(targets, decode_outputs("predicted", columns, outputs))

    def lack_classes(self, targets: Array, groups: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Return whether a target number that varies is constant in each group."""
        low, high = np.full((2, int(groups.max()) + 1, targets.shape[1]), [[[math.inf]], [[-math.inf]]])
        np.minimum.at(low, groups, targets)
        np.maximum.at(high, groups, targets)
        return np.asarray(((low == high) & (np.ptp(targets, axis=0) > 0)).any(axis=1))

    def answer_clips(self, table: "pd.DataFrame", clip_of: Array, options: ScoreOptions) -> ClipAnswers:
        """Return the means over the examples of each clip, as text and as columns."""
        names = _names_behind("target_", table)
        texts: dict[str, list[str]] = {}
        columns: dict[str, Any] = {}
        for kind in ("target", "predicted"):
            numbers = table.groupby(clip_of, sort=True)[[f"{kind}_{name}" for name in names]].mean()
            texts[kind] = [", ".join(f"{value:.3g}" for value in row) for row in numbers.to_numpy()]
            columns |= {str(name): numbers[name] for name in numbers}
        return ClipAnswers(texts["target"], texts["predicted"], numbers=columns)

    def worst(self, answers: "pd.DataFrame") -> "pd.DataFrame":
        """Return the predictions, largest absolute error first, in standard deviations of the target, summed over targets."""
        import pandas as pd

        error = pd.Series(0.0, index=answers.index)
        for name in _names_behind("target_", answers):
            target = answers[f"target_{name}"]
            error += (target - answers[f"predicted_{name}"]).abs() / (float(target.std(ddof=0)) or 1.0)
        return super().worst(answers.assign(error=error))

    def read_labels(self, data: LabelledData, names: Names, renames: Renames, policy: str) -> TrueLabels:
        """Return the numbers, in the order of the model's targets."""
        targets = match_targets(data, names)
        return TrueLabels(targets, np.ones(len(targets), bool))


def _names_behind(prefix: str, columns: Columns) -> list[str]:
    return [str(name).removeprefix(prefix) for name in columns if str(name).startswith(prefix)]


TASK = Regression()
