"""Arrays of one's own for frames and for representation train, predict, and are measured, as those of clips do."""

import numpy as np
import pytest

from preprocessing import prepare, store
from xval import load_model
from xval.base.errors import AudioError, CorpusError

NETS = """
import keras

reshaping_type = "none"
task_types = ("frame_classification", "representation")


def build(input_shape, output_shape, *, n_units: int = 8):
    inputs = keras.Input(input_shape)
    hidden = keras.layers.Reshape((input_shape[0], -1))(inputs)
    hidden = keras.layers.Dense(n_units, activation="relu")(hidden)
    hidden = keras.layers.Dense(output_shape[-1])(hidden)
    return keras.Model(inputs, keras.layers.Reshape(output_shape)(hidden))
"""
NET = {"architecture": "net_of_own_stores.build"}


@pytest.fixture(autouse=True)
def own_network(in_process, project, monkeypatch):
    (project.folder / "net_of_own_stores.py").write_text(NETS)
    monkeypatch.syspath_prepend(project.folder)


def write_frames():
    """Write sequences of 12 frames of 8 values, of which two tell the class of the frame."""
    rng = np.random.default_rng(0)
    names = np.array(["background", "hum", "hiss"])
    predictors, targets = {}, {}
    for number in range(6):
        classes = rng.integers(0, 3, (4, 12))
        values = rng.normal(size=(4, 12, 8))
        values[..., 1] += 4 * (classes == 1)
        values[..., 6] += 4 * (classes == 2)
        predictors[f"site {number}"], targets[f"site {number}"] = values, names[classes]
    store.write("frames", predictors, targets, task_type="frame_classification")
    return predictors, targets


def test_frames_of_a_script_train_predict_and_are_evaluated(project):
    predictors, targets = write_frames()
    given = {"task_type": "frame_classification", "features": "waveform", "sequence_frames": 6, "learning_rate": 0.05}
    project.write_script(NET, dataset="frames", num_epochs=15, **given)

    refused = project.run("--folds", "1")
    assert refused.returncode == 2
    assert "Set sample_rate_hz=8 and label_frame_s=1." in refused.stderr
    ended = project.run("--folds", "1", "--set", "sample_rate_hz=8", "--set", "label_frame_s=1")

    assert ended.returncode == 0, ended.stdout + ended.stderr
    folder = project.folder / "results" / "frames" / "experiment_1" / "instance_1" / "fold_1"
    model = load_model(folder / "model.keras")
    frames = model.predict([predictors["site 0"][0]], per="segment")
    assert np.mean(frames["predicted"].to_numpy() == targets["site 0"][0]) > 0.8
    events = model.predict([predictors["site 0"][0]])
    assert set(events["label"]) == {"hum", "hiss"}
    with pytest.raises(AudioError, match=r"expected frames \(n_frames, 8\)"):
        model.predict([np.zeros((3, 7))])
    evaluated = project.run_module("xval", "evaluate", str(folder), "frames")
    assert evaluated.returncode == 0, evaluated.stdout + evaluated.stderr


def test_arrays_without_labels_train_an_autoencoder(project):
    predictors = {f"site {number}": np.random.default_rng(number).normal(size=(12, 5, 3)) for number in range(6)}
    made = prepare(predictors, task_type="representation", dataset="plain")
    assert (made.task_type, made.class_names) == ("representation", ())
    project.write_script(NET, dataset="plain", task_type="representation")

    ended = project.run("--folds", "1")

    assert ended.returncode == 0, ended.stdout + ended.stderr
    folder = project.folder / "results" / "plain" / "experiment_1" / "instance_1" / "fold_1"
    errors = load_model(folder / "model.keras").predict(list(predictors["site 0"]))
    assert len(errors) == np.isfinite(errors["squared_error"]).sum() == 12
    with pytest.raises(CorpusError, match=r"representation predicts nothing\. Remove them"):
        store.write("plain", predictors, predictors, task_type="representation")
    with pytest.raises(CorpusError, match="The predictors of item 'a' cannot be made an array"):
        store.write("plain", {"a": [[1, 2], [3]]}, task_type="representation")
