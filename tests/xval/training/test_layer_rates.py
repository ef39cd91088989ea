"""Learning rates by block, and frozen blocks that are trained one after the other."""

import itertools

import keras
import numpy as np
import pytest

from preprocessing import store
from xval.base.errors import SettingsError
from xval.base.json_files import write_json
from xval.data.fold import load_fold
from xval.folds.plan import Fold
from xval.jobs.observers import Observer, Observers
from xval.models.build import build_model
from xval.models.saved.initial import find_initial_model
from xval.models.transfer import start_from
from xval.training.compiled import compile_model
from xval.training.fit import train_model
from xval.training.layer_rates import layer_shares, prepare_layer_rates

FOLD = Fold(1, ("a", "b"), ("c",), ("d",))
GIVEN = {"architecture": "cnn_small", "n_filters": [3, 4], "dropout": 0.0, "batch_size": 8, "early_stopping": False}


class OwnWay(keras.optimizers.SGD):
    def apply(self, grads, trainable_variables=None):
        super().apply(grads, trainable_variables)


@pytest.fixture
def opened(tmp_path):
    rng = np.random.default_rng(0)
    predictors = {item: rng.normal(size=(8, 12, 8)).astype(np.float32) for item in "abcd"}
    return store.write("small", predictors, dict.fromkeys("abcd", ["x", "y"] * 4), data_folder=tmp_path)


@pytest.fixture
def prepare(opened, tmp_path, make_settings, make_options):
    """Return a function that gives the settings of an instance and its compiled model, which starts from another one."""

    def prepare(**changes):
        path = tmp_path / "initial.keras"
        given = GIVEN | changes
        settings, options = make_settings(**given), make_options(**given)
        if settings.initial_model:
            build_model(settings, options, opened, ("a", "b")).save(path)
            write_json(path.with_suffix(".json"), {"architecture": "cnn_small"})
        model = build_model(settings, options, opened, ("a", "b"))
        if settings.initial_model:
            start_from(model, find_initial_model(settings, FOLD, opened.folder.parents[1]), settings, opened)
        return settings, compile_model(model, settings, seed=1)

    return prepare


def shares(settings, compiled, epoch=0):
    """Return the share of each trainable variable by the kind of its layer and name."""
    found = layer_shares(compiled.whole, compiled.fitted, settings, epoch)
    return [
        (variable.name, round(float(share), 6))
        for variable, share in zip(compiled.fitted.trainable_variables, found, strict=True)
    ]


def test_each_block_learns_at_a_share_of_the_rate_of_the_block_behind_it(prepare):
    settings, compiled = prepare(layer_learning_rate_decay=0.1, num_epochs=1, optimizer="sgd", learning_rate=0.01)
    wanted = [("kernel", 0.01), ("gamma", 0.01), ("beta", 0.01), ("kernel", 0.1), ("gamma", 0.1), ("beta", 0.1)]
    assert shares(settings, compiled) == [*wanted, ("kernel", 1.0), ("bias", 1.0)]
    assert np.allclose(compiled.fitted.optimizer.shares, [share for _, share in shares(settings, compiled)])


def test_frozen_blocks_are_trained_one_after_the_other_and_their_batch_normalisation_never(opened, tmp_path, prepare):
    path = str(tmp_path / "initial.keras")
    settings, compiled = prepare(initial_model=path, frozen_layers=2, unfreeze_every=1, num_epochs=4, weight_decay=0.1)
    assert [shares(settings, compiled, epoch) for epoch in range(3)] == [
        [("kernel", first), ("kernel", second), ("kernel", 1.0), ("bias", 1.0)]
        for first, second in ((0.0, 0.0), (0.0, 1.0), (1.0, 1.0))
    ]
    before, seen = compiled.whole.get_weights(), []
    data = load_fold(opened, FOLD, in_memory=True)
    observer = Observer()
    observer.epoch = lambda _: seen.append([np.array(each) for each in compiled.fitted.trainable_variables])
    history = train_model(
        compiled,
        data,
        settings,
        seed=1,
        observers=Observers([observer]),
    )

    changed = [[not np.array_equal(*pair) for pair in zip(one, other, strict=True)] for one, other in itertools.pairwise(seen)]
    assert changed == [[False, True, True, True], [True] * 4, [True] * 4]
    assert len(history.epochs) == 4
    normalisers = [
        (old, new)
        for variable, old, new in zip(compiled.whole.weights, before, compiled.whole.get_weights(), strict=True)
        if "batch_normalization" in variable.path
    ]
    assert len(normalisers) == 8
    assert all(np.array_equal(*pair) for pair in normalisers)


def test_an_optimizer_that_applies_gradients_in_its_own_way_is_refused(make_settings):
    with pytest.raises(
        SettingsError, match=r"layer_learning_rate_decay: optimizer .* has its own apply\(\).* Remove layer_learning_rate"
    ):
        prepare_layer_rates(OwnWay(0.1), make_settings(layer_learning_rate_decay=0.5))
