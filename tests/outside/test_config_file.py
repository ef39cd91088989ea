"""A config.ini that a user lays beside a script or into the folder where commands run."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.outside.conftest import FEATURES

ROOT = Path(__file__).resolve().parents[2]
OWN = "[training]\nweight_decay = 0.05\n[folds]\nfold_seed = 7\n"


def parameters(study):
    """Return the settings that an instance has run with."""
    return json.loads((study.results / "instance_1" / "settings.json").read_text())["parameters"]


@pytest.mark.parametrize("config", ["config.ini", "scripts/config.ini"])
def test_a_config_ini_in_the_current_folder_or_beside_the_script_is_read(study, config):
    study.file(config, OWN)
    study.script({"architecture": "constant"}, name="scripts/exp.py")

    ended = study.run(script="scripts/exp.py")

    assert ended.returncode == 0, ended.stderr
    assert f"{config} changes the defaults of weight_decay, fold_seed." in ended.stdout
    assert {"weight_decay": 0.05, "fold_seed": 7}.items() <= parameters(study).items()
    (copy,) = study.results.glob("code/*/study/config.ini")
    assert copy.read_text() == OWN


def test_the_one_beside_the_script_comes_before_that_of_the_current_folder(study):
    study.file("config.ini", "[folds]\nfold_seed = 3\n")
    study.file("scripts/config.ini", "[folds]\nfold_seed = 4\n[experiment]\nexperiment_folder = mine\n")
    study.script({"architecture": "constant"}, name="scripts/exp.py")

    assert study.run(script="scripts/exp.py").returncode == 0

    written = study.folder / "scripts/mine/small/experiment_1/instance_1/settings.json"  # folders in it are below its own
    assert json.loads(written.read_text())["parameters"]["fold_seed"] == 4


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[database]\nhost = here\n", "no key in the section where xval expects it. Sections of xval: [experiment]"),
        ("[training]\nsteps = 10\n[data]\npath = x\n", "no key in the section where xval expects it"),
        ("[DEFAULT]\nlearning_rate = 0.1\n", "'learning_rate' belongs in [training]"),
        ("learning_rate = 0.1\n", "line 1: received 'learning_rate = 0.1"),
    ],
)
def test_a_config_ini_of_another_program_is_named_and_nothing_else_changes(study, text, why):
    study.file("config.ini", text)
    study.script({"architecture": "constant"})

    ended = study.run("--dry-run")

    assert ended.returncode == 0, ended.stderr
    assert "config.ini is not used: " in ended.stdout
    assert why in ended.stdout


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[training]\nlearning_rat = 0.1\n", "unknown key 'learning_rat' in [training]"),
        ("[training]\nlr = 0.1\n", "Here it is 'learning_rate'"),
        ("[fold]\nnum_folds = 3\n", "unknown section [fold]"),
        ("[training]\nnum_epochs = 3\n[mine]\nx = 1\n", "unknown section [mine]"),
        ("[training]\nlearning_rate = 0.1\nn_mels = 12\n", "unknown key 'n_mels' in [training]. Move it to [features]."),
        ("[training]\nweight_decay = many\n", "config.ini: weight_decay: received 'many'"),
    ],
)
def test_what_is_misspelt_in_it_is_refused_before_anything_runs(study, text, fault):
    study.file("config.ini", text)
    study.script({"architecture": "constant"})

    ended = study.run()

    assert ended.returncode == 2
    assert fault in ended.stderr
    assert not study.results.exists()


def test_beside_the_scripts_of_a_study_it_is_named(study):
    study.file("config.ini", "[folds]\nfold_seed = 3\n")
    study.file("experiments/config.ini", "[folds]\nfold_seed = 4\n")
    study.script({"architecture": "constant"}, name="experiments/exp.py")

    ended = study.run(script="experiments/exp.py")

    assert "experiments/config.ini is not used, because the study" in ended.stdout
    assert parameters(study)["fold_seed"] == 3


def test_commands_in_the_folder_read_it_too(study):
    study.file("config.ini", "[experiment]\ndata_folder = corpora\n")

    ended = study.python("-m", "xval", "quickstart", "nothing")

    assert ended.returncode == 2
    assert "corpora" in ended.stderr


@pytest.fixture
def in_project(study):
    """Return a function that runs ``python ARGUMENTS`` with a project whose config.ini has only what a user changes."""
    project = study.folder / "project"
    for package in ("xval", "preprocessing", "augmentation", "architectures"):
        shutil.copytree(ROOT / package, project / package, ignore=shutil.ignore_patterns("__pycache__"))
    study.file("project/config.ini", "[training]\nweight_decay = 0.05\n[folds]\nfold_seed = 7\n")
    environment = os.environ | {"PYTHONPATH": str(project)}

    def run(*arguments):
        return subprocess.run(
            [sys.executable, *arguments], cwd=study.folder, env=environment, capture_output=True, text=True, check=False
        )

    return run


@pytest.mark.long
def test_a_config_ini_of_the_project_with_only_what_a_user_changes_is_enough(study, in_project):
    study.script({"architecture": "constant"}, name="scripts/exp.py")

    ended = in_project("scripts/exp.py", "--set", "workers=1")
    study.recordings()
    prepared = in_project("-m", "preprocessing", "folders", "audio", "--set", "sample_rate_hz=4000", "--workers", "1")
    help_text = in_project("-m", "xval", "predict", "--help")

    assert ended.returncode == 0, ended.stderr
    changed = parameters(study)
    assert {"weight_decay": 0.05, "fold_seed": 7, "learning_rate": 0.01, "n_mels": 64}.items() <= changed.items()
    assert prepared.returncode == 0, prepared.stderr
    assert (study.folder / "data/folders_random_split/features").is_dir()
    assert "(default: 0)" in help_text.stdout


@pytest.mark.parametrize("script", ["experiments/exp.py", "scripts/exp.py"])  # of a study; without one
@pytest.mark.long
def test_a_second_config_ini_may_change_what_that_of_the_project_lacks(study, in_project, script):
    study.file("config.ini", "[model]\narchitecture = constant\n[training]\nseed = 4\n")
    study.script({}, name=script)

    ended = in_project(script, "--set", "workers=1")

    assert ended.returncode == 0, ended.stderr
    assert {"architecture": "constant", "seed": 4, "weight_decay": 0.05, "fold_seed": 7}.items() <= parameters(study).items()


def test_what_is_misspelt_in_a_second_config_ini_is_refused_likewise(study, in_project):
    study.file("config.ini", "[model]\narchitecture = constant\n[training]\nlearning_rat = 0.1\n")
    study.script({}, name="scripts/exp.py")

    ended = in_project("scripts/exp.py", "--dry-run")

    assert ended.returncode == 2
    assert "unknown key 'learning_rat' in [training]" in ended.stderr
    assert "Did you mean 'learning_rate'?" in ended.stderr


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[training]\nbatch_size 32\n", "config.ini, line 2: received 'batch_size 32\\n'; expected 'name = value'"),
        ("[folds]\n[training]\nseed = 1\n[training]\n", "config.ini, line 4: [training] is there twice."),
        ("[training]\nseed = 1\nseed = 2\n", "config.ini, line 3: 'seed' is there twice in [training]."),
        ("seed = 1\n[training]\n", "config.ini, line 1: received 'seed = 1\\n' before any section."),
    ],
)
def test_what_is_no_config_file_is_named_by_its_line(study, text, fault):
    study.file("config.ini", text)  # that of a study, which is always read
    study.script({"architecture": "constant"}, name="experiments/exp.py")

    assert fault in study.mistake("experiments/exp.py")


def test_a_setting_of_other_commands_is_named_though_config_ini_lacks_it(in_project):
    ended = in_project("-m", "preprocessing", "folders", "audio", "--batch-size", "3")

    assert ended.returncode == 2
    assert "This is a setting of other commands, such as experiments: give --set batch_size=VALUE there." in ended.stderr


def test_features_that_differ_from_the_prepared_ones_are_named_where_the_audio_is_gone(empty):
    """The audio was not moved by itself: without these settings it would not be needed."""
    empty.recordings()
    empty.file("config.ini", "[features]\n" + "".join(f"{name} = {value}\n" for name, value in FEATURES.items()))
    assert empty.python("-m", "preprocessing", "table", "audio/clips.csv", "--dataset", "small").returncode == 0
    empty.script({"architecture": "constant"})
    (empty.folder / "audio").rename(empty.folder / "elsewhere")
    config = (empty.folder / "config.ini").read_text()
    empty.file("config.ini", config.replace("n_mels = 8\n", "n_mels = 4\n"))
    said = " ".join(empty.mistake("exp.py", "--executor", "inline").split())
    assert "the audio of dataset 'small' is no longer there, and the features that are prepared have other settings" in said
    assert "(n_mels was 8, now 4). Give these settings as before, in config.ini or the script. If the audio was moved" in said
    empty.file("config.ini", config)
    assert empty.run().returncode == 0
