"""Whether the weights of a model are numbers, asked after every epoch: where they are, in about a millisecond.

A finite loss does not say so: relu makes 0 of NaN on TensorFlow.
"""

import keras
import numpy as np

from xval.backend.compilation import has_gpu


def find_not_finite(model: keras.Model) -> str | None:
    """Return the path of the first weight of a model that holds NaN or infinite numbers; None: none does."""
    variables = [variable for variable in model.variables if keras.backend.is_float_dtype(variable.dtype)]
    if not variables:
        return None
    if has_gpu():
        # Summed there and fetched together.
        sums = keras.ops.stack([keras.ops.sum(keras.ops.cast(variable.value, "float32")) for variable in variables])
        are_finite = np.isfinite(keras.ops.convert_to_numpy(sums))
    else:
        with np.errstate(all="ignore"):  # what is not finite is the answer
            are_finite = np.isfinite([_sum(variable) for variable in variables])
    return next((variable.path for variable, is_finite in zip(variables, are_finite, strict=True) if not is_finite), None)


def _sum(variable: keras.Variable) -> np.floating:
    values = variable.numpy()  # faster than ops.convert_to_numpy, by half on TensorFlow
    total: np.floating = values.sum(dtype=np.float32 if values.itemsize < np.float32().itemsize else None)
    return total
