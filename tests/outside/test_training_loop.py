"""What happens between the epochs, as a user of Keras sees it: schedules, callbacks, early stopping, losses that diverge."""

import json
import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from preprocessing.store import write

DOCS = Path(__file__).resolve().parents[2] / "docs"

NETS = """
import keras
from keras import layers


def build(input_shape, output_shape):
    inputs = keras.Input(input_shape)
    return keras.Model(inputs, layers.Dense(output_shape[-1])(layers.Flatten()(inputs)))
"""


def one_fold(study, instance, *arguments, code="", **parameters):
    """Train the first fold of an instance whose network is `nets.build`; return the command as it ended."""
    study.file("nets.py", NETS + code)
    study.script({"architecture": "nets.build"} | instance, **parameters)
    return study.run("--folds", "1", *arguments)


# Schedules of the user's own


@pytest.mark.long
def test_the_schedule_of_the_docs_halves_every_ten_epochs(study):
    (shown,) = re.findall(r"```python\n([^`]*def halve_every_ten.*?)```", (DOCS / "own_training.md").read_text(), re.DOTALL)
    study.file("my_parts.py", shown)

    ended = one_fold(study, {"schedule": "my_parts.halve_every_ten"}, num_epochs=30, learning_rate=1e-3, early_stopping=False)

    assert ended.returncode == 0, ended.stderr
    wanted = [1e-3] * 10 + [5e-4] * 10 + [2.5e-4] * 10
    assert study.history()["learning_rate"].tolist() == pytest.approx(wanted, rel=1e-6)


SCHEDULES = """

def stepped(epoch, learning_rate, *, factor=0.5, every=10):
    return learning_rate * factor ** (epoch // every)


def as_numpy(epoch, learning_rate):
    import numpy as np
    return np.float32(learning_rate) / (epoch + 1)


def as_tensor(epoch, learning_rate):
    return keras.ops.divide(learning_rate, epoch + 1.0)


def late(epoch, learning_rate):
    return {0: 1e-2, 1: 1e-3}[epoch]


def negative(epoch, learning_rate):
    return learning_rate * (2 - epoch)
"""


@pytest.mark.long
def test_the_arguments_of_a_schedule_are_settings(study):
    instance = {"schedule": "nets.stepped", "schedule_every": 2, "schedule_factor": 0.1}

    ended = one_fold(study, instance, code=SCHEDULES, num_epochs=5, learning_rate=1e-2)

    assert ended.returncode == 0, ended.stderr
    assert study.history()["learning_rate"].tolist() == pytest.approx([1e-2, 1e-2, 1e-3, 1e-3, 1e-4], rel=1e-5)
    written = json.loads((study.results / "instance_1" / "settings.json").read_text())
    assert written["parameters"]["schedule_arguments"] == "every=2, factor=0.1"
    again = one_fold(study, instance | {"schedule_every": 3}, code=SCHEDULES, num_epochs=5, learning_rate=1e-2)
    assert "schedule_arguments was 'every=2, factor=0.1', now 'every=3, factor=0.1'" in again.stderr


@pytest.mark.parametrize("name", ["as_numpy", "as_tensor"])
def test_a_schedule_may_give_a_number_of_numpy_or_of_the_backend(study, name):
    ended = one_fold(study, {"schedule": f"nets.{name}"}, code=SCHEDULES)

    assert ended.returncode == 0, ended.stderr
    assert study.history()["learning_rate"].tolist() == pytest.approx([1e-2, 5e-3], rel=1e-5)


@pytest.mark.parametrize(
    ("instance", "message"),
    [
        ({"schedule": "nets.stepped", "schedule_evry": 2}, "schedule_evry: schedule 'nets.stepped' has no argument 'evry'"),
        ({"schedule": "nets.stepped", "schedule_every": "often"}, "expects a number (default: 10)"),
        ({"schedule": "plateau", "schedule_patince": 2}, "Did you mean 'schedule_patience'?"),
        ({"schedule": "nets.late"}, "schedule 'nets.late', epoch 2 (counted from 0): "),
        (
            {"schedule": "nets.negative"},
            "schedule 'nets.negative' returned 0.0 for epoch 2 (counted from 0); expected a number above 0.",
        ),
    ],
)
def test_a_schedule_that_fails_in_a_late_epoch_or_has_other_arguments_is_refused_before_training(study, instance, message):
    ended = one_fold(study, instance, code=SCHEDULES, num_epochs=4)

    assert ended.returncode != 0
    assert message in " ".join((ended.stdout + ended.stderr).split())
    assert study.trained() == []


# Who sets the learning rate

