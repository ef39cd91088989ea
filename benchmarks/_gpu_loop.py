"""Folds trained by hand with Keras, as a careful user would: one side of gpu.py. It runs the orders of its standard input.

`fit` hands the arrays to Keras's `fit`. `own` is a loop written by hand, as the guides of Keras have it for each backend, with
all examples on the device from the start: on JAX and TensorFlow an epoch is one program, compiled once for all folds; torch
goes step by step. Both choose the epoch with the lowest validation loss, test it, and save the model. Batches, network,
precision and determinism are those of the engine; the order of the examples is not.

https://keras.io/guides/writing_a_custom_training_loop_in_torch, ..._in_jax, ..._in_tensorflow
"""

import json
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import keras
import numpy as np

from preprocessing.store import open_store
from xval.data.fold import load_fold
from xval.jobs.job import Job
from xval.jobs.prepare_backend_for_job import prepare_for
from xval.models.frontend import build_frontend

Arrays = dict[str, tuple[np.ndarray, np.ndarray]]
_PROGRAMS: dict[str, Any] = {}  # of JAX and TensorFlow, by what they train


def read(job: Job) -> tuple[Arrays, int]:
    """Return predictors and targets of each side, and the number of classes."""
    data = load_fold(open_store(Path(job.store_folder)), job.fold, job.settings.feature_settings(), in_memory=True)
    sides = {side: (examples.predictors(np.arange(len(examples))), examples.targets) for side, examples in data.sides.items()}
    return sides, len(data.class_names)


