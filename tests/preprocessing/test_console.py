"""How commands end: without looking through all that they have loaded for garbage."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = {
    "preprocessing": "from preprocessing.console import carry_out; carry_out(lambda: 0); carry_out(lambda: 0)",
    "an experiment": "from xval import Experiment; experiment = Experiment('tones', architecture='mlp'); experiment[1] = {}; "
    "experiment.main(['--list'])",
}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_the_end_of_a_process_looks_for_no_garbage(command):
    # What is registered first is called last.
    at_end = "import atexit, gc; atexit.register(lambda: print(gc.get_freeze_count() > 0))"

    ended = subprocess.run(
        [sys.executable, "-c", f"{at_end}\n{command}"], cwd=ROOT, capture_output=True, text=True, timeout=300, check=True
    )

    assert ended.stdout.splitlines()[-1] == "True"
