"""Predictions of a model for the examples of a fold."""

import keras
import numpy as np
from numpy.typing import NDArray

from xval.backend.compilation import wants_constant_shapes
from xval.data.batches import Batches
from xval.data.fold import Examples


def predict(model: keras.Model, examples: Examples, batch_size: int) -> NDArray[np.float32]:
    """Return the predictions of a model for examples in their order, float32 (n_examples, *output_shape).

    Batch by batch, because within `fit` a nested `Model.predict` would start its own callbacks and data pipeline.
    """
    batches = Batches(examples, batch_size, constant=wants_constant_shapes())
    predictions = np.empty((len(examples), 0), np.float32)
    for index in range(batches.num_batches):
        positions = batches.positions(index)
        found = np.asarray(model.predict_on_batch(batches[index][0]), np.float32)[: len(positions)]
        if not predictions.size:
            predictions = np.empty((len(examples), *found.shape[1:]), np.float32)
        predictions[positions] = found
    return predictions
