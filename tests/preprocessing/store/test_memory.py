"""Memory does not grow with the corpus."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.slow
def test_twenty_thousand_clips_stay_under_a_gigabyte() -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "feature_store.py"), "20000", "1"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    peaks = [int(found) for found in re.findall(r"(\d+) MB", said)]
    assert len(peaks) == 2
    assert max(peaks) < 1000, said
