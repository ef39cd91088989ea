"""How a claimed fold ends; an error of a backend that found too little memory is known as one, also passed on by Keras."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from xval.base.json_files import write_json
from xval.folds.plan import Fold
from xval.jobs.claim import ClaimedFold, is_out_of_memory
from xval.jobs.job import Job, Trial
from xval.results.folder import ExperimentFolder

PROBE = """
import keras
import numpy as np
from xval.jobs.claim import is_out_of_memory

def too_large():
    if keras.backend.backend() == "torch":
        import torch
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
    if keras.backend.backend() == "jax":
        import jax
        raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 2147483648 bytes.")
    import tensorflow as tf
    raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor with shape[2147483648]")

class Own(keras.layers.Layer):
    def __init__(self, act):
        super().__init__()
        self.act = act

    def call(self, inputs):
        return self.act(inputs) if self.is_ready else inputs

def refuse(inputs):
    raise ValueError("a fault")

for act in (lambda inputs: too_large(), refuse):
    layer = Own(act)
    layer.is_ready = False
    model = keras.Sequential([keras.Input((2,)), layer, keras.layers.Dense(1)])
    model.compile(loss="mse")
    layer.is_ready = True
    try:
        model.fit(np.ones((2, 2)), np.ones((2, 1)), verbose=0)
    except Exception as error:
        print(is_out_of_memory(error))
"""


@pytest.mark.parametrize("backend", ["tensorflow", "torch", "jax"])
def test_the_error_of_a_layer_that_finds_too_little_memory_is_known(backend, tmp_path, run_on):
    if find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    (tmp_path / "probe.py").write_text(PROBE)
    assert run_on(backend, tmp_path / "probe.py", path=[Path(__file__).parents[3]]) == "True\nFalse\n"


def test_what_another_error_was_raised_from_counts():
    error = ValueError("a step failed")
    assert not is_out_of_memory(error)
    error.__cause__ = RuntimeError("CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate(handle)")
    assert is_out_of_memory(error)
    assert is_out_of_memory(MemoryError())


@pytest.mark.parametrize(("trial", "scores"), [(None, {"accuracy": 0.5}), (Trial(3, {}), {"val_loss": 0.25})])
def test_a_job_that_another_process_has_finished_meanwhile_has_the_figures_of_its_record(
    tmp_path, make_settings, trial, scores
):
    fold = Fold(1, ("a",), ("b",), () if trial else ("c",))
    job = Job(str(tmp_path), "", "", 1, fold, make_settings(), {}, "settings", "folds", 1, trial=trial)
    record = {"status": "done", "settings_hash": "settings", "folds_hash": "folds"}
    record["metrics"] = {"validation" if trial else "test": scores}
    place = ExperimentFolder(tmp_path).fold_folder(*job.key)
    place.mkdir(parents=True)
    write_json(place / "record.json", record)

    with ClaimedFold(job, device="cpu") as claimed:
        assert (claimed.outcome.status, claimed.outcome.test_metrics) == ("done", scores)
