"""Callbacks of the user's own in the training of a fold."""

import numpy as np
import pytest

from preprocessing import store
from xval.base.errors import JobError, SettingsError
from xval.data.fold import load_fold
from xval.folds.plan import Fold
from xval.jobs.observers import Observers
from xval.models.build import build_model
from xval.training.compiled import compile_model
from xval.training.fit import train_model
from xval.training.own_callbacks import own_parts

FOLD = Fold(1, ("a", "b"), ("c",), ("d",))
CALLBACKS = """
import keras

SEEN = []

class Follow(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        SEEN.append(("batch", batch))

    def on_epoch_end(self, epoch, logs=None):
        SEEN.append((epoch, sorted(logs)))
        self.model.stop_training = epoch == 1

def zero_weights():
    def change(logs):
        follow.model.set_weights([0 * weight for weight in follow.model.get_weights()])
    follow = keras.callbacks.LambdaCallback(on_train_end=change)
    return follow

class Wrong(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        divide(epoch)

def divide(epoch):
    return 1 / epoch

class Narrow(keras.callbacks.Callback):
    def on_train_begin(self):
        pass

def none():
    return None

def of_one(argument):
    return None
"""


@pytest.fixture
def run(tmp_path, own_package, make_settings, make_options):
    """Return a function that trains a fold with callbacks of the user's own."""
    (own_package / "follow.py").write_text(CALLBACKS)
    rng = np.random.default_rng(0)
    predictors = {item: rng.normal(size=(8, 3, 2)).astype(np.float32) for item in "abcd"}
    opened = store.write("small", predictors, dict.fromkeys("abcd", ["x", "y"] * 4), data_folder=tmp_path)

    def run(*names):
        given = {"architecture": "mlp", "n_units": (), "batch_size": 4, "num_epochs": 5}
        given["callbacks"] = [f"own_package.follow.{name}" for name in names]
        settings = make_settings(**given)
        compiled = compile_model(build_model(settings, make_options(**given), opened, ("a", "b")), settings, seed=1)
        data = load_fold(opened, FOLD, in_memory=True)
        return compiled.whole, train_model(compiled, data, settings, seed=1, observers=Observers((), *own_parts(settings)))

    return run


def test_callbacks_see_every_batch_and_the_figures_of_every_epoch_and_may_stop_training(run):
    from own_package.follow import SEEN

    _, history = run("Follow")

    assert len(history.epochs) == 2
    assert [seen for seen in SEEN if seen[0] == "batch"] == [("batch", number) for number in range(4)] * 2
    assert {"val_loss", "val_accuracy", "learning_rate"} <= set(dict(SEEN[-1:])[1])


def test_predictions_from_before_a_callback_changed_the_weights_are_not_kept(run):
    model, history = run("zero_weights")

    assert history.predictions is None
    assert not any(values.any() for values in model.get_weights()[-2:])


def test_an_error_in_a_callback_is_named_with_its_file_and_line(run):
    line = CALLBACKS.splitlines().index("    return 1 / epoch") + 1

    with pytest.raises(
        JobError, match=rf"callback 'own_package.follow.Wrong', .*follow\.py, line {line}: ZeroDivisionError: div"
    ):
        run("Wrong")


def test_a_callback_that_cannot_be_called_as_keras_does_is_named(run):
    with pytest.raises(JobError, match=r"callback 'own_package.follow.Narrow': TypeError: .*on_train_begin\(\) takes 1 pos"):
        run("Narrow")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            ["own_package.follow.none"],
            r"callback 'own_package.follow.none' returned NoneType; expected a keras.callbacks.Callback, or an observer",
        ),
        (["own_package.follow.of_one"], r"received of_one\(argument\).*expected callback\(\)"),
        (["own_package.follow.Folow"], r"has no 'Folow'\..* Did you mean 'Follow'\?"),
        (["EarlyStopping"], r"callbacks: 'EarlyStopping' is not a dotted path"),
    ],
)
def test_what_is_no_callback_is_refused_before_any_training(names, message, own_package, make_settings):
    (own_package / "follow.py").write_text(CALLBACKS)
    with pytest.raises(SettingsError, match=message):
        own_parts(make_settings(callbacks=names))


def test_callbacks_are_copied_with_the_code_and_belong_to_the_hash(own_package, make_settings):
    (own_package / "follow.py").write_text(CALLBACKS)
    assert make_settings(callbacks="own_package.follow.Follow").own_modules() == {"own_package.follow"}
