"""Find weights that are NaN or infinite. It runs after every epoch, on the device of the weights, in about a millisecond.

A finite loss does not prove that the weights are finite: on TensorFlow, relu turns NaN into 0.
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
        # One transfer from the GPU for all sums, instead of one for each weight.
        sums = keras.ops.stack([keras.ops.sum(keras.ops.cast(variable.value, "float32")) for variable in variables])
        are_finite = np.isfinite(keras.ops.convert_to_numpy(sums))
    else:
        with np.errstate(all="ignore"):  # NaN and infinite sums are what is looked for
            are_finite = np.isfinite([_sum(variable) for variable in variables])
    return next((variable.path for variable, is_finite in zip(variables, are_finite, strict=True) if not is_finite), None)


def _sum(variable: keras.Variable) -> np.floating:
    values = variable.numpy()  # takes half the time of ops.convert_to_numpy on TensorFlow
    total: np.floating = values.sum(dtype=np.float32 if values.itemsize < np.float32().itemsize else None)
    return total
