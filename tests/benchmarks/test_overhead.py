"""benchmarks/overhead.py in its quick size: real workers, a real run, a finished experiment; its reader judges the figures."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_all_figures_are_printed():
    command = [sys.executable, str(ROOT / "benchmarks" / "overhead.py"), "--quick"]

    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900, check=True).stdout

    scores = {
        found[1].strip(): float(found[2].replace(",", "")) for found in re.finditer(r"(?m)^(.{72}) +([\d,.]+) ms", printed)
    }
    for name in (
        "a job of no work in a warm worker",
        "plan of 60 jobs",
        "finished experiment of 60 jobs found done",
        "publish",
    ):
        assert scores[name] > 0
    assert scores["a job of no work in a warm worker"] < scores["fit"]
    starts = re.findall(r"(?m)^(\S.*), against python -c pass +([\d,.]+) times$", printed)
    assert [name for name, _ in starts] == ["--help", "--list", "--dry-run", "nothing to do"]
    assert min(float(times) for _, times in starts) > 1
    assert re.fullmatch(r"ratio +\d+\.\d+", printed.splitlines()[-1])
