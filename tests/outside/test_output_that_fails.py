"""What is printed or shown may fail; the results may not, and a run that is refused leaves nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
@pytest.mark.parametrize("output", ["full", "closed", "full, without errors"])
@pytest.mark.long
def test_a_run_continues_where_nothing_can_be_printed(study, output):
    study.script({"architecture": "constant"}, name="exp.py")
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    target = {"full": "> /dev/full", "closed": "| true", "full, without errors": "> /dev/full 2>&-"}[output]
    command = f"{sys.executable} exp.py --executor inline {target}; exit ${{PIPESTATUS[0]}}"
    ended = subprocess.run(
        ["bash", "-c", command], cwd=study.folder, env=environment, capture_output=True, text=True, timeout=500
    )
    assert ended.returncode == 0, ended.stderr
    if output != "full, without errors":
        assert ended.stderr.count("Nothing more can be printed") == 1
        assert "The run continues without output." in ended.stderr
    assert (study.results / "results.xlsx").is_file()
    assert len(list(study.results.glob("instance_1/fold_*/record.json"))) == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
@pytest.mark.parametrize("option", ["--list", "--dry-run", "--help"])
def test_what_only_prints_fails_where_nothing_can_be_printed(study, option):
    study.script({"architecture": "constant"}, name="exp.py")
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = f"{sys.executable} exp.py {option} > /dev/full"
    ended = subprocess.run(
        ["bash", "-c", command], cwd=study.folder, env=environment, capture_output=True, text=True, timeout=500
    )
    assert (ended.returncode, "No space left on device" in ended.stderr) == (1, True)


def test_a_run_that_is_refused_leaves_no_folder(study):
    study.script({"architecture": "constant"}, rank_by="top_5_accuracy")
    before = set(study.folder.rglob("*"))
    assert "needs at least 6 classes" in study.mistake("exp.py", "--executor", "inline")
    assert not study.results.exists()
    assert not (study.folder / "results").exists()
    assert not {path for path in set(study.folder.rglob("*")) - before if "cache" not in str(path)}


def test_a_run_that_is_refused_leaves_earlier_results(study):
    study.train({"architecture": "constant"})
    records = sorted(study.results.glob("instance_*/fold_*/record.json"))
    study.script({"architecture": "constant"}, {"architecture": "constant", "time_parts": 2}, rank_by="top_5_accuracy")
    study.mistake("exp.py", "--executor", "inline")
    assert sorted(study.results.glob("instance_*/fold_*/record.json")) == records
    assert (study.results / "description.txt").is_file()
