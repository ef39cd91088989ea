"""Calibration of a classifier's probabilities: reliability curve, calibration errors, and temperature scaling.

Sources: reliability curve and expected and maximum calibration error with bins of equal width: Naeini, Cooper and Hauskrecht
(Obtaining Well Calibrated Probabilities Using Bayesian Binning, AAAI 2015), Guo et al. (On Calibration of Modern Neural
Networks, ICML 2017), who also describe temperature scaling; Brier score: Brier (Monthly Weather Review 78, 1950). With few
examples, which may all be right, the temperature is fitted as Platt suggests (1999, "Probabilistic outputs for support vector
machines"): as if there were a few more examples, some of them with wrong predictions.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from xval.base.errors import JobError
from xval.data.clip_average import combine_examples

if TYPE_CHECKING:
    import pandas as pd

N_BINS = 15
_ROUNDING = 1e-5  # float32 probabilities may exceed 1
TEMPERATURES = (float(np.exp(-4.0)), float(np.exp(4.0)))
"""The smallest and the largest temperature."""


@dataclass(frozen=True)
class Calibration:
    """The accuracy of a classifier as a function of its confidence.

    Attributes:
        edges: float64 (n_bins + 1,), the edges of the confidence bins, 0 to 1; a bin includes its upper edge.
        counts: int64 (n_bins,), number of examples in each bin.
        accuracy: float64 (n_bins,), share of examples with the right class; NaN: the bin is empty.
        confidence: float64 (n_bins,), mean probability of the predicted class; NaN: the bin is empty.
        ece: Expected calibration error: mean distance between accuracy and confidence, weighted by the counts.
        mce: Maximum calibration error: the largest such distance.
        brier: Brier score: mean over examples of the squared distance between probabilities and one-hot targets, summed over
            classes; 0 is perfect, 2 worst.
    """

    edges: NDArray[np.float64]
    counts: NDArray[np.int64]
    accuracy: NDArray[np.float64]
    confidence: NDArray[np.float64]
    ece: float
    mce: float
    brier: float

    @property
    def table(self) -> "pd.DataFrame":
        """A row per bin: from, to, n, accuracy, confidence."""
        import pandas as pd  # here, because metrics are measured without it

        columns = {"from": self.edges[:-1], "to": self.edges[1:], "n": self.counts}
        return pd.DataFrame(columns | {"accuracy": self.accuracy, "confidence": self.confidence})


def measure_calibration(targets: NDArray[Any], probabilities: NDArray[Any], *, n_bins: int = N_BINS) -> Calibration:
    """Compare the confidence of a classifier with its accuracy.

    Args:
        targets: int64 (n_examples,), class numbers.
        probabilities: float (n_examples, n_classes); the predicted class is the (first) most probable one.
        n_bins: Bins of equal width of the probability of the predicted class.
    """
    if probabilities.ndim != 2 or targets.shape != probabilities.shape[:1] or not len(targets) or n_bins < 1:
        raise JobError(
            f"calibration: received targets {targets.shape}, probabilities {probabilities.shape} and {n_bins} bins; "
            "expected (n_examples,), (n_examples, n_classes), at least one example, and 1 bin or more."
        )
    wide = probabilities.astype(np.float64)
    if not are_probabilities(wide):
        raise JobError(f"calibration: received probabilities from {wide.min():g} to {wide.max():g}; expected 0 to 1.")
    confidences = np.minimum(wide.max(axis=1), 1.0)
    is_right = wide.argmax(axis=1) == targets
    edges = np.linspace(0, 1, n_bins + 1)
    bins = np.clip(np.searchsorted(edges, confidences, side="left") - 1, 0, n_bins - 1)
    counts = np.bincount(bins, minlength=n_bins)
    with np.errstate(invalid="ignore"):  # an empty bin has no mean: NaN
        accuracy = np.bincount(bins, weights=is_right, minlength=n_bins) / counts
        confidence = np.bincount(bins, weights=confidences, minlength=n_bins) / counts
    gaps = np.abs(accuracy - confidence)
    return Calibration(
        edges=edges,
        counts=counts,
        accuracy=accuracy,
        confidence=confidence,
        ece=float(np.nansum(gaps * counts) / len(targets)),
        mce=float(np.nanmax(gaps)),
        brier=brier_score(targets, wide),
    )


def brier_score(targets: NDArray[Any], probabilities: NDArray[Any]) -> float:
    """Return the `brier` of a `Calibration`; the arguments are those of `measure_calibration`."""
    wide = probabilities.astype(np.float64)
    true_probabilities = wide[np.arange(len(targets)), targets]
    return float(np.mean(np.sum(wide**2, axis=1) - 2 * true_probabilities + 1))


def are_probabilities(predictions: NDArray[Any]) -> bool:
    """Return whether predictions are from 0 to 1."""
    return bool(predictions.min() >= 0 and predictions.max() <= 1 + _ROUNDING)


def log_of(probabilities: NDArray[Any]) -> NDArray[np.float64]:
    """Return the logarithms of probabilities, finite where a float32 probability is 0."""
    return np.asarray(np.log(np.maximum(probabilities.astype(np.float64), np.finfo(np.float32).tiny)), np.float64)


def at_temperature(probabilities: NDArray[Any], temperature: float) -> NDArray[np.float32]:
    """Return probabilities whose logits are divided by a temperature: float32 (n, n_classes).

    A temperature above 1 makes them less confident; the order of the classes stays the same.
    """
    scaled = log_of(probabilities) / temperature
    shares = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True), np.float32)


def fit_temperature(
    log_probabilities: Callable[[float], NDArray[np.float64]],
    targets: NDArray[Any],
    *,
    weights: NDArray[np.float64] | None = None,
    n_wrong: float = 1.0,
) -> float:
    """Return the temperature with the smallest mean cross entropy on examples to which the classifier was not fitted.

    Args:
        log_probabilities: Function from a temperature to log probabilities, float64 (n_examples, n_classes).
        targets: int64 (n_examples,), class numbers.
        weights: float64 (n_examples,); None: equal weights.
        n_wrong: The fit adds one right example and this many wrong ones.
    """
    from scipy.optimize import minimize_scalar  # here, because metrics are measured without it

    (n_examples, n_classes), n_in_all = log_probabilities(1.0).shape, len(targets) + 1 + n_wrong
    wanted = np.full((n_examples, n_classes), n_wrong / max(n_classes - 1, 1) / n_in_all)
    wanted[np.arange(n_examples), targets] = (n_examples + 1) / n_in_all

    def cross_entropy(log_temperature: float) -> float:
        losses = -(wanted * log_probabilities(float(np.exp(log_temperature)))).sum(axis=1)
        return float(np.average(losses, weights=weights))

    return float(np.exp(minimize_scalar(cross_entropy, bounds=tuple(np.log(TEMPERATURES)), method="bounded").x))


def temperature_of_clips(
    predictions: NDArray[np.float32], targets: NDArray[Any], clips: NDArray[Any], items: NDArray[Any], clip_average: str
) -> float:
    """Return the temperature with the smallest mean cross entropy over clips, in which every item has the same weight.

    Args:
        predictions: float32 (n_examples, n_classes), probabilities.
        targets: int64 (n_examples,), class numbers.
        clips: (n_examples,), the clip of each example.
        items: (n_examples,), the item of each example, such as the speaker.
        clip_average: As for `combine_examples`; votes, which no temperature changes, are treated as probabilities.
    """
    how = "probabilities" if clip_average == "votes" else clip_average
    _, first, clip_of = np.unique(clips, return_index=True, return_inverse=True)
    _, item_of, n_clips = np.unique(items[first], return_inverse=True, return_counts=True)
    return fit_temperature(
        lambda temperature: log_of(combine_examples(at_temperature(predictions, temperature), clip_of, how)),
        targets[first],
        weights=1 / n_clips[item_of],
    )
