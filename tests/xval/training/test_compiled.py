"""One compiled model for all folds of an instance: results as from a fresh process, and no reuse where that is not sure."""

import sys
from weakref import WeakKeyDictionary

import keras
import numpy as np
import pytest

from preprocessing import store
from xval.data.fold import load_fold
from xval.folds.plan import Fold
from xval.models.build import build_model
from xval.training.compiled import DATA_LOSS, WarmModel, compile_model, penalty
from xval.training.fit import train_model

FOLD = Fold(1, ("a", "c"), ("b",), ("d",))


@keras.saving.register_keras_serializable(package="test")
class OwnLayer(keras.layers.Layer):
    def call(self, inputs):
        return inputs


@pytest.mark.parametrize(
    ("backend", "instances"),
    [
        ("tensorflow", (1,)),
        ("torch", (1,)),
        pytest.param("tensorflow", (1, 2, 3, 4), marks=pytest.mark.slow),
        pytest.param("torch", (1, 2, 3), marks=pytest.mark.slow),
        pytest.param("jax", (1, 2), marks=pytest.mark.slow),
    ],
)
def test_a_fold_has_the_same_result_bit_for_bit_in_a_process_that_has_trained_another(backend, instances, run_jobs):
    warm = run_jobs(backend, *(f"{number}:{fold}" for number in instances for fold in (1, 2)))

    for number in instances:
        fresh = run_jobs(backend, f"{number}:2")
        found, wanted = warm[f"{number}:2"], fresh[f"{number}:2"]
        assert (found.pop("warm"), wanted.pop("warm")) == (True, False)
        assert found["status"] == "done", found["error"]
        assert found == wanted
        assert found["has_tensorflow"] == (backend == "tensorflow")
        assert warm[f"{number}:1"]["weights"] != found["weights"]
        assert found["moved"] == ([False, False, True] if number == 1 else [True] * len(found["moved"]))


def test_a_job_that_fails_leaves_no_model_behind(run_jobs):
    left = run_jobs("tensorflow", "5:1", "5:2", "1:1", "1:3")

    assert [(found["status"], found["warm"]) for found in left.values()] == [
        ("failed", False), ("failed", False), ("done", False), ("done", True),
    ]  # fmt: skip
    assert "loss is" in left["5:2"]["error"]


@pytest.fixture
def opened(tmp_path):
    rng = np.random.default_rng(0)
    predictors = {item: rng.normal(size=(4, 3, 4)).astype(np.float32) for item in "abcd"}
    return store.write("toy", predictors, {item: ["x", "y"] * 2 for item in "abcd"}, data_folder=tmp_path)


@pytest.fixture
def compiled(opened, make_settings, make_options, monkeypatch):
    """Return a function that gives what `WarmModel.take` takes: a compiled model, its settings, options and seed."""
    if keras.backend.backend() == "tensorflow":  # other tests have functions that draw
        import tensorflow as tf  # noqa: F401 - its modules

        graphs = sys.modules["tensorflow.python.framework.random_seed"]
        monkeypatch.setattr(graphs, "_graph_to_seed_dict", WeakKeyDictionary())

    def compiled(seed=0, own_layer=False, draw=lambda: None, **changes):
        keras.backend.clear_session()
        keras.utils.set_random_seed(seed)
        draw()
        chosen = {
            "architecture": "mlp", "n_units": (4,), "dropout": 0.5, "regularization_lambda": 0.01, "learning_rate": 0.01,
            "patience": 5, "num_epochs": 3, "batch_size": 2, **changes,
        }  # fmt: skip
        settings, options = make_settings(**chosen), make_options(**chosen)
        model = build_model(settings, options, opened, FOLD.training)
        if own_layer:
            model = keras.Model(model.input, OwnLayer()(model.output), name=model.name)
        return compile_model(model, settings, seed=seed), settings, options, seed

    return compiled


def test_the_kept_model_gets_the_values_of_the_new_one(opened, compiled):
    warm = WarmModel()
    first, settings, options, seed = compiled()
    assert not warm.is_likely_to_fit(settings, options)
    assert warm.take(first, settings, options, seed) is first
    assert warm.is_kept(first)
    data = load_fold(opened, FOLD, in_memory=True)
    train_model(first, data, settings, seed=0)
    assert int(first.fitted.optimizer.iterations) > 0

    second, settings, options, seed = compiled(seed=1, learning_rate=0.5, num_epochs=7)
    assert warm.is_likely_to_fit(settings, options)
    taken = warm.take(second, settings, options, seed)

    assert taken is first
    assert float(taken.fitted.optimizer.learning_rate) == 0.5
    assert int(taken.fitted.optimizer.iterations) == 0
    for kept, new in zip(taken.variables, second.variables, strict=True):
        assert np.array_equal(keras.ops.convert_to_numpy(kept.value), keras.ops.convert_to_numpy(new.value)), kept.path


@pytest.mark.parametrize(
    "changes",
    [{"n_units": [5]}, {"dropout": 0.2}, {"regularization_lambda": 0.1}, {"optimizer": "sgd"}, {"clip_norm": 1.0},
     {"augment_noise": 0.1}, {"precision": "mixed_bfloat16"}],
)  # fmt: skip
def test_a_model_that_is_compiled_otherwise_is_not_shared(compiled, changes):
    warm = WarmModel()
    warm.take(*compiled())
    other, *given = compiled(**changes)

    assert not warm.is_likely_to_fit(*given[:2])
    assert warm.take(other, *given) is other


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="of TensorFlow alone")
def test_a_model_whose_architecture_draws_by_a_seed_of_tensorflow_is_not_shared(compiled):
    import tensorflow as tf

    warm = WarmModel()
    warm.take(*compiled(draw=lambda: tf.random.normal(())))
    other, *given = compiled()

    assert not warm.is_likely_to_fit(*given[:2])
    assert warm.take(other, *given) is other


@pytest.mark.parametrize(
    "changes",
    [{"own_layer": True}, {"loss": "own_package.parts.loss"}, {"optimizer": "own_package.parts.optimizer"}],
)  # fmt: skip
def test_what_parts_of_the_users_own_may_keep_for_themselves_is_not_shared(compiled, own_package, changes):
    warm = WarmModel()
    warm.take(*compiled(**changes))
    other, *given = compiled(**changes)

    assert not warm.is_likely_to_fit(*given[:2])
    assert warm.take(other, *given) is other


def test_the_loss_without_penalty_is_followed_where_there_is_one(opened, compiled):
    data = load_fold(opened, FOLD, in_memory=True)
    model, settings, *_ = compiled(learning_rate=1e-9)
    rows = train_model(model, data, settings, seed=0).epochs
    without, settings, *_ = compiled(regularization_lambda=0.0)
    plain = train_model(without, data, settings, seed=0).epochs

    assert rows[0]["loss"] - rows[0][DATA_LOSS] == pytest.approx(penalty(model.fitted), rel=1e-4)
    assert penalty(model.fitted) > 0
    assert DATA_LOSS not in plain[0]
    assert penalty(without.fitted) == 0
