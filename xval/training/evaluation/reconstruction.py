"""Reconstruction errors of examples, and embeddings."""

import math

import keras
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xval.base.errors import DivergenceError
from xval.data.batches import Batches
from xval.data.fold import Examples, FoldData
from xval.measures.answered import Answered
from xval.models.residual import read_features

EMBEDDING = "embedding"
"""Name of the layer of an architecture whose output, flattened, is the embedding of an example."""


def rebuild_sides(
    model: keras.Model, data: FoldData, batch_size: int
) -> tuple[dict[str, Answered], dict[str, dict[str, pd.DataFrame]]]:
    """Measure how well a model reconstructs the features of every side.

    The unit is that of the normalised features, whose variance is 1 with normalization=per_bin. The targets are the errors of
    always predicting the mean of each bin over the training examples.

    Returns:
        The errors of each side; embeddings.parquet of each side if the architecture has a layer of this name.

    Raises:
        DivergenceError: A reconstruction is NaN or infinite.
    """
    probe = _make_probe(model)
    mean = _mean_of_bins(probe, data.sides["training"], batch_size)
    sides, embeddings = {}, {}
    for side, examples in data.sides.items():
        rows = examples.table[["item", "row", "clip", "start_s", "end_s"]]
        errors_of_mean, errors, embedded = _measure(probe, examples, mean, batch_size)
        sides[side] = Answered(rows, errors_of_mean, errors)
        columns = {f"embedding_{number}": embedded[:, number] for number in range(embedded.shape[1])}
        embeddings[side] = pd.concat([rows, pd.DataFrame(columns)], axis=1)
    has_embeddings = "embedding_0" in embeddings["training"]
    return sides, {"embeddings.parquet": embeddings} if has_embeddings else {}


def _make_probe(model: keras.Model) -> keras.Model:
    """Return a model that outputs features, reconstruction and embedding, each flattened except for bins."""
    features = read_features(model)
    network = model.layers[-2]
    names = [layer.name for layer in network.layers]
    outputs = [features, model.layers[-1](network(features))]
    if EMBEDDING in names:
        inner = keras.Model(network.input, network.get_layer(EMBEDDING).output)
        outputs.append(keras.layers.Flatten(dtype="float32")(inner(features)))
    return keras.Model(model.input, outputs)


def _mean_of_bins(probe: keras.Model, examples: Examples, batch_size: int) -> NDArray[np.float64]:
    """Return the mean of each bin over all frames of all examples, float64, to broadcast over features."""
    total, count = 0.0, 0
    batches = Batches(examples, batch_size)
    for index in range(batches.num_batches):
        features = np.asarray(probe.predict_on_batch(batches[index][0])[0], np.float64)
        over = (0, 1) if features.ndim > 2 else (0,)  # examples and frames; what has one axis has no frames
        total = total + features.sum(axis=over, keepdims=True)
        count += math.prod(features.shape[axis] for axis in over)
    return np.asarray(total / count)


def _measure(
    probe: keras.Model, examples: Examples, mean: NDArray[np.float64], batch_size: int
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Return, in the order of the examples, the squared errors of the mean and of the reconstruction, and the embeddings."""
    batches = Batches(examples, batch_size)
    errors_of_mean, errors = np.zeros(len(examples), np.float32), np.zeros(len(examples), np.float32)
    embeddings = np.zeros((len(examples), 0), np.float32)
    for index in range(batches.num_batches):
        features, rebuilt, *embedded = (np.asarray(output, np.float32) for output in probe.predict_on_batch(batches[index][0]))
        positions, axes = batches.positions(index), tuple(range(1, features.ndim))
        errors_of_mean[positions] = np.mean((features - mean) ** 2, axis=axes)
        errors[positions] = np.mean((rebuilt.astype(np.float64) - features) ** 2, axis=axes)
        if embedded:
            if not embeddings.shape[1]:
                embeddings = np.zeros((len(examples), embedded[0].shape[1]), np.float32)
            embeddings[positions] = embedded[0]
    if not np.isfinite(errors).all():
        raise DivergenceError("a reconstruction is NaN or infinite. Lower learning_rate, or set clip_norm.")
    return errors_of_mean, errors, embeddings
