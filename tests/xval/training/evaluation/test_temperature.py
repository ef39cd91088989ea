"""The temperature of a network: fitted on validation speakers, and the same wherever the model answers."""

import json

import numpy as np
import pandas as pd
import pytest

from preprocessing.store import open_store
from xval import load_model
from xval.answers.audit import audit
from xval.base.errors import SettingsError
from xval.models.saved.load import read_keras_model
from xval.results.folder import ExperimentFolder

NETWORK = {"architecture": "mlp", "n_units": (16,), "calibration": "temperature"}


@pytest.fixture
def calibrated(project, in_process, eagerly):
    """Return the project after an instance whose networks are calibrated."""
    project.write_script(NETWORK, num_epochs=3, num_folds=2, learning_rate=0.05)
    assert project.run().returncode == 0
    return project


def thresholds_rule(project):
    (verdict,) = (verdict for verdict in audit(ExperimentFolder(project.results)) if verdict.rule == "thresholds")
    return verdict.state, verdict.n_checked, verdict.faults


def test_every_place_gives_the_same_probabilities(calibrated, monkeypatch):
    monkeypatch.chdir(calibrated.folder)
    record = calibrated.records()[1, 1]
    table = pd.read_parquet(calibrated.results / "instance_1" / "fold_1" / "predictions.parquet")
    stored = table[table["side"] == "test"].filter(like="probability_").to_numpy()

    opened = open_store(calibrated.folder / "data" / "toy" / "features" / "custom")
    examples = np.concatenate([opened.predictors(item) for item in record["items"]["test"]])
    network = read_keras_model(calibrated.results / "instance_1" / "fold_1" / "model.keras")
    assert network.get_layer("temperature").scale == pytest.approx(1 / record["temperature"])
    assert record["temperature"] != pytest.approx(1, rel=0.1)
    model = load_model(calibrated.results / "instance_1" / "fold_1")
    np.testing.assert_allclose(model.predict_proba(examples), stored, atol=1e-5)
    assert thresholds_rule(calibrated)[:2] == ("ok", 2)

    ended = calibrated.run_module("xval", "refit", f"{calibrated.results}:1")
    assert ended.returncode == 0, ended.stderr
    final = json.loads((calibrated.results / "instance_1" / "refit" / "record.json").read_text())
    temperatures = [calibrated.records()[1, fold]["temperature"] for fold in (1, 2)]
    assert final["temperature"] == pytest.approx(np.exp(np.log(temperatures).mean()))

    path = calibrated.results / "instance_1" / "fold_1" / "predictions.parquet"
    table = pd.read_parquet(path)
    columns = [name for name in table if name.startswith("probability_")]
    sharpened = table[columns] ** 2
    table[columns] = sharpened.div(sharpened.sum(axis=1), axis=0).astype(np.float32)
    table.to_parquet(path)
    assert "its validation clips give" in thresholds_rule(calibrated)[2][0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"task_type": "multilabel_classification"}, "calibration=temperature needs clips with one class each"),
        ({"task_type": "regression"}, "received task_type=regression. Set calibration=none"),
        ({"calibration": "platt"}, "calibration: received 'platt'"),
    ],
)
def test_where_it_does_not_fit_it_is_refused(make_settings, changes, message):
    with pytest.raises(SettingsError, match=message):
        make_settings(**{"calibration": "temperature"} | changes)