RATES = """

class Plateau(keras.callbacks.ReduceLROnPlateau):
    def __init__(self):
        super().__init__(monitor="loss", factor=0.5, patience=1, min_delta=100.0)


def scheduler():
    return keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)


class Halves(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs):
        self.model.optimizer.learning_rate = float(self.model.optimizer.learning_rate) / 2


def decaying(learning_rate):
    return keras.optimizers.Adam(keras.optimizers.schedules.ExponentialDecay(learning_rate, 10, 0.5))
"""


@pytest.mark.parametrize(
    ("instance", "message"),
    [
        ({"callbacks": "nets.Plateau", "schedule": "cosine"}, "callback 'nets.Plateau' is a ReduceLROnPlateau"),
        (
            {"callbacks": "nets.scheduler", "warmup_epochs": 1},
            "Set schedule=constant and warmup_epochs=0, or remove the callback",
        ),
        ({"callbacks": "nets.scheduler", "schedule": "plateau"}, "as does schedule=plateau. Set schedule=constant"),
        (
            {"optimizer": "nets.decaying", "schedule": "plateau"},
            "optimizer 'nets.decaying': its learning rate follows its own object",
        ),
        ({"optimizer": "nets.decaying", "warmup_epochs": 1}, "but warmup_epochs=1 sets another one. Set schedule=constant"),
    ],
)
def test_two_that_set_the_learning_rate_are_refused_before_training(study, instance, message):
    ended = one_fold(study, instance, code=RATES, num_epochs=3)

    assert ended.returncode != 0
    assert message in " ".join((ended.stdout + ended.stderr).split())
    assert study.trained() == []


@pytest.mark.parametrize(
    ("instance", "rates"),
    [
        ({"callbacks": "nets.Plateau"}, [1e-2, 1e-2, 5e-3, 2.5e-3]),
        ({"callbacks": "nets.scheduler"}, [5e-3, 2.5e-3, 1.25e-3, 6.25e-4]),
    ],
)
def test_a_callback_of_ones_own_that_sets_the_learning_rate_is_used_where_nothing_else_does(study, instance, rates):
    ended = one_fold(study, instance, code=RATES, num_epochs=4)

    assert ended.returncode == 0, ended.stderr
    assert study.history()["learning_rate"].tolist() == pytest.approx(rates, rel=1e-5)


@pytest.mark.long
def test_a_learning_rate_that_the_schedule_replaces_is_named(study):
    ended = one_fold(study, {"callbacks": "nets.Halves", "schedule": "cosine"}, code=RATES, num_epochs=3)

    assert ended.returncode == 0, ended.stderr
    named = "instance 1: fold 1 had its learning rate set to 0.005 by one of your callbacks after epoch 1, but schedule=cosine "
    assert (
        ended.stdout.count(f"{named}replaces it in every epoch. Set schedule=constant, or remove this from the callback.") == 1
    )
    assert ended.stdout.count("one of your callbacks") == 1


# Early stopping


@pytest.mark.long
def test_min_delta_and_start_from_epoch_stop_where_plain_keras_stops(study):
    given = {"patience": 2, "min_delta": 0.02, "start_from_epoch": 3, "num_epochs": 40, "learning_rate": 0.003}

    ended = one_fold(study, given)

    assert ended.returncode == 0, ended.stderr
    history = study.history()
    stopped, best = keras_stops(history["val_loss"], patience=2, min_delta=0.02, start_from_epoch=3)
    assert (len(history), study.record()["best_epoch"]) == (stopped, best)
    assert 3 < stopped < 40  # it did stop
    objects = "{'architecture': 'nets.build', 'num_epochs': 40, 'learning_rate': 0.003, 'callbacks': [EarlyStopping("
    objects += "patience=2, min_delta=0.02, start_from_epoch=3, restore_best_weights=True)]}"
    study.script(objects, head="from keras.callbacks import EarlyStopping")
    again = study.run("--folds", "1")
    assert again.returncode == 0, again.stderr  # the same settings: others would be refused


def keras_stops(values, **options):
    """Return after how many epochs Keras's own early stopping ends, and the number of the best one."""
    import keras

    stopping = keras.callbacks.EarlyStopping(restore_best_weights=True, mode="min", **options)
    stopping.set_model(SimpleNamespace(get_weights=list, stop_training=False))
    stopping.on_train_begin()
    for epoch, value in enumerate(values):
        stopping.on_epoch_end(epoch, {"val_loss": value})
        if stopping.model.stop_training:
            return epoch + 1, stopping.best_epoch + 1
    return len(values), stopping.best_epoch + 1


# Training that diverges

