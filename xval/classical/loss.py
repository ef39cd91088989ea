"""The usual losses of predictions, as Keras computes them, without loading it.

Comes in: the settings and the data of a fold. Goes out: the function that gives the mean loss, where Keras is not
needed for it.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xval.data.fold import FoldData
from xval.settings.schema import Settings

_EPSILON = np.float32(1e-7)  # of keras.config.epsilon


def loss_without_keras(settings: Settings, data: FoldData) -> Callable[[NDArray[Any], NDArray[np.float32]], float] | None:
    """Return the function from targets and predictions to their mean loss; None where the loss is not the usual one."""
    name = settings.task.loss_name(settings.loss)

    def cross_entropy(targets: NDArray[Any], predictions: NDArray[np.float32]) -> float:
        of_target = predictions[np.arange(len(targets)), targets]
        return float(-np.log(np.clip(of_target, _EPSILON, 1 - _EPSILON)).mean(dtype=np.float64))

    def squared_error(targets: NDArray[Any], predictions: NDArray[np.float32]) -> float:
        deviation = data.target_deviation if settings.scales_loss else 1
        return float(np.mean(((targets - predictions) / deviation) ** 2, dtype=np.float64))

    return {"sparse_categorical_crossentropy": cross_entropy, "mean_squared_error": squared_error}.get(
        "" if name == "mean_squared_error" and settings.task.has_classes else name
    )
