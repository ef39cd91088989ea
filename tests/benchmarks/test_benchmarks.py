"""Every benchmark runs to its ratio at its quick size; what it measured is not judged here."""

import math
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "benchmarks"
# They start several processes with a backend each, or train for a while.
LONG = {
    "plain_keras", "backends", "memory", "report", "systems", "checkpoints", "scaling", "feature_store", "near_duplicates",
    "gpu", "long_clips", "sounds_recipe",
}  # fmt: skip
WITH_OWN_TESTS = {"overhead", "statistics_simulation", "whole_job"}  # which see the ratio, too
WITHOUT_RATIO = {"systems"}
NUMBER = re.compile(r"(?<![\w.])[-+]?(?:\d+\.?\d*(?:e[-+]?\d+)?|nan|inf)(?![\w])", re.IGNORECASE)


def quick_benchmarks():
    """Return a parameter per script that has a quick size; those that begin with _ are parts of others."""
    paths = [path for path in sorted(FOLDER.glob("[!_]*.py")) if '"--quick"' in path.read_text(encoding="utf-8")]
    paths = [path for path in paths if path.stem not in WITH_OWN_TESTS]
    return [pytest.param(path, id=path.stem, marks=pytest.mark.slow if path.stem in LONG else ()) for path in paths]


def ratios(printed):
    """Return the numbers of the last line, which must be one of ratios."""
    last = printed.strip().splitlines()[-1]
    assert "ratio" in last, last
    return [float(number) for number in NUMBER.findall(last.partition("ratio")[2])]


@pytest.mark.parametrize("script", quick_benchmarks())
def test_a_quick_benchmark_ends_well_and_with_a_ratio(script, tmp_path):
    path = os.pathsep.join(part for part in (str(ROOT), os.environ.get("PYTHONPATH", "")) if part)
    variables = {name: value for name, value in os.environ.items() if name not in ("KERAS_BACKEND", "XVAL_FSDD")}

    ended = subprocess.run(
        [sys.executable, str(script), "--quick"],
        cwd=tmp_path, env=variables | {"PYTHONPATH": path}, capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip

    assert ended.returncode == 0, ended.stdout + ended.stderr
    if script.stem in WITHOUT_RATIO:
        return
    found = ratios(ended.stdout)
    assert found, ended.stdout
    assert all(math.isfinite(value) for value in found)


def test_benchmarks_are_found():
    assert {"features", "feature_store", "plain_keras", "backends"} <= {parameter.id for parameter in quick_benchmarks()}


@pytest.mark.parametrize("line", ["no figure", "ratio nan", "ratio inf"])
def test_a_line_without_a_finite_ratio_is_noticed(line):
    try:
        found = ratios(f"figures 1.0\n{line}")
    except AssertionError:
        return
    assert not all(math.isfinite(value) for value in found)


def test_the_numbers_of_a_ratio_line_are_read():
    assert ratios("a\nratio, 20 epochs  0.975  (expected at most 1.00)\n") == [20.0, 0.975, 1.0]
    assert ratios("ratio to tensorflow: torch 2.1, jax 1e-3") == [2.1, 0.001]
