"""The gradient of one output of a network with respect to its input, on TensorFlow, torch and JAX.

Comes in: a Keras model, a batch, and which output. Goes out: the outputs and gradients as NumPy arrays.
"""

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from xval.base.errors import SettingsError

Floats = NDArray[np.float32]


def input_gradients(model: keras.Model, batch: Floats, output: int) -> tuple[Floats, Floats]:
    """Return one output of each example of a batch, float32 (n, ...), and its gradient with respect to the example.

    The model predicts: dropout is off, and batch normalisation uses its saved statistics.

    Returns:
        float32 (n,), and float32 (n, ...) as the batch.
    """
    answers, gradients = _BACKENDS[keras.backend.backend()](model, batch, output)
    return np.asarray(answers, np.float32), np.asarray(gradients, np.float32)


def _with_tensorflow(model: keras.Model, batch: Floats, output: int) -> tuple[Any, Any]:
    import tensorflow as tf

    inputs = tf.convert_to_tensor(batch)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        answers = model(inputs, training=False)[:, output]
    return answers, tape.gradient(answers, inputs)


def _with_torch(model: keras.Model, batch: Floats, output: int) -> tuple[Any, Any]:
    import torch

    inputs = keras.ops.convert_to_tensor(batch).requires_grad_()
    with torch.enable_grad():
        answers = model(inputs, training=False)[:, output]
        (gradients,) = torch.autograd.grad(answers.sum(), inputs, allow_unused=True)
    if gradients is None:
        raise SettingsError(
            "no gradient reaches the samples, because a fine-tuned encoder prepares them outside of torch. Use --method "
            "occlusion"
        )
    return answers.detach().cpu(), gradients.cpu()


def _with_jax(model: keras.Model, batch: Floats, output: int) -> tuple[Any, Any]:
    import jax

    trained = [variable.value for variable in model.trainable_variables]
    others = [variable.value for variable in model.non_trainable_variables]

    def total(inputs: Any) -> Any:
        answers = model.stateless_call(trained, others, inputs, training=False)[0][:, output]
        return answers.sum(), answers

    gradients, answers = jax.grad(total, has_aux=True)(keras.ops.convert_to_tensor(batch))
    return answers, gradients


_BACKENDS = {"tensorflow": _with_tensorflow, "torch": _with_torch, "jax": _with_jax}