BREAKS = """

@keras.saving.register_keras_serializable("nets")
class Gate(layers.Layer):  # hides NaN, as relu does on TensorFlow
    def build(self, input_shape):
        self.weight = self.add_weight(shape=(), initializer="ones")

    def call(self, x):
        weight = keras.ops.convert_to_tensor(self.weight)
        return x * keras.ops.where(keras.ops.isnan(weight), 1.0, weight)


def gated(input_shape, output_shape):
    inputs = keras.Input(input_shape)
    return keras.Model(inputs, layers.Dense(output_shape[-1])(Gate()(layers.Flatten()(inputs))))


def explode(epoch, learning_rate):
    return learning_rate if epoch < 3 else 1e38


class Breaks(keras.callbacks.Callback):
    epoch, place = 4, -1

    def on_epoch_begin(self, epoch, logs=None):
        if epoch + 1 == self.epoch:
            weight = self.model.trainable_weights[self.place]
            weight.assign(weight * float("nan"))


class Hidden(Breaks):
    place = 0


class AtOnce(Breaks):
    epoch = 1


class AtTheEnd(keras.callbacks.Callback):
    def on_train_end(self, logs=None):
        weight = self.model.trainable_weights[0]
        weight.assign(weight * float("inf"))
"""


ENDS = """
import os

from xval import Observer


class Ends(Observer):
    def epoch(self, values):
        if str(values["epoch"]) == os.environ.get("END_AT"):
            os._exit(3)
"""


@pytest.mark.long
@pytest.mark.parametrize(
    ("backend", "callback", "reason"),
    [
        ("tensorflow", "Breaks", "loss is nan"),
        ("tensorflow", "Hidden", "weight 'gate/variable' is NaN or infinite"),
        ("torch", "Hidden", "weight 'gate/variable' is NaN or infinite"),
        ("jax", "Breaks", "loss is nan"),
    ],
)
def test_the_best_epoch_before_training_diverged_is_the_model_and_that_is_said(study, backend, callback, reason):
    study.backend = backend
    instance = {"architecture": "nets.gated", "callbacks": f"nets.{callback}"}

    ended = one_fold(study, instance, code=BREAKS, num_epochs=6, early_stopping=False)

    assert ended.returncode == 0, ended.stdout + ended.stderr
    record, history = study.record(), study.history()
    assert (record["status"], record["diverged"], record["epochs"]) == ("done", {"epoch": 4, "reason": reason}, 3)
    assert record["best_epoch"] == history["val_loss"].idxmin() + 1
    assert f"instance 1: fold 1 diverged in epoch 4: {reason}; the model of epoch {record['best_epoch']}" in ended.stdout
    read = "import keras, nets, numpy; model = keras.models.load_model({!r}, compile=False); "
    read += "assert all(numpy.isfinite(weight).all() for weight in model.get_weights())"
    assert study.python("-c", read.format(str(study.fold() / "model.keras"))).returncode == 0
    assert np.isfinite(study.predictions().filter(like="probability")).all(axis=None)


@pytest.mark.long
def test_a_training_that_goes_on_from_a_checkpoint_diverges_as_one_that_was_left_alone(study):
    study.file("ends.py", ENDS)
    instance = {"schedule": "nets.explode", "callbacks": "ends.Ends"}
    given = {"code": BREAKS, "num_epochs": 6, "early_stopping": False, "checkpoint_minutes": 1e-6}
    assert one_fold(study, instance, **given).returncode == 0
    alone, history, scores = study.record(), study.history(), study.score_table()
    study.results.rename(study.folder / "alone")

    assert study.run("--folds", "1", END_AT="3").returncode == 3
    ended = one_fold(study, instance, **given)

    assert "instance 1: fold 1 continues at epoch 3 of 6" in ended.stdout
    record = study.record()
    assert (record["went_on"]["after_epoch"], record["diverged"]["epoch"]) == (2, 4)
    for name in ("diverged", "best_epoch", "epochs"):
        assert record[name] == alone[name]
    pd.testing.assert_frame_equal(study.score_table(), scores)
    assert study.history().equals(history)


@pytest.mark.long
def test_without_the_best_weights_the_last_good_epoch_is_the_model_and_none_that_is_not_finite_is_saved(study):
    study.file("nets.py", NETS + BREAKS)
    of_all = {"architecture": "nets.gated"}
    study.script(
        of_all | {"callbacks": "nets.AtOnce"},
        of_all | {"callbacks": "nets.Hidden", "restore_best_weights": False},
        of_all | {"callbacks": "nets.AtTheEnd"},
        num_epochs=5,
    )

    ended = study.run("--folds", "1")

    assert ended.returncode != 0
    assert study.trained() == [study.fold(2) / "model.keras"]
    assert "after epoch 1. Lower learning_rate (0.01)" in study.record(1)["error"]
    last = study.record(2)
    assert (last["diverged"]["epoch"], last["best_epoch"], last["epochs"]) == (4, 3, 3)
    assert f"{study.scores(2, side='validation')['loss']:.5f}" == f"{study.history(2)['val_loss'].iloc[-1]:.5f}"
    assert "is NaN or infinite at the end of training" in study.record(3)["error"]


