"""A network of the user's own is built twice, once in a process, and trains as if it had not been."""

import sys
from functools import partial
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from preprocessing import store
from xval.folds.plan import Fold
from xval.jobs.job import Job
from xval.jobs.observers import Observers
from xval.settings.resolve import Declaration, resolve
from xval.training import built_twice
from xval.training.setup import set_up_fold

NETWORK = """
import keras

reshaping_type = "none"
task_types = ("classification",)
built = []

def build(input_shape, output_shape):
    built.append(input_shape)
    hidden = keras.layers.Dropout(0.3)(keras.layers.Dense(4)(inputs := keras.Input(input_shape)))
    return keras.Model(inputs, keras.layers.Dense(output_shape[-1])(hidden))
"""


def prepare(*, seed, **_):
    """Do what a job does before its model is built, without what the backend allows once in a process."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)


@pytest.fixture
def job(tmp_path, monkeypatch):
    monkeypatch.setattr("xval.jobs.prepare_backend_for_job.prepare_backend", prepare)
    (tmp_path / "net_built_twice.py").write_text(NETWORK)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(built_twice, "_known", {})
    values = {item: np.random.default_rng(ord(item)).normal(size=(3, 5)).astype(np.float32) for item in "abcd"}
    written = store.write("small", values, {item: ["x", "y", "x"] for item in values}, data_folder=tmp_path / "data")
    own = {"architecture": "net_built_twice.build", "dataset": "small", "data_folder": str(tmp_path / "data")}
    (instance,) = resolve(Declaration("exp.py", "exp.py", "a test", own, {1: {}}))
    fold = Fold(1, ("a", "b"), ("c",), ("d",))
    yield Job(str(tmp_path / "r"), "code", str(written.folder), 1, fold, instance.settings, instance.options, "h", "f", seed=5)
    sys.modules.pop("net_built_twice", None)


def start(job, folder):
    """Return the first weights of a job, draws of its dropout, and what its record says of weights from elsewhere."""
    folder.mkdir()
    with set_up_fold(job, folder, Observers(())) as setup:
        weights = [np.array(keras.ops.convert_to_numpy(weight)) for weight in setup.compiled.whole.weights]
        dropped = np.array(keras.ops.convert_to_numpy(setup.compiled.whole(np.ones((2, 5), np.float32), training=True)))
        return [*weights, dropped], setup.facts


def test_the_second_build_leaves_no_trace_and_is_done_once(job, tmp_path):
    first, facts = start(job, tmp_path / "one")
    n_built = len(sys.modules["net_built_twice"].built)
    second, _ = start(job, tmp_path / "two")  # in a process that knows the answer

    assert facts == {"outside_weights": []}
    assert (n_built, len(sys.modules["net_built_twice"].built)) == (3, 4)
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_comes_with_xval_is_not_built_for_it(job):
    build = partial(pytest.fail, "built")
    shipped = SimpleNamespace(settings=job.settings.model_copy(update={"architecture": "mlp"}))
    assert built_twice.weights_from_elsewhere(shipped, build) == {}
