"""The script experiments/exp1.py, as the original manager's users know it: from audio files to the workbook, in both forms."""

import runpy
from pathlib import Path

import numpy as np
import openpyxl
import pytest
import soundfile

from xval import Experiment
from xval.settings.resolve import Declaration, resolve

SCRIPT = Path(__file__).resolve().parents[1] / "experiments" / "exp1.py"
RATE_HZ = 8000
SMALL = {"sample_rate_hz": 8000, "n_fft": 256, "win_length": 200, "hop_length": 100, "n_mels": 40}


@pytest.fixture(scope="module")
def declared():
    experiment = runpy.run_path(str(SCRIPT))["experiment"]
    return {number: experiment[number] for number in experiment}


def resolve_one(parameters):
    (instance,) = resolve(Declaration("exp1.py", str(SCRIPT), "a test", {}, {1: parameters}))
    return instance


def test_the_script_shows_both_forms():
    source = SCRIPT.read_text()

    assert source.count("] = {") >= 2
    assert source.count("] = [") >= 2


@pytest.mark.parametrize("number", range(1, 8))
def test_an_instance_means_the_same_in_either_form(declared, number):
    as_dict = dict(declared[number])
    experiment = Experiment("a test")
    experiment[1] = [f"{name}={value!r}" for name, value in as_dict.items()]
    experiment[2] = [f"{name}={str(value)!r}" for name, value in as_dict.items()]  # every value quoted

    from_dict, from_list, from_quoted = (resolve_one(found) for found in (as_dict, experiment[1], experiment[2]))

    assert from_list.parameters == from_quoted.parameters == from_dict.parameters
    assert from_list.settings_hash == from_quoted.settings_hash == from_dict.settings_hash
    assert from_dict.parameters["comment_2"] == from_dict.parameters["architecture"]


@pytest.mark.usefixtures("in_process", "eagerly")
def test_from_audio_files_to_the_workbook(project):
    folder = project.folder
    rng = np.random.default_rng(1)
    for speaker in "abcd":
        for word, pitch_hz in {"low": 400, "high": 1600}.items():
            for take in range(2):
                path = folder / "audio" / word / f"{speaker}_{take}.wav"
                path.parent.mkdir(parents=True, exist_ok=True)
                time_s = np.arange(RATE_HZ // 2) / RATE_HZ
                soundfile.write(path, np.sin(2 * np.pi * pitch_hz * time_s) * 0.3 + rng.normal(0, 0.01, time_s.size), RATE_HZ)
    overrides = [part for name, value in SMALL.items() for part in ("--set", f"{name}={value}")]
    pattern = ("--item-pattern", r"(\w)_")
    prepared = project.run_module("preprocessing", "folders", folder / "audio", *pattern, "--dataset", "demo", *overrides)
    assert prepared.returncode == 0, prepared.stdout + prepared.stderr
    ended = project.run_script(SCRIPT, 4, 5, "cpu", "--folds", 1, "--workers", 1, "--set", "num_epochs=1", *overrides)

    assert ended.returncode == 0, ended.stdout + ended.stderr
    sheet = openpyxl.load_workbook(folder / "results" / "demo" / "experiment_2" / "results.xlsx")["summary"]
    rows = [[cell.value for cell in row[:2]] for row in sheet.iter_rows(min_row=6, max_row=7)]
    assert rows == [
        ["other networks, mlp", 4],
        ["other networks, vgg_mini", 5],
    ]
