"""Networks that know where clips end: what stands behind a clip, and how much of it, changes no answer, on every backend."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from xval.settings.architectures import architecture_names, find_architecture

PROBE = Path(__file__).with_name("masked_probe.py")
MASKED = [name for name in architecture_names() if find_architecture(name).defaults.get("padding") == "masked"]


@pytest.mark.parametrize("backend", ["tensorflow", "torch", pytest.param("jax", marks=pytest.mark.slow)])
def test_padding_changes_no_answer(backend: str, run_on) -> None:
    if find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    names = [name for name in MASKED if find_architecture(name).features is None]
    assert {"lstm_attention", "crnn_attention", "conformer"} <= set(names)
    assert run_on(backend, PROBE, *names, path=[PROBE.parents[2]]).split() == names
