"""Facts on the exports of a bundle that both its model card and its page state."""

from collections.abc import Sequence
from dataclasses import dataclass

NO_EXPORTS = (
    "There is no ONNX file, LiteRT file or page, because these need a Keras network, and this model predicts with a "
    "scikit-learn estimator."
)
"""Note for a scikit-learn estimator, which has no exports."""


@dataclass(frozen=True)
class BundleFacts:
    """Input and output of the exports of a bundle.

    Attributes:
        sample_rate_hz: Sample rate of the input.
        n_samples: Length that a clip is padded or cut to.
        channel: The channel of a recording that the model reads, from 0; None: the mean of all.
        columns: Names of the output columns.
        has_novelty: Whether the last column is the out-of-distribution score (novelty).
        are_probabilities: Whether the other columns are probabilities of classes.
        thresholds: The lowest probability at which each label is predicted; None: exactly one class is predicted.
        tflite_batch: The only batch size of the LiteRT model; None: any.
    """

    sample_rate_hz: int
    n_samples: int
    channel: int | None
    columns: Sequence[str]
    has_novelty: bool
    are_probabilities: bool
    thresholds: Sequence[float] | None
    tflite_batch: int | None
