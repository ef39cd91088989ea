"""Predictions of a model for the examples of a fold, from the memory of the device where it holds them."""

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from xval.backend import on_device
from xval.backend.compilation import wants_constant_shapes
from xval.data.batches import Batches
from xval.data.examples import StoredExamples
from xval.data.fold import Examples


def predict(model: keras.Model, examples: Examples, batch_size: int) -> NDArray[np.float32]:
    """Return the predictions of a model for examples in their order, float32 (n_examples, *output_shape).

    Batch by batch, because within `fit` a nested `Model.predict` would start its own callbacks and data pipeline.
    """
    if (on_gpu := rows_on_device(examples)) is not None:
        held, rows = on_gpu
        return on_device.steps_of(model, held, batch_size).predict(rows)
    batches = Batches(examples, batch_size, constant=wants_constant_shapes())
    predictions = np.empty((len(examples), 0), np.float32)
    for index in range(batches.num_batches):
        positions = batches.positions(index)
        found = np.asarray(model.predict_on_batch(batches[index][0]), np.float32)[: len(positions)]
        if not predictions.size:
            predictions = np.empty((len(examples), *found.shape[1:]), np.float32)
        predictions[positions] = found
    return predictions


def rows_on_device(examples: Examples) -> tuple[Any, NDArray[np.int64]] | None:
    """Return the array on the device that has the examples, and which rows they are, int64 (n_examples,); None: none has."""
    indexed = examples.indexed if isinstance(examples, StoredExamples) else None
    held = None if indexed is None else on_device.hold(indexed[0])
    return None if indexed is None or held is None else (held, indexed[1])
