"""What card and page of a bundle say of its exports.

Goes out: `BundleFacts`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

NO_EXPORTS = (
    "There is no ONNX file, LiteRT file or page, because these need a Keras network, and this model predicts with a "
    "scikit-learn estimator."
)
"""Of an estimator."""


@dataclass(frozen=True)
class BundleFacts:
    """What goes into the exports of a bundle, and what comes out.

    Attributes:
        sample_rate_hz: Of the samples that it reads.
        n_samples: Length that a clip is padded or cut to.
        channel: Which channel of a recording it hears, from 0; None: the mean of all.
        columns: Of its answers.
        has_novelty: Whether the last one is the novelty.
        are_probabilities: Whether the others are probabilities of classes.
        thresholds: From which probability on each label counts; None: one class is right.
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
