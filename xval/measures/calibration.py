"""Calibration of the probabilities of a classifier.

Comes in: probabilities and the true classes. Goes out: a `Calibration`: the reliability curve and its summary figures.

Sources: reliability curve and expected and maximum calibration error with bins of equal width: Naeini, Cooper and Hauskrecht
(Obtaining Well Calibrated Probabilities Using Bayesian Binning, AAAI 2015), Guo et al. (On Calibration of Modern Neural
Networks, ICML 2017); score: Brier (Monthly Weather Review 78, 1950).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from xval.base.errors import JobError

if TYPE_CHECKING:
    import pandas as pd

N_BINS = 15
_ROUNDING = 1e-5  # float32 probabilities may exceed 1


@dataclass(frozen=True)
class Calibration:
    """The accuracy of a classifier by its confidence.

    Attributes:
        edges: float64 (n_bins + 1,), of the bins of confidence, 0 to 1; a bin includes its upper edge.
        counts: int64 (n_bins,), examples in each bin.
        accuracy: float64 (n_bins,), share of them whose predicted class is the true one; NaN: the bin is empty.
        confidence: float64 (n_bins,), mean probability of the predicted class; NaN: the bin is empty.
        ece: Expected calibration error: mean distance of accuracy and confidence, weighted by the counts.
        mce: Maximum calibration error: the largest such distance.
        brier: Brier score: mean over examples of the squared distance of the probabilities and the one-hot truth, summed over
            classes; 0 perfect, 2 worst.
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
    of_true = wide[np.arange(len(targets)), targets]
    return float(np.mean(np.sum(wide**2, axis=1) - 2 * of_true + 1))


def are_probabilities(predictions: NDArray[Any]) -> bool:
    """Return whether predictions lie from 0 to 1."""
    return bool(predictions.min() >= 0 and predictions.max() <= 1 + _ROUNDING)
