"""What of the recording of CUDA graphs a CPU can show: numbers of the host, and random ones, are those that torch makes."""

from importlib.util import find_spec
from pathlib import Path

import pytest

PROBE = """
import numpy as np
import torch
from xval.backend.torch_graphs import _Constants

known = _Constants()
tensor = torch.ones(2)
for number in (True, 3, 2.5):
    for dtype in (torch.float32, torch.int32):
        with known:
            found = torch.as_tensor(number, dtype=dtype, device="cpu")
        assert torch.equal(found, torch.as_tensor(number, dtype=dtype)) and found.dtype == dtype and found.shape == ()
for values in ((3, 4), [3, 4], np.array([[0.5, 1.5]], np.float32)):
    for dtype in (torch.float32, torch.float64):
        with known:
            torch.as_tensor(values, dtype=dtype, device="cpu").add_(1)
            found = torch.as_tensor(values, dtype=dtype, device="cpu")
        assert torch.equal(found, torch.as_tensor(values, dtype=dtype)) and found.dtype == dtype
with known:
    assert torch.as_tensor(tensor) is tensor
print("done")
"""


@pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")
def test_numbers_of_the_host_become_the_same_tensors_whatever_is_done_with_the_first(tmp_path, run_on):
    (tmp_path / "probe.py").write_text(PROBE)
    assert run_on("torch", tmp_path / "probe.py", path=[Path(__file__).parents[3]]) == "done\n"


DRAWS = """
import keras
import numpy as np
import torch
from xval.backend.torch_draws import Draws

def step(seeds):
    a = keras.random.uniform((2, 3), seed=seeds[0])
    b = keras.random.normal((4,), seed=seeds[1]) + keras.random.truncated_normal((4,), seed=seeds[0])
    c = keras.random.dropout(torch.ones(5), 0.5, seed=seeds[1])
    d = keras.random.randint((6,), 0, 9, seed=7)
    a.add_(0)
    return [each.numpy().copy() for each in (a, b, c, d)]

def seeds():
    return [keras.random.SeedGenerator(2**31 - 2), keras.random.SeedGenerator(3)]

plain, recorded = seeds(), seeds()
draws, states = Draws(torch.device("cpu")), {}
with draws.known():
    step(recorded)
for seed, value in zip(recorded, seeds()):
    seed.state.assign(value.state)
for _ in range(3):
    wanted = step(plain)
    draws.fill(states)
    with draws.known():
        found = step(recorded)
    for one, other in zip(found, wanted):
        np.testing.assert_array_equal(one, other)
for act in (lambda: keras.random.uniform((2,)), lambda: keras.random.categorical(torch.zeros(1, 3), 2, seed=seeds()[0])):
    try:
        with Draws(torch.device("cpu")).known():
            act()
    except RuntimeError as error:
        print(error)
"""


@pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")
def test_numbers_drawn_before_a_step_are_those_that_it_would_draw(tmp_path, run_on):
    (tmp_path / "probe.py").write_text(DRAWS)
    assert run_on("torch", tmp_path / "probe.py", path=[Path(__file__).parents[3]]) == (
        "a layer draws without its own seed\nmultinomial draws from values computed in the step\n"
    )
