"""The gradient of one output of a network with respect to its input, on TensorFlow, torch and JAX."""

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from xval.base.errors import SettingsError

Floats = NDArray[np.float32]


def input_gradients(model: keras.Model, batch: Floats, output: int) -> tuple[Floats, Floats]:
    """Return one output of each example of a batch, and its gradient with respect to the example.

    The model runs in inference mode: dropout is off, and batch normalisation uses its saved statistics.

    Args:
        model: A model with outputs (n, n_outputs).
        batch: Examples, float32 (n, ...).
        output: The index of the output.

    Returns:
        The outputs, float32 (n,), and the gradients, float32 (n, ...), in the shape of the batch.

    Raises:
        SettingsError: The gradient does not reach the input, because a part of the model runs outside of torch.
    """
    predictions, gradients = _BACKENDS[keras.backend.backend()](model, batch, output)
    return np.asarray(predictions, np.float32), np.asarray(gradients, np.float32)


def _with_tensorflow(model: keras.Model, batch: Floats, output: int) -> tuple[Any, Any]:
    import tensorflow as tf

    inputs = tf.convert_to_tensor(batch)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        predictions = model(inputs, training=False)[:, output]
    return predictions, tape.gradient(predictions, inputs)


def _with_torch(model: keras.Model, batch: Floats, output: int) -> tuple[Any, Any]:
    import torch

    inputs = keras.ops.convert_to_tensor(batch).requires_grad_()
    with torch.enable_grad():
        predictions = model(inputs, training=False)[:, output]
        (gradients,) = torch.autograd.grad(predictions.sum(), inputs, allow_unused=True)
    if gradients is None:
        raise SettingsError(
            "no gradient reaches the samples, because a fine-tuned encoder prepares them outside of torch. Use --method "
            "occlusion"
        )
    return predictions.detach().cpu(), gradients.cpu()


def _with_jax(model: keras.Model, batch: Floats, output: int) -> tuple[Any, Any]:
    import jax

    trained = [variable.value for variable in model.trainable_variables]
    others = [variable.value for variable in model.non_trainable_variables]

    def total(inputs: Any) -> Any:
        predictions = model.stateless_call(trained, others, inputs, training=False)[0][:, output]
        return predictions.sum(), predictions

    gradients, predictions = jax.grad(total, has_aux=True)(keras.ops.convert_to_tensor(batch))
    return predictions, gradients


_BACKENDS = {"tensorflow": _with_tensorflow, "torch": _with_torch, "jax": _with_jax}