# Losses that layers add

ADDED = """

@keras.saving.register_keras_serializable("nets")
class Adds(layers.Layer):
    def call(self, x):
        self.penalise(x)
        return x

    def penalise(self, x):
        self.add_loss(1e-3 * keras.ops.sum(keras.ops.square(x)))  # depends on how many examples a batch has


def adding(input_shape, output_shape):
    inputs = keras.Input(input_shape)
    x = layers.Dense(8, activity_regularizer=keras.regularizers.L2(0.1), kernel_regularizer=keras.regularizers.L2(0.01))(
        layers.Flatten()(inputs)
    )
    x = Adds()(layers.ActivityRegularization(l1=0.05)(x))
    return keras.Model(inputs, layers.Dense(output_shape[-1])(x))
"""
EVALUATE = """
import keras, nets, numpy as np
x = np.concatenate([np.load("predictors.npz")[item] for item in {items}])
model = keras.models.load_model({model!r}, compile=False)
model.compile(loss="sparse_categorical_crossentropy")
print("plain Keras:", model.evaluate(x, np.arange(len(x)) % 3, batch_size=16, verbose=0))
"""


@pytest.mark.long
@pytest.mark.parametrize("backend", ["tensorflow", "torch", "jax"])
def test_the_validation_loss_has_what_layers_add_as_plain_keras_has_it(study, backend):
    study.backend = backend
    rng, labels = np.random.default_rng(0), np.arange(12) % 3
    predictors = {f"s{number}": rng.normal(size=(12, 12, 8)).astype("float32") for number in range(6)}
    np.savez(study.folder / "predictors.npz", **predictors)
    shutil.rmtree(study.folder / "data")
    write(
        "small",
        predictors,
        {item: ["abc"[label] for label in labels] for item in predictors},
        data_folder=study.folder / "data",
    )
    options = {"num_epochs": 1, "validation_fraction": 0.5}

    ended = one_fold(study, {"architecture": "nets.adding"}, code=ADDED, **options)

    assert ended.returncode == 0, ended.stderr
    record, epoch = study.record(), study.history().iloc[0]
    plain = study.python("-c", EVALUATE.format(model=str(study.fold() / "model.keras"), items=record["items"]["validation"]))
    assert plain.returncode == 0, plain.stderr
    assert epoch["val_loss"] == pytest.approx(float(plain.stdout.rpartition("plain Keras:")[2]), rel=1e-5)
    assert epoch["val_loss"] > 1.1 * study.scores(side="validation")["loss"]  # which is that of the predictions
    assert study.scores(side="training")["loss"] == pytest.approx(epoch["data_loss"], rel=1e-6)
    assert epoch["loss"] > 1.1 * epoch["data_loss"]


@pytest.mark.long
def test_a_trial_that_diverges_late_has_no_score_and_a_refit_follows_the_schedule(study):
    study.file("nets.py", NETS + BREAKS + SCHEDULES)
    given = {"architecture": "nets.build", "num_epochs": 5, "early_stopping": False}
    study.script(given | {"schedule": "nets.stepped", "schedule_every": 1}, head="from xval import choice")
    script = (study.folder / "exp.py").read_text()
    searched = f"experiment.search({{'schedule': choice(['nets.explode', 'constant'])}}, n_trials=4, **{given!r})\n"
    study.file("exp.py", script.replace("if __name__", f"{searched}if __name__"))

    ended = study.run()

    assert ended.returncode == 0, ended.stderr
    trials = study.record(2)["search"]["trials"]
    assert {(trial["values"]["schedule"], trial["state"], trial["score"] is None) for trial in trials} == {
        ("nets.explode", "diverged", True),
        ("constant", "complete", False),
    }
    assert "diverged" not in study.record(2)
    refit = study.xval("refit", f"{study.results}:1", "--epochs", "4")
    assert refit.returncode == 0, refit.stderr
    (history,) = study.results.rglob("refit/history.csv")
    assert pd.read_csv(history)["learning_rate"].tolist() == pytest.approx([1e-2, 5e-3, 2.5e-3, 1.25e-3], rel=1e-5)
