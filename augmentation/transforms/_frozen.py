"""Apply a transform of audiomentations with parameters that were drawn elsewhere.

Comes in: one of its transforms, the names and values that its ``apply`` looks up. Goes out: float32 samples. Its own drawing
uses the global generators of random and numpy, and is passed by: frozen parameters are not drawn again.
"""

from typing import Any

import numpy as np

from augmentation.transforms import Samples


def apply_frozen(transform: Any, samples: Samples, sample_rate_hz: int, **parameters: object) -> Samples:
    """Return what an audiomentations transform makes of the samples with these parameters.

    Args:
        transform: An instance of a transform of audiomentations.
        samples: float32 (n_samples,), mono, full scale is -1 to 1.
        sample_rate_hz: Their rate.
        parameters: What its ``apply`` looks up in its parameters.

    Returns:
        float32 (n_samples,).
    """
    transform.parameters = {"should_apply": True, **parameters}
    transform.freeze_parameters()
    return np.asarray(transform(samples, sample_rate_hz), dtype=np.float32)
