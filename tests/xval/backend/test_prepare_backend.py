"""Precision and repeatable operations of TensorFlow are as the settings say; in a process of its own, which they change."""

from importlib.util import find_spec
from pathlib import Path

import pytest

PROBE = """
import tensorflow as tf
from tensorflow.python.framework import config
from xval.backend.prepare_backend import prepare_backend

given = {"seed": 1, "threads": 1}
for precision, deterministic in (("tensorfloat32", False), ("float32", True)):
    prepare_backend(precision=precision, deterministic=deterministic, **given)
    print(tf.config.experimental.tensor_float_32_execution_enabled(), config.is_op_determinism_enabled())
"""


@pytest.mark.skipif(find_spec("tensorflow") is None, reason="TensorFlow is not installed")
def test_float32_is_multiplied_as_such_and_operations_are_repeatable(tmp_path, run_on):
    (tmp_path / "probe.py").write_text(PROBE)
    assert run_on("tensorflow", tmp_path / "probe.py", path=[Path(__file__).parents[3]]) == "True False\nFalse True\n"
