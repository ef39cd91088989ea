"""An experiment that trains networks and combines their features, as a user runs it."""

import json
import shutil

import numpy as np
import openpyxl
import pytest
import soundfile

RATE_HZ = 8000
FEATURES = {"sample_rate_hz": RATE_HZ, "n_fft": 256, "win_length": 200, "hop_length": 160, "n_mels": 16}
NETWORK = {"architecture": "cnn_small", "n_filters": (4, 8)}
MODEL = "results/toy/experiment_1/instance_1/fold_{fold}/model.keras"
COMBINED = {"architecture": "feature_combination", "models": [MODEL], "classifier": "logistic_regression"}


@pytest.fixture
def tones(project):
    """Put a corpus of tones in the place of the project's corpus; return the project."""
    rng = np.random.default_rng(0)
    shutil.rmtree(project.folder / "data")
    for label, frequency_hz in {"low": 500, "high": 1500}.items():
        for take in range(12):
            time_s = np.arange(rng.integers(2000, 3000)) / RATE_HZ
            samples = 0.3 * np.sin(2 * np.pi * frequency_hz * time_s) + 0.05 * rng.normal(size=time_s.size)
            path = project.folder / "audio" / label / f"s{take % 6}_{take}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, samples, RATE_HZ)
    overrides = [word for name, value in FEATURES.items() for word in ("--set", f"{name}={value}")]
    options = ("--item-pattern", "s[0-9]", "--dataset", "toy", "--workers", "1", *overrides)
    ended = project.run_module("preprocessing", "folders", str(project.folder / "audio"), *options)
    assert ended.returncode == 0, ended.stderr
    return project


@pytest.mark.usefixtures("in_process")
def test_networks_train_first_and_their_features_are_combined_to_the_workbook(tones):
    # The combination stands first: it has to wait for the networks all the same.
    combined = {**COMBINED, "models": [MODEL.replace("instance_1", "instance_2")]}
    tones.write_script(combined, NETWORK, num_folds=2, num_epochs=2, executor="inline", **FEATURES)

    ended = tones.run()

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "possible leakage" not in ended.stdout
    found = tones.records()
    assert sorted(found) == [(instance, fold) for instance in (1, 2) for fold in (1, 2)]
    for fold in (1, 2):
        combination, network = found[1, fold], found[2, fold]
        assert combination["items"] == network["items"]
        assert set(combination["metrics"]["test"]) == set(network["metrics"]["test"])
        assert combination["n_features"] > 136
        assert combination["models"][0]["leakage"] == "clean"
        assert combination["metrics"]["test"]["accuracy"] == 1.0
    assert not tones.leftovers()
    workbook = openpyxl.load_workbook(tones.results / "results.xlsx")
    cells = [cell.value for row in workbook["settings"].iter_rows() for cell in row]
    assert {"feature_combination", "cnn_small"} <= set(cells)
    metrics = json.loads((tones.results / "instance_1" / "metrics.json").read_text())
    assert (metrics["folds_done"], metrics["n_parameters"]) == (2, None)

    again = tones.run()
    assert "Nothing to do: all 4 jobs are done." in again.stdout

    shutil.copy(tones.results / "instance_2" / "fold_1" / "model.keras", tones.results / "instance_2" / "fold_2")
    changed = tones.run("1", "1")
    assert changed.returncode == 2
    assert "(folds 2) were made with other settings: another model was at models=" in changed.stderr


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (MODEL, r"instance 2: models: results/toy/experiment_1/instance_1/fold_1/model.keras does not exist"),
        ("other/fold_{fold}/model.keras", "has seen what fold 1 tests: item"),
    ],
    ids=["missing", "leaking"],
)
def test_what_cannot_be_combined_is_refused_before_anything_is_trained(project, model, message):
    for fold in (1, 2, 3):
        folder = project.folder / "other" / f"fold_{fold}"
        folder.mkdir(parents=True)
        (folder / "model.keras").write_bytes(b"")
        seen = {"toy": [f"speaker_{number}" for number in range(3)]}
        (folder / "model.json").write_text(json.dumps({"format_version": 1, "feature_settings": {}, "seen_items": seen}))
    project.write_script(NETWORK, {**COMBINED, "models": [model], "basic_features": False})

    ended = project.run("2", "2")

    assert ended.returncode == 2
    assert message in ended.stderr
    assert not project.records()
