"""The scripts of experiments/, and studies of one's own that begin with a copy of one."""

import re
import shutil
from pathlib import Path

import pytest

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
SCRIPTS = sorted(path.name for path in EXPERIMENTS.glob("*.py"))
SMALL = ("--set", "n_mels=16", "--set", "num_epochs=1", "--set", "fold_repeats=1", "--set", "page=none")


@pytest.fixture
def demo(make_once, study_in, tmp_path):
    """Return a study with the demo corpus of four speakers, and the scripts."""

    def fill(folder):
        shutil.copytree(EXPERIMENTS, folder / "experiments", ignore=shutil.ignore_patterns("__pycache__"))
        features = {"sample_rate_hz": 16000, "n_fft": 1024, "win_length": 400, "hop_length": 160}
        made = study_in(folder).prepare("demo", "--n-speakers", "4", **features)
        assert made.returncode == 0, made.stderr

    shutil.copytree(make_once("demo_from_outside", fill), tmp_path, dirs_exist_ok=True)
    return study_in(tmp_path)


@pytest.mark.parametrize("script", SCRIPTS)
def test_an_example_lists_its_instances(empty, script):
    ended = empty.python(EXPERIMENTS / script, "--list")

    assert ended.returncode == 0, ended.stderr
    assert re.search(r"^ *1  +\w|^1, \S[^:]*: \w+=", ended.stdout, flags=re.MULTILINE)


@pytest.mark.parametrize("script", SCRIPTS)
def test_an_example_says_how_to_make_its_corpus(empty, script):
    said = empty.mistake(EXPERIMENTS / script, "--dry-run")

    assert "xval prepare" in said
    assert "xval prepare" in (EXPERIMENTS / script).read_text()


@pytest.mark.parametrize("script", ["demo.py", "exp1.py", "search.py"])
def test_an_example_on_the_demo_corpus_plans_its_jobs(demo, script):
    ended = demo.python(f"experiments/{script}", "--dry-run")

    assert ended.returncode == 0, ended.stderr
    assert "s01" in ended.stdout


def test_the_demo_is_run(demo):
    ended = demo.run("3", "--folds", "1", *SMALL, script="experiments/demo.py")

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "MLP" in ended.stdout
    assert (demo.folder / "results" / "demo" / "experiment_1" / "instance_3" / "fold_1" / "model.keras").exists()


@pytest.mark.slow
def test_instances_3_to_7_of_the_first_example_are_run(demo):
    ended = demo.run("3", "7", "1", "--folds", "1", *SMALL, script="experiments/exp1.py")

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "5/5" in ended.stdout
