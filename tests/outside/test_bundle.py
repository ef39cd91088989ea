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

    bundled = study.xval("bundle", fold, "--to", "out", HOME=str(study.folder.parent))

    assert bundled.returncode == 0, bundled.stderr
    assert "code.zip/script/exp.py" in bundled.stdout
    written = {path.name: path.read_bytes() for path in (study.folder / "out").rglob("*") if path.is_file()}
    assert [name for name, content in written.items() if str(study.folder).encode() in content] == []
    settings = json.loads(written["settings.json"])
    assert settings["parameters"]["data_folder"] == "data"
    with zipfile.ZipFile(study.folder / "out" / "evidence" / "code.zip") as archive:
        naming = [name for name in archive.namelist() if str(study.folder).encode() in archive.read(name)]
    assert naming == ["script/exp.py"]
