"""Test a model that rebuilds its features: errors of reconstruction per example, per clip and per item, and embeddings.

Comes in: a fitted model and the fold's data. Goes out: an `Evaluation`; embeddings.parquet has a row per example of every side.
"""

import math
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xval.base.errors import DivergenceError
from xval.data.batches import Batches
from xval.data.fold import Examples, FoldData
from xval.measures import metrics
from xval.measures.task import REPRESENTATION
from xval.models.residual import read_features
from xval.settings.schema import Settings
from xval.training.evaluation.clips import KEPT_COLUMNS, KEPT_SIDES, Evaluation

EMBEDDING = "embedding"
"""Name of the layer of an architecture whose output, flattened, is the embedding of an example."""


def evaluate_reconstruction(
    model: keras.Model,
    data: FoldData,
    settings: Settings,
    *,
    known: NDArray[np.float32] | None = None,  # noqa: ARG001 - every evaluation takes both
    of_training: Mapping[str, float] | None = None,  # noqa: ARG001
) -> Evaluation:
    """Measure how well a model rebuilds the features of every side.

    The unit is that of the normalised features, whose variance is 1 with normalization=per_bin. `chance` is what a model gets
    that always answers with the mean of each bin over the training examples.

    Args:
        model: With its best weights.
        data: The fold.
        settings: The parameters of the instance.
        known: Not used: training keeps no reconstruction, which is as large as the features.
        of_training: Not used: the training examples are measured as the others are.

    Returns:
        The figures; of each validation and test example the squared errors of reconstruction and of that mean; the embeddings,
        where the architecture has a layer of this name.

    Raises:
        DivergenceError: A reconstruction is NaN or infinite.
    """
    probe = _make_probe(model)
    mean = _mean_of_bins(probe, data.sides["training"], settings.batch_size)
    found = {side: _measure(probe, examples, mean, settings.batch_size) for side, examples in data.sides.items()}
    clips = {side: _average_clips(data.sides[side], *found[side][:2]) for side in KEPT_SIDES}
    figures: dict[str, Any] = {
        "n_examples": {side: len(examples) for side, examples in data.sides.items()},
        "n_training_examples": len(data.training),
        "class_names": [],
        # The loss is the error itself, whatever training minimised.
        "metrics": {side: _compute(of_mean, errors, with_loss=True) for side, (of_mean, errors, _) in found.items()},
        "clip_metrics": {side: _compute(*of[["of_mean", "error"]].to_numpy().T) for side, of in clips.items()},
        "item_metrics": {
            "test": {
                str(item): {"n_clips": len(of)} | _compute(*of[["of_mean", "error"]].to_numpy().T)
                for item, of in clips["test"].groupby("item")
            }
        },
        "chance": {"test": _compute(found["test"][0], found["test"][0], with_loss=True)},
    }
    tables = {}
    if found["test"][2].shape[1]:
        tables["embeddings.parquet"] = _tabulate(data, {side: _embedding_columns(of[2]) for side, of in found.items()})
    errors = {side: {"squared_error": found[side][1], "squared_error_of_mean": found[side][0]} for side in KEPT_SIDES}
    return Evaluation(figures, _tabulate(data, errors), tables)


def _compute(of_mean: NDArray[Any], errors: NDArray[Any], *, with_loss: bool = False) -> dict[str, float]:
    found = metrics.compute(REPRESENTATION.name, np.asarray(of_mean, np.float32), np.asarray(errors, np.float32))
    return {"loss": found["mse"]} | found if with_loss else found


def _make_probe(model: keras.Model) -> keras.Model:
    """Return a model that answers with the features, their reconstruction and the embedding, each flattened but for bins."""
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
    of_mean, errors = np.zeros(len(examples), np.float32), np.zeros(len(examples), np.float32)
    embeddings = np.zeros((len(examples), 0), np.float32)
    for index in range(batches.num_batches):
        features, rebuilt, *embedded = (np.asarray(each, np.float32) for each in probe.predict_on_batch(batches[index][0]))
        positions, axes = batches.positions(index), tuple(range(1, features.ndim))
        of_mean[positions] = np.mean((features - mean) ** 2, axis=axes)
        errors[positions] = np.mean((rebuilt.astype(np.float64) - features) ** 2, axis=axes)
        if embedded:
            if not embeddings.shape[1]:
                embeddings = np.zeros((len(examples), embedded[0].shape[1]), np.float32)
            embeddings[positions] = embedded[0]
    if not np.isfinite(errors).all():
        raise DivergenceError("a reconstruction is NaN or infinite; a smaller learning_rate or clip_norm may help.")
    return of_mean, errors, embeddings


def _average_clips(examples: Examples, of_mean: NDArray[np.float32], errors: NDArray[np.float32]) -> pd.DataFrame:
    """Return item, of_mean and error of each clip, the means over its examples."""
    table = examples.table[["item", "clip"]].assign(of_mean=of_mean, error=errors)
    return table.groupby("clip", sort=False).agg({"item": "first", "of_mean": "mean", "error": "mean"})


def _embedding_columns(embeddings: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    return {f"embedding_{number}": embeddings[:, number] for number in range(embeddings.shape[1])}


def _tabulate(data: FoldData, columns: Mapping[str, Mapping[str, NDArray[Any]]]) -> pd.DataFrame:
    """Return a row per example of some sides, with columns of each."""
    tables = [
        pd.concat([data.sides[side].table[list(KEPT_COLUMNS)].assign(side=side), pd.DataFrame(dict(of_side))], axis=1)
        for side, of_side in columns.items()
    ]
    return pd.concat(tables, ignore_index=True)
