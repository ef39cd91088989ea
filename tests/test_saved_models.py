"""Models that experiments left, at work on audio: what they say equals what was stored when they were tested.

Combinations, autoencoders and models of frames: test_corpora_to_workbook.py.
"""

import json
from pathlib import Path

import pandas as pd
import pytest

import xval
from xval.base.errors import SettingsError

PROBE = Path(__file__).with_name("saved_model_probe.py")
CNN = {"architecture": "cnn_small", "n_filters": (4, 4)}
FRONT_END = {"features": "waveform", "frontend": "logmel"}
KINDS = {
    "trimmed and padded": {**CNN, "trim_db": 30},
    "windows": {**CNN, "example_length_s": 0.1, "example_overlap": 0.5},
    "front end": {**CNN, **FRONT_END},
    "front end, windows": {**CNN, **FRONT_END, "example_length_s": 0.1, "clip_average": "logits"},
    "front end, clips of any length": {**CNN, **FRONT_END, "crop_s": 0.15},
}
IN_EVERY_RUN = ("trimmed and padded", "front end, windows", "front end, clips of any length")
OTHER_BACKENDS = ("torch", "jax")  # TensorFlow, in this process, has all kinds


def train(project, *instances):
    project.write_script(*instances, num_epochs=1, fold_strategy="holdout", **project.settings)
    ended = project.run()
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return [project.results / f"instance_{number}" / "fold_1" for number, _ in enumerate(instances, start=1)]


def assert_no_difference(found):
    assert found["n_rows"] == 0, found
    assert max(found["values"], found["times"], found.get("clips", 0.0)) < 1e-5, found


@pytest.mark.usefixtures("in_process", "eagerly")
@pytest.mark.parametrize("kinds", [IN_EVERY_RUN, pytest.param(tuple(KINDS), marks=pytest.mark.slow)], ids=len)
def test_a_moved_model_says_what_was_stored(kinds, tones, differences):
    tones.prepare("toy.csv")

    for fold in train(tones, *(KINDS[kind] for kind in kinds)):
        assert_no_difference(differences(fold, tones.folder / "data"))


@pytest.mark.slow
def test_a_moved_model_says_what_was_stored_on_each_other_backend(tones, run_on):
    for backend in OTHER_BACKENDS:
        pytest.importorskip(backend)
    tones.prepare("toy.csv")

    folds = train(tones, *({**KINDS["front end, windows"], "backend": backend} for backend in OTHER_BACKENDS))

    for backend, fold in zip(OTHER_BACKENDS, folds, strict=True):
        printed = run_on(backend, PROBE, fold, path=[PROBE.parents[1]], folder=tones.folder)
        for found in json.loads(printed).values():
            assert_no_difference(found)


@pytest.mark.usefixtures("in_process")
def test_numbers_are_predicted_by_the_names_of_their_targets(tones, differences):
    tones.prepare("numbers.csv", "--task-type", "regression")
    regression = {"task_type": "regression", "num_epochs": 1, "num_folds": 2, "debug_mode": True, **tones.settings}
    tones.write_script({"architecture": "mlp", "n_units": (8,)}, **regression)
    ended = tones.run("1", "1", "cpu", "--folds", "1")
    assert ended.returncode == 0, ended.stdout + ended.stderr

    found = differences(tones.results / "instance_1" / "fold_1", tones.folder / "data")
    assert found["n_rows"] == 0
    assert max(found["values"], found["times"], found["clips"]) < 1e-5
    fold = tones.results / "instance_1" / "fold_1"
    columns = pd.read_parquet(fold / "predictions.parquet").columns
    assert {"target_pitch", "predicted_pitch", "target_length", "predicted_length"} <= set(columns)
    assert json.loads((fold / "model.json").read_text())["target_names"] == ["pitch", "length"]
    model = xval.load_model(fold)
    assert not hasattr(model, "classes_")
    with pytest.raises(SettingsError, match=r"predict_proba: task_type=regression has no classes\. Use predict"):
        model.predict_proba([])
