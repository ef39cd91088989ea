"""benchmarks/whole_job.py in its quick size: both sides from wav files to their tables, on the same folds."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_both_sides_train_the_same_folds_and_their_seconds_add_up(tmp_path):
    table = tmp_path / "whole_job.csv"
    command = [sys.executable, str(ROOT / "benchmarks" / "whole_job.py"), "--quick", "--csv", str(table)]

    printed = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=900, check=True).stdout

    found = pd.read_csv(table).pivot_table(index="figure", columns="side", values="value")
    assert (found.loc["trained epochs"] == 4).all()
    for side in ("project", "script"):
        seconds = found[side].dropna().filter(regex=r"\(s\)$")
        parts = seconds.drop([name for name in seconds.index if name.startswith(("whole", "processor", "fold ", "floor"))])
        assert len(parts) > 4
        assert parts.sum() == pytest.approx(seconds["whole (s)"], rel=1e-3)
    assert 0 < found.loc["floor (s)", "project"] < found.loc["whole (s)", "project"]
    assert "model check" in printed
    assert printed.splitlines()[-1].startswith("ratio of the wall time per trained epoch")
