"""Validation between the epochs: what is kept of the best one belongs to the weights that the model ends with."""

import keras
import numpy as np
import pytest

from preprocessing import store
from xval.data.fold import load_fold
from xval.folds.plan import Fold
from xval.jobs.job import Refit
from xval.jobs.observers import Observer, Observers
from xval.models.build import build_model
from xval.models.losses import data_loss
from xval.models.predict import predict
from xval.settings.resolve import Declaration, resolve
from xval.training.compiled import compile_model, penalty
from xval.training.fit import train_model, training_batches

FOLD = Fold(1, ("a", "b", "c"), ("d",), ("e",))
GIVEN = {"dataset": "toy", "architecture": "cnn_small", "n_filters": (4,), "batch_size": 8, "regularization_lambda": 0.01}


@pytest.fixture
def train(tmp_path):
    rng = np.random.default_rng(0)
    predictors = {item: rng.normal(size=(7, 12, 8)).astype(np.float32) for item in "abcde"}
    written = store.write("toy", predictors, {item: list("xyzxyzx") for item in predictors}, data_folder=tmp_path)

    def train(refit=None, observers=None, **given):
        (instance,) = resolve(Declaration("exp.py", "exp.py", "a test", GIVEN | given, {1: {}}))
        settings = instance.settings
        keras.backend.clear_session()
        keras.utils.set_random_seed(3)
        data = load_fold(written, FOLD, in_memory=True)
        compiled = compile_model(build_model(settings, instance.options, written, FOLD.training), settings, seed=3)
        history = train_model(compiled, data, settings, seed=3, refit=refit, observers=observers)
        return compiled, data, settings, history

    return train


@pytest.mark.parametrize(
    ("monitor", "changes"),
    [("val_loss", {}), ("accuracy", {"weight_average": 0.5}), ("val_macro_f1", {}), ("val_loss", {"weight_average": 0.9})],
)
def test_the_kept_predictions_are_those_of_the_weights_of_the_best_epoch(train, monitor, changes):
    compiled, data, settings, history = train(monitor=monitor, num_epochs=6, patience=1, learning_rate=0.1, **changes)
    best, examples = history.epochs[history.best_epoch - 1], data.sides["validation"]

    assert history.best_epoch < len(history.epochs)  # weights were restored
    assert np.array_equal(history.predictions, predict(compiled.whole, examples, 8))
    loss = data_loss(examples.targets, history.predictions, settings, data) + penalty(compiled.fitted)
    assert best["val_loss"] == pytest.approx(loss, rel=1e-6)
    values = [(-1 if monitor.endswith("loss") else 1) * row[monitor] for row in history.epochs]
    assert np.argmax(values) == history.best_epoch - 1


@pytest.mark.parametrize("average", [{}, {"weight_average": 0.5}])
def test_the_last_weights_and_their_predictions_are_kept_where_the_best_are_not(train, average):
    given = {"num_epochs": 6, "patience": 3, "learning_rate": 0.1, "restore_best_weights": False} | average
    compiled, data, settings, history = train(**given)
    examples = data.sides["validation"]

    losses = [row["val_loss"] for row in history.epochs]
    assert history.best_epoch == len(losses) == np.argmin(losses) + 1 + 3  # stopped, and not restored
    assert np.array_equal(history.predictions, predict(compiled.whole, examples, 8))
    loss = data_loss(examples.targets, history.predictions, settings, data) + penalty(compiled.fitted)
    assert losses[-1] == pytest.approx(loss, rel=1e-6)


def test_a_schedule_by_batch_warms_up_from_zero_and_ends_at_its_end(train):
    given = {"num_epochs": 4, "warmup_epochs": 1, "learning_rate": 0.01, "schedule": "cosine", "schedule_unit": "batch"}
    compiled, _, _, history = train(**given, optimizer="adamw")

    rates = [row["learning_rate"] for row in history.epochs]
    assert rates == pytest.approx([0.01, 0.0075, 0.0025, 0.0], abs=1e-8)
    assert compiled.fitted.optimizer.iterations == 4 * 3


def test_a_refit_keeps_the_last_weights_and_validates_nothing(train):
    _, _, _, history = train(Refit(3, (0.1, 0.05, 0.01)), num_epochs=6, schedule="plateau")

    assert (history.best_epoch, history.predictions) == (3, None)
    assert [row["learning_rate"] for row in history.epochs] == pytest.approx([0.1, 0.05, 0.01])
    assert not [name for name in history.epochs[0] if name.startswith("val_")]


def test_averaged_weights_are_the_moving_average_of_those_that_training_goes_on_with(train):
    wanted = None
    for n_epochs in (1, 2, 3):  # of a step each
        plain, *_ = train(Refit(n_epochs, (0.1,) * 3), batch_size=64)
        weights = [variable.numpy() for variable in plain.whole.trainable_variables]
        wanted = [0.75 * one + 0.25 * other for one, other in zip(wanted, weights, strict=True)] if wanted else weights

    averaged, *_ = train(Refit(3, (0.1,) * 3), batch_size=64, weight_average=0.75)

    for variable, value in zip(averaged.whole.trainable_variables, wanted, strict=True):
        np.testing.assert_allclose(variable.numpy(), value, rtol=1e-5, atol=1e-6)


def test_smoothed_labels_train_and_plain_ones_validate(train):
    compiled, data, settings, history = train(num_epochs=1, learning_rate=1e-9, label_smoothing=0.3, dropout=0.0)

    _, targets = training_batches(compiled, data, settings, seed=3)[0]
    assert np.unique(targets) == pytest.approx([0.1, 0.8])
    assert targets.sum(axis=1) == pytest.approx(1)
    plain, _, _, without = train(num_epochs=1, learning_rate=1e-9, dropout=0.0)
    assert history.epochs[0]["val_loss"] == pytest.approx(without.epochs[0]["val_loss"], rel=1e-4)
    assert (compiled.loss, plain.loss) == ("categorical_crossentropy", "sparse_categorical_crossentropy")


def test_every_epoch_has_the_main_metric_and_those_of_the_user_which_only_stop_a_fold_that_they_monitor(train, monkeypatch):
    def fail(self, targets, predictions):
        raise ZeroDivisionError("no class has been found")

    _, _, _, history = train(num_epochs=1, metrics="cosine_similarity")
    assert {"val_accuracy", "val_balanced_accuracy", "val_cosine_similarity"} <= history.epochs[0].keys()

    monkeypatch.setattr("xval.settings.further_metrics._KerasFunction.__call__", fail)
    _, _, _, history = train(num_epochs=1, metrics="cosine_similarity")
    assert np.isnan(history.epochs[0]["val_cosine_similarity"])
    with pytest.raises(ZeroDivisionError):
        train(num_epochs=1, metrics="cosine_similarity", monitor="val_cosine_similarity")


def test_the_losses_of_batches_make_up_those_of_the_epochs(train):
    written = []
    given = {"num_epochs": 2, "tensorboard": True, "tensorboard_batches": True}
    observer = Observer()
    observer.batches = lambda first, losses: written.append((first, losses))
    _, data, _, history = train(observers=Observers([observer]), **given)

    assert len(data.training) == 21
    assert [(first, len(losses)) for first, losses in written] == [(1, 3), (4, 3)]
    for (_, losses), epoch in zip(written, history.epochs, strict=True):
        assert np.average(losses, weights=[8, 8, 5]) == pytest.approx(epoch["loss"], rel=1e-5)
        assert len(set(losses)) == 3
