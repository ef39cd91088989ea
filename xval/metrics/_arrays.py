"""What the metrics of several tasks share: quotients and means of what is defined, and the check of targets that are 0 or 1."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xval.errors import JobError


def divide(numerator: Any, denominator: Any) -> NDArray[np.float64]:
    """Return the quotient, NaN over 0: no numerator here is larger than 0 where its denominator is 0."""
    with np.errstate(invalid="ignore"):
        return np.asarray(numerator, dtype=np.float64) / np.asarray(denominator, dtype=np.float64)


def mean_of_defined(values: NDArray[np.float64]) -> float:
    """Return the mean of what is not NaN; NaN where nothing is."""
    defined = values[~np.isnan(values)]
    return float(np.mean(defined)) if len(defined) else float("nan")


def check_zeros_and_ones(targets: NDArray[Any], task_type: str) -> None:
    """Refuse targets of labels that are neither 0 nor 1.

    Raises:
        JobError: Some are.
    """
    if not np.isin(targets, (0, 1)).all():
        raise JobError(
            f"metrics of {task_type}: received targets from {targets.min():g} to {targets.max():g}; 0 and 1 are wanted."
        )
