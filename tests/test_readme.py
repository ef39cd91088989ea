"""The README's commands about saved models, as printed, after one epoch of the demo."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

ROOT = Path(__file__).resolve().parents[1]
SECTION = (ROOT / "README.md").read_text().split("## A saved model at work")[1].split("\n## ")[0]


def run(folder, *command):
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600)
    assert ended.returncode == 0, f"{command}\n{ended.stdout}\n{ended.stderr}"
    return ended.stdout


@pytest.mark.slow
def test_every_command_about_saved_models_works_as_printed(tmp_path):
    commands = [line.split("  ")[0] for line in re.findall(r"^    (python .*)$", SECTION, re.MULTILINE)]
    commands += re.findall(r"`(python [^`]*)`", SECTION)
    assert len(commands) > 10
    run(tmp_path, sys.executable, "-m", "preprocessing", "demo")
    run(tmp_path, sys.executable, str(ROOT / "experiments" / "demo.py"), "1", "2", "--set", "num_epochs=1")
    soundfile.write(tmp_path / "LONG.wav", np.random.default_rng(0).normal(0, 0.1, 10 * 8000), 8000)

    for command in commands:
        assert run(tmp_path, sys.executable, *shlex.split(command)[1:]), command

    (block,) = re.findall(r"```python\n(.*?)```", SECTION, re.DOTALL)
    printed = run(tmp_path, sys.executable, "-c", block)
    assert "heed" in printed
    assert "mean" in printed
