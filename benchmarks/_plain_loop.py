"""A cross-validation written by hand with Keras, as a careful user would write it: one side of plain_keras.py.

python benchmarks/_plain_loop.py FOLDER N_EPOCHS arrays|batches

FOLDER holds clips.npz (predictors, targets, items) and folds.json (the items of each fold, and its seed). Written are a model
and a history for each fold, and last loop.json with times and accuracies. `arrays` hands the arrays to `fit`, which shuffles
them; `batches` shuffles and adds up batch normalisation as the engine does, so that the numbers are those of the engine.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from architectures import cnn_small
from xval.backend.fused_normalization import fuse_normalization

BATCH_SIZE = 32


class ShuffledBatches(keras.utils.PyDataset):
    """Batches in the order that the engine draws for each epoch."""

    def __init__(self, predictors: np.ndarray, targets: np.ndarray, seed: int) -> None:
        super().__init__()
        self.predictors, self.targets, self.seed = predictors, targets, seed
        self.order = np.arange(len(targets))
        self.epoch = 0

    @property
    def num_batches(self) -> int:
        """Number of batches of an epoch."""
        return -(-len(self.targets) // BATCH_SIZE)

    def on_epoch_begin(self) -> None:
        """Shuffle."""
        self.order = np.random.default_rng([self.seed, self.epoch]).permutation(len(self.targets))
        self.epoch += 1

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Return (predictors, targets) of a batch."""
        chosen = self.order[index * BATCH_SIZE : (index + 1) * BATCH_SIZE]
        return self.predictors[chosen], self.targets[chosen]


def build(training: np.ndarray, n_classes: int) -> keras.Model:
    """Return the network, with the mean and the variance of the training examples in its first layer."""
    mean, variance = (function(training, axis=(0, 1), dtype=np.float64) for function in (np.mean, np.var))
    inputs = keras.Input(training.shape[1:])
    # Keras's Normalization divides, this layer multiplies as the engine's does, and the last digits are to be the same.
    scaling = keras.layers.BatchNormalization(center=False, scale=False, epsilon=1e-8, trainable=False)
    hidden = keras.layers.Reshape((*training.shape[1:], 1))(scaling(inputs))
    scaling.set_weights([mean.astype(np.float32), variance.astype(np.float32)])
    network = cnn_small.build((*training.shape[1:], 1), (n_classes,))
    return keras.Model(inputs, keras.layers.Activation("softmax")(network(hidden)))


def train_and_test(
    fold: dict[str, Any], clips: Any, folder: Path, *, n_epochs: int, form: str, patience: int | None = None
) -> dict[str, Any]:
    """Train a fold with early stopping, which ends no fold without a patience, test it, write its model, return its history."""
    sides = {side: np.isin(clips["items"], fold[side]) for side in ("training", "validation", "test")}
    data = {side: (clips["predictors"][chosen], clips["targets"][chosen]) for side, chosen in sides.items()}
    keras.backend.clear_session()
    keras.utils.set_random_seed(fold["seed"])
    model = build(data["training"][0], int(clips["targets"].max()) + 1)
    if form == "batches":
        fuse_normalization(model)
    model.compile(keras.optimizers.Adam(0.001), "sparse_categorical_crossentropy", metrics=["accuracy"])
    stopper = keras.callbacks.EarlyStopping("val_loss", mode="min", patience=patience or n_epochs, restore_best_weights=True)
    given = {"x": ShuffledBatches(*data["training"], fold["seed"])}
    if form == "arrays":
        given = {"x": data["training"][0], "y": data["training"][1], "batch_size": BATCH_SIZE}
    fitted = model.fit(
        **given,
        validation_data=data["validation"],
        validation_batch_size=BATCH_SIZE,
        epochs=n_epochs,
        shuffle=form == "arrays",
        callbacks=[stopper],
        verbose=0,
    )
    _, accuracy = model.evaluate(*data["test"], batch_size=BATCH_SIZE, verbose=0)
    model.save(folder / f"fold_{fold['number']}.keras")
    return {"test_accuracy": accuracy, **fitted.history}


def main(folder: Path, n_epochs: int, form: str) -> None:
    """Run all folds; the time is counted from here, without the start of Python and the imports."""
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.experimental.enable_op_determinism()
    seconds, results = [], []
    started = time.perf_counter()
    with np.load(folder / "clips.npz") as arrays:
        clips = dict(arrays)
    for fold in json.loads((folder / "folds.json").read_text()):
        begun = time.perf_counter()
        results.append(train_and_test(fold, clips, folder, n_epochs=n_epochs, form=form))
        seconds.append(time.perf_counter() - begun)
    report = {"seconds": seconds, "span_s": time.perf_counter() - started, "folds": results}
    (folder / "loop.json").write_text(json.dumps(report))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
