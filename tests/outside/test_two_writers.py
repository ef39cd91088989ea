"""Two commands that write to one place at once: one writes, the other says why it does not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
AT_ONCE = """
import os, runpy, sys
is_child = not os.fork()
try:
    runpy.run_module("xval", run_name="__main__", alter_sys=True)
except SystemExit as ended:
    if is_child:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(ended.code)
    codes = ended.code, os.waitstatus_to_exitcode(os.wait()[1])
    print("CODES", *sorted(codes))
"""


@pytest.mark.long
def test_two_exports_to_one_file(study):
    study.train({"architecture": "mlp"}, num_epochs=1)

    ended = study.python("-c", AT_ONCE, "export", study.fold(), "--format", "weights_h5", "--output", "n.weights.h5")

    assert "CODES 0 2" in ended.stdout, ended.stderr
    assert "n.weights.h5: another process" in ended.stderr
    assert "Choose another path with --output." in ended.stderr
    assert sorted(path.name for path in study.folder.glob("*n.weights*")) == ["n.weights.h5", "n.weights.h5.json"]


@pytest.mark.slow
def test_two_evaluations_to_one_folder(study):
    study.train({"architecture": "mlp"}, num_epochs=1)
    command = [sys.executable, "-m", "xval", "evaluate", str(study.fold()), "small", "--output", "seen"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    both = [subprocess.Popen(command, cwd=study.folder, env=environment, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    errors = "".join(process.communicate()[1] for process in both)

    assert sorted(process.returncode for process in both) == [0, 2], errors
    assert "seen: another process" in errors
    assert (study.folder / "seen" / "metrics.json").is_file()