def build(job: Job, training: np.ndarray, n_classes: int) -> keras.Model:
    """Return the compiled network, behind the scaling of the features or the front end."""
    inputs = x = keras.Input(training.shape[1:])
    if training.ndim == 2:  # samples
        x = build_frontend(training.shape[1], job.settings.feature_settings().spectral())(x)
        x = keras.layers.LayerNormalization(axis=(1, 2), center=False, scale=False, dtype="float32")(x)
    else:
        scaling = keras.layers.BatchNormalization(center=False, scale=False, trainable=False, dtype="float32")
        x = scaling(x)
        scaling.set_weights([training.mean((0, 1)), training.var((0, 1))])
    x = keras.layers.Reshape((*x.shape[1:], 1))(x)
    architecture = import_module(f"architectures.{job.settings.architecture}")
    network = architecture.build(x.shape[1:], (n_classes,), **job.options)
    model = keras.Model(inputs, keras.layers.Activation("softmax", dtype="float32")(network(x)))
    model.compile(keras.optimizers.Adam(job.settings.learning_rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.optimizer.build(model.trainable_variables)
    return model


def with_fit(model: keras.Model, data: Arrays, batch_size: int, n_epochs: int) -> None:
    """Train by `fit`."""
    stopper = keras.callbacks.EarlyStopping("val_loss", patience=n_epochs, restore_best_weights=True)
    given = {"batch_size": batch_size, "epochs": n_epochs, "callbacks": [stopper], "verbose": 0}
    model.fit(*data["training"], validation_data=data["validation"], **given)


def on_torch(model: keras.Model, data: Arrays, batch_size: int, n_epochs: int) -> None:
    """Train step by step, with all examples on the device and no value fetched but one for each epoch."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    on_device = {side: [torch.tensor(values, device=device) for values in arrays] for side, arrays in data.items()}
    (x, y), (x_validation, y_validation) = on_device["training"], on_device["validation"]
    loss_of = keras.losses.SparseCategoricalCrossentropy()
    best, weights = np.inf, []
    for _ in range(n_epochs):
        for rows in torch.randperm(len(x), device=device).split(batch_size):
            loss = loss_of(y[rows], model(x[rows], training=True))
            model.zero_grad()
            loss.backward()
            with torch.no_grad():
                model.optimizer.apply([each.value.grad for each in model.trainable_weights], model.trainable_weights)
        with torch.no_grad():
            answers = torch.cat([model(part, training=False) for part in x_validation.split(batch_size)])
            found = float(loss_of(y_validation, answers))
        if found < best:
            best, weights = found, [each.value.detach().clone() for each in model.variables]
    for variable, value in zip(model.variables, weights, strict=True):
        variable.assign(value)


def on_tensorflow(model: keras.Model, data: Arrays, batch_size: int, n_epochs: int, key: str) -> None:
    """Train an epoch at a time by one function, which the folds share: its model gets the values of each fold's own."""
    import tensorflow as tf

    kept, train, validate = _PROGRAMS.setdefault(key, (model, *_functions(model)))
    variables = [[*each.variables, *each.optimizer.variables] for each in (kept, model)]
    for mine, new in zip(*variables, strict=True):
        mine.assign(new)
    with tf.device("GPU:0" if tf.config.list_logical_devices("GPU") else "CPU:0"):
        (x, y), (x_validation, y_validation) = (map(tf.constant, data[side]) for side in ("training", "validation"))
    rng = np.random.default_rng(1)
    best, weights = np.inf, [tf.identity(each.value) for each in kept.variables]
    for _ in range(n_epochs):
        train(x, y, tf.constant(rng.permutation(len(x))[: len(x) // batch_size * batch_size].reshape(-1, batch_size)))
        found = float(validate(x_validation, y_validation))
        if found < best:
            best, weights = found, [tf.identity(each.value) for each in kept.variables]
    for variable, value in zip(model.variables, weights, strict=True):
        variable.assign(value)


def _functions(model: keras.Model) -> tuple[Any, Any]:
    """Return the function of an epoch and that of a validation, compiled by XLA where the layers can be."""
    import tensorflow as tf

    loss_of = keras.losses.SparseCategoricalCrossentropy()
    is_compiled = bool(tf.config.list_logical_devices("GPU")) and bool(model.jit_compile)

    @tf.function(jit_compile=is_compiled)
    def train(x: Any, y: Any, batches: Any) -> None:
        for number in tf.range(len(batches)):
            rows = batches[number]
            with tf.GradientTape() as tape:
                loss = loss_of(tf.gather(y, rows), model(tf.gather(x, rows), training=True))
            model.optimizer.apply(tape.gradient(loss, model.trainable_weights), model.trainable_weights)

    validate = tf.function(lambda x, y: loss_of(y, model(x, training=False)), jit_compile=is_compiled, reduce_retracing=True)
    return train, validate


def on_jax(model: keras.Model, data: Arrays, batch_size: int, n_epochs: int, key: str) -> None:
    """Train an epoch at a time by one program, which the folds share: each gives it the values of its own variables."""
    import jax

    train, validate = _PROGRAMS.setdefault(key, _programs(model))
    (x, y), (x_validation, y_validation) = (jax.device_put(data[side]) for side in ("training", "validation"))
    parts = (model.trainable_variables, model.non_trainable_variables, model.optimizer.variables)
    state = [[variable.value for variable in part] for part in parts]
    rng = np.random.default_rng(1)
    best, weights = np.inf, state
    for _ in range(n_epochs):
        rows = rng.permutation(len(x))[: len(x) // batch_size * batch_size].reshape(-1, batch_size)
        state = train(state, x, y, rows)
        found = float(validate(state, x_validation, y_validation))
        if found < best:
            best, weights = found, state
    for part, values in zip(parts, weights, strict=True):
        for variable, value in zip(part, values, strict=True):
            variable.assign(value)


def _programs(model: keras.Model) -> tuple[Any, Any]:
    import jax

    loss_of = keras.losses.SparseCategoricalCrossentropy()

    def loss(trainable: Any, others: Any, x: Any, y: Any) -> Any:
        answers, others = model.stateless_call(trainable, others, x, training=True)
        return loss_of(y, answers), others

    def step(state: Any, batch: Any, x: Any, y: Any) -> Any:
        trainable, others, optimizer = state
        (_, others), gradients = jax.value_and_grad(loss, has_aux=True)(trainable, others, x[batch], y[batch])
        trainable, optimizer = model.optimizer.stateless_apply(optimizer, gradients, trainable)
        return jax.tree.map(
            lambda new, old: new.astype(old.dtype), [list(trainable), list(others), list(optimizer)], state
        ), None

    train = jax.jit(lambda state, x, y, rows: jax.lax.scan(lambda state, batch: step(state, batch, x, y), state, rows)[0])
    validate = jax.jit(lambda state, x, y: loss_of(y, model.stateless_call(state[0], state[1], x, training=False)[0]))
    return train, validate


SHARED = {"jax": on_jax, "tensorflow": on_tensorflow}


def run(order: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Run the jobs of an order; return seconds and test accuracies."""
    started, accuracies = time.perf_counter(), []
    for job in map(Job.from_dict, order["jobs"]):
        prepare_for(job)
        settings = job.settings
        data, n_classes = read(job)
        model = build(job, data["training"][0], n_classes)
        if order["form"] == "fit":
            with_fit(model, data, settings.batch_size, settings.num_epochs)
        elif settings.backend in SHARED:
            key = f"{settings.architecture} {settings.precision} {data['training'][0].shape}"
            SHARED[settings.backend](model, data, settings.batch_size, settings.num_epochs, key)
        else:
            on_torch(model, data, settings.batch_size, settings.num_epochs)
        answers = model.predict(data["test"][0], batch_size=settings.batch_size, verbose=0)
        accuracies.append(float((answers.argmax(1) == data["test"][1]).mean()))
        model.save(folder / f"fold_{job.fold.number}.keras")
    return {"seconds": time.perf_counter() - started, "accuracies": accuracies}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        for line in sys.stdin:
            try:
                answer = run(json.loads(line), Path(place))
            except Exception as error:  # noqa: BLE001 - the benchmark continues with what works
                answer = {"error": f"{type(error).__name__}: {error}"}
            print(json.dumps(answer), flush=True)
