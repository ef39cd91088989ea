"""An error of a backend that found too little memory is known as one, also where Keras has passed it on."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from xval.jobs.claim import is_out_of_memory

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
