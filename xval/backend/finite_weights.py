"""Whether the weights of a model are numbers, asked after every epoch: where they are, in a few milliseconds.

A finite loss does not say so: relu makes 0 of NaN on TensorFlow.
"""

import keras
import numpy as np

from xval.backend.compilation import has_gpu


def find_not_finite(model: keras.Model) -> str | None:
    """Return the path of the first weight of a model that holds NaN or infinite numbers; None: none does."""
    variables = [variable for variable in model.variables if keras.backend.is_float_dtype(variable.dtype)]
    sums = _sums_on_device(variables) if has_gpu() else [_sum_on_host(variable) for variable in variables]
    return next((variable.path for variable, total in zip(variables, sums, strict=True) if not np.isfinite(total)), None)


def _sums_on_device(variables: list[keras.Variable]) -> "np.typing.NDArray[np.float32]":
    """Return the sum of each variable, fetched together."""
    sums = [keras.ops.sum(keras.ops.cast(variable.value, "float32")) for variable in variables]
    return np.asarray(keras.ops.convert_to_numpy(keras.ops.stack(sums))) if sums else np.zeros(0, np.float32)


def _sum_on_host(variable: keras.Variable) -> float:
    values = keras.ops.convert_to_numpy(variable.value)
    with np.errstate(all="ignore"):  # what is not finite is the answer
        return float(np.sum(values, dtype=np.promote_types(values.dtype, np.float32)))
