"""Speakers from the settings to what is said of them: scaled by their own clips."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from xval import load_model
from xval.base.errors import SettingsError

SCALED = {"normalization": "per_item"}
SENTENCE = "were scaled for each item by its own clips, of tested items too, without labels (transductive"


@pytest.fixture
def run(in_process, eagerly, tones):
    """Return a function that prepares the tones, runs instances on one fold of three and returns the project."""
    tones.prepare("toy.csv")

    def run(*instances, **parameters):
        tones.write_script(*instances, **tones.settings, **parameters)
        ended = tones.run("--folds", "1")
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return tones

    return run


def answers_of(project, instance):
    """Return the folder of the fold of an instance, its tested files and their probabilities of the class low."""
    fold = project.results / f"instance_{instance}" / "fold_1"
    table = pd.read_parquet(fold / "predictions.parquet").query("side == 'test'")
    return fold, table["clip"].tolist(), table["item"].tolist(), table["probability_low"].to_numpy()


def test_new_clips_are_scaled_as_the_tested_speakers_were(run):
    project = run({"architecture": "mlp", "n_units": (4,), **SCALED}, {"architecture": "svm", **SCALED})

    for instance in (1, 2):
        fold, clips, items, wanted = answers_of(project, instance)
        files = [project.folder / "audio" / clip for clip in clips]
        model = load_model(fold)
        assert model.predict(files, items=items)["probability_low"].to_numpy() == pytest.approx(wanted, abs=1e-5)
        as_one = model.predict(files)["probability_low"].to_numpy()
        assert np.abs(as_one - wanted).max() > 1e-4
        with pytest.raises(SettingsError, match=r"0_0\.wav: the only clip in all\. .* Give two or more clips of each speaker"):
            model.predict(project.folder / "audio" / "0_0.wav")
        said = project.run_module(
            "xval", "predict", str(fold), *map(str, files), "--item-pattern", r"(\d)_\d", "--output", "json"
        )
        rows = json.loads(said.stdout)
        assert [row["probability_low"] for row in rows] == pytest.approx(wanted, abs=1e-5)
        assert f"{len(files)} files of {len(set(items))} speakers, each scaled by its own" in said.stderr

    said = project.run_module("xval", "evaluate", str(fold), "toy", "--items", ",".join(sorted(set(items))))
    assert said.returncode == 0, said.stderr
    record = project.records()[2, 1]
    assert f"{record['metrics']['test']['balanced_accuracy']:.3f}" in said.stdout
    assert SENTENCE in " ".join(said.stdout.split())


def test_page_table_audit_and_model_card_say_that_it_is_transductive(run):
    project = run({"architecture": "mlp", "n_units": (4,), **SCALED}, {"architecture": "mlp", "n_units": (4,)}, page="complete")

    for flag in ("--latex", "--markdown"):
        table = project.run_module("xval", "report", str(project.results), flag).stdout
        assert re.search(r"Features of instance 1 were scaled for each \w+ by its own clips", " ".join(table.split()))
    assert "Features of instance 1 were scaled for each" in (project.results / "report.html").read_text()
    checked = " ".join(project.run_module("xval", "check", str(project.results)).stdout.split())
    assert "instance 1: each item, of any side, is scaled by its own clips without their labels (transductive)" in checked


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"features": "waveform", "frontend": "logmel"}, "features='waveform' stores samples"),
        ({"augment_gain_db": 6.0}, "augment_gain_db changes features before they are scaled"),
        ({"augment_response_db": 6.0}, "augment_response_db changes features before they are scaled"),
    ],
)
def test_what_a_scaled_speaker_cannot_have_is_refused(make_settings, changes, said):
    with pytest.raises(SettingsError, match=re.escape(said)):
        make_settings(**SCALED, **changes)
