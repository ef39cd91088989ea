"""A bundle is handed on, so it does not say where its maker keeps what."""

import json
import zipfile

import numpy as np
import pytest
import soundfile

NET = """
from keras import Model, Input, layers


def build(input_shape, output_shape):
    clip = Input(input_shape)
    return Model(clip, layers.Dense(output_shape[-1])(layers.GlobalAveragePooling1D()(clip)))
"""


@pytest.mark.slow
def test_no_file_of_a_bundle_names_a_folder_of_this_machine(study):
    times_s = np.arange(2000) / 8000
    for speaker in range(4):
        for label, rate_hz in (("high", 1500), ("low", 300)):
            path = study.folder / "audio" / label / f"s{speaker}_{rate_hz}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, 0.3 * np.sin(2 * np.pi * (rate_hz + speaker) * times_s), 8000)
    features = {"features": "logmel", "sample_rate_hz": 8000, "n_mels": 16, "clip_length_s": 0.25}
    options = [word for name, value in features.items() for word in ("--set", f"{name}={value}")]
    pattern = ["--item-pattern", "(s[0-9])_", "--dataset", "tones"]
    made = study.python("-m", "preprocessing", "folders", "audio", *pattern, *options)
    assert made.returncode == 0, made.stderr
    study.file("my_nets.py", NET)
    folders = {"data_folder": str(study.folder / "data"), "experiment_folder": str(study.folder / "results")}
    study.script({"architecture": "my_nets.build"}, dataset="tones", **features, **folders)
    ended = study.run(script=study.folder / "exp.py")
    fold = study.folder / "results" / "tones" / "experiment_1" / "instance_1" / "fold_1"
    assert (fold / "model.keras").exists(), ended.stdout + ended.stderr

    bundled = study.xval("bundle", fold, "--output", "out", HOME=str(study.folder.parent))

    assert bundled.returncode == 0, bundled.stderr
    assert "code.zip/script/exp.py" in bundled.stdout
    written = {path.name: path.read_bytes() for path in (study.folder / "out").rglob("*") if path.is_file()}
    assert [name for name, content in written.items() if str(study.folder).encode() in content] == []
    settings = json.loads(written["settings.json"])
    assert settings["parameters"]["data_folder"] == "data"
    with zipfile.ZipFile(study.folder / "out" / "evidence" / "code.zip") as archive:
        naming = [name for name in archive.namelist() if str(study.folder).encode() in archive.read(name)]
    assert naming == ["script/exp.py"]


def test_a_bundle_of_an_estimator_predicts_as_its_fold_does(finished, tmp_path):
    fold, clip = f"{finished.EXPERIMENT}/instance_3/fold_1", "audio/low/s0_0.wav"
    predicting = "import sys, xval; print(xval.load_model(sys.argv[1]).predict(sys.argv[2:]).to_csv())"

    for model, name in ((fold, "one"), (f"{fold}/model.skops", "two"), (tmp_path / "one", "again")):
        bundled = finished.xval("bundle", model, "--output", tmp_path / name)
        assert bundled.returncode == 0, bundled.stderr
        assert "There is no ONNX file" in bundled.stdout

    said = finished.mistake("-m", "xval", "bundle", f"{finished.EXPERIMENT}/instance_3", "--output", tmp_path / "three")
    assert "fold_1/model.skops" in said
    answers = {finished.python("-c", predicting, path, clip).stdout for path in (fold, tmp_path / "one", tmp_path / "again")}
    assert len(answers) == 1
    assert "probability_low" in answers.pop()
    said = finished.mistake("-m", "xval", "explain", tmp_path / "one")
    assert "no finished fold of an experiment, so there are no test items to measure feature importance on" in said
    assert "or clips to explain with --method occlusion" in said
    card = (tmp_path / "one" / "README.md").read_text()
    assert 'library_name: "sklearn"' in card
    assert "It was tested on 2 items" in card


def test_a_damaged_estimator_is_not_handed_over(copied):
    fold = copied.fold(3)
    (fold / "model.skops").write_bytes((fold / "model.skops").read_bytes()[:100])

    said = copied.mistake("-m", "xval", "bundle", fold, "--output", "out")

    assert "model.skops" in said
    assert not (copied.folder / "out").exists()
