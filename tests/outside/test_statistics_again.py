"""The statistics that are printed follow from the formulas of the docs: another program computes them from the predictions."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]


def test_another_program_finds_the_same_statistics(study):
    study.train({"architecture": "svm"}, {"architecture": "knn", "n_neighbors": (1,)}, num_folds=3, fold_repeats=2)
    command = [sys.executable, str(ROOT / "benchmarks" / "statistics_again.py"), str(study.results)]

    ended = subprocess.run(command, cwd=study.folder, capture_output=True, text=True)

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stdout.count("less 1") == 2
    assert "nested balanced_accuracy" in ended.stdout
