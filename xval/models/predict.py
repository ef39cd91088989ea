"""Predict the examples of a fold, from the memory of the device if it holds them."""

import keras
import numpy as np
from numpy.typing import NDArray

from xval.backend import on_device
from xval.backend.compilation import wants_constant_shapes
from xval.backend.held_examples import HeldExamples
from xval.data.batches import Batches
from xval.data.fold import Examples
from xval.data.indexed import Indexed


def predict(model: keras.Model, examples: Examples, batch_size: int) -> NDArray[np.float32]:
    """Return the predictions of a model for examples, in order: float32 (n_examples, *output_shape).

    Batch by batch, because within `fit` a nested `Model.predict` would start its own callbacks and data pipeline.
    """
    if (placement := on_gpu(examples)) is not None:
        held, indexed = placement
        return on_device.steps_of(model, held, batch_size).predict(indexed.places(np.arange(len(examples))))
    batches = Batches(examples, batch_size, constant=wants_constant_shapes())
    predictions = np.empty((len(examples), 0), np.float32)
    for index in range(batches.num_batches):
        positions = batches.positions(index)
        answers = np.asarray(model.predict_on_batch(batches[index][0]), np.float32)[: len(positions)]
        if not predictions.size:
            predictions = np.empty((len(examples), *answers.shape[1:]), np.float32)
        predictions[positions] = answers
    return predictions


def on_gpu(examples: Examples) -> tuple[HeldExamples, Indexed] | None:
    """Return the array on the device with the examples, and their places in it; None: there is none."""
    indexed = examples.indexed
    held = None if indexed is None else on_device.hold(indexed.everything, indexed.shape)
    return None if indexed is None or held is None else (held, indexed)
