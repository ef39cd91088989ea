"""What of the recording of CUDA graphs a CPU can show: numbers of the host become the tensors that torch makes of them."""

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
