"""Files from others, as docs/security.md has it: none of their code runs, and nothing outside of their folders is read."""

import hashlib
import json
import os
import pickle
import re
import shutil
import zipfile

import keras
import numpy as np
import pandas as pd
import pytest

pytestmark = pytest.mark.long

FOLD = "results/small/experiment_1/instance_1/fold_1"
ESTIMATOR = "results/small/experiment_1/instance_3/fold_1"
CLIP = "audio/low/s0_0.wav"
GIB = 1 << 30


class Runs:
    """A pickle of it makes a file where it is read."""

    def __init__(self, mark):
        self.mark = str(mark)

    def __reduce__(self):
        return os.system, (f"touch '{self.mark}'",)


@pytest.fixture
def mark(tmp_path_factory):
    return tmp_path_factory.mktemp("mark") / "ran"


@pytest.fixture
def lambda_model(copied, mark):
    """Return results of somebody else, whose first model has a layer that runs code."""
    model = copied.folder / FOLD / "model.keras"
    trained = keras.models.load_model(model)
    inputs = keras.Input(trained.input_shape[1:])
    path = str(mark)
    runs = keras.layers.Lambda(lambda values: [values, __import__("os").makedirs(path)][0], output_shape=inputs.shape[1:])
    theirs = keras.Model(inputs, trained(runs(inputs)))
    theirs.save(model)
    record = json.loads((model.parent / "record.json").read_text())  # whoever sends a model writes its hash, too
    record["model_sha256"] = {"model.keras": hashlib.sha256(model.read_bytes()).hexdigest()}
    (model.parent / "record.json").write_text(json.dumps(record))
    theirs(np.zeros((1, *inputs.shape[1:])))
    mark.rmdir()  # it runs where it is called
    return copied


@pytest.mark.parametrize(
    ("words", "loads"),
    [
        (["predict", FOLD, CLIP], True),
        (["evaluate", FOLD, "audio/clips.csv"], True),
        (["embed", FOLD, CLIP, "--output", "embeddings.parquet"], True),
        (["export", FOLD, "--format", "weights_h5"], True),
        (["bundle", FOLD, "--output", "bundle"], True),
        (["report", copied := "results/small/experiment_1", "--no-audio"], False),
        (["audit", copied], False),
        (["rebuild", copied], False),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_model_with_a_lambda_runs_no_code(lambda_model, mark, words, loads):
    ended = lambda_model.xval(*words)

    assert not mark.exists(), ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr
    if loads:
        assert ended.returncode != 0
        assert re.search(r"model\.keras: not loaded, because .*Lambda", " ".join((ended.stdout + ended.stderr).split()))


def test_nor_where_a_training_begins_with_it(lambda_model, mark):
    shutil.copy(lambda_model.folder / FOLD / "model.keras", lambda_model.folder / "theirs.keras")
    lambda_model.script(
        {"architecture": "mlp", "n_units": (8,), "initial_model": "theirs.keras"},
        name="transfer.py",
        num_experiment=2,
        sample_rate_hz=4000, n_fft=64, win_length=64, hop_length=32, n_mels=8,
    )  # fmt: skip

    ended = lambda_model.run(script="transfer.py")

    assert not mark.exists()
    assert ended.returncode != 0
    assert "not loaded, because" in ended.stdout + ended.stderr


@pytest.mark.parametrize("name", [f"{FOLD}/model.keras", f"{ESTIMATOR}/model.skops"])
def test_a_pickle_in_the_place_of_a_model_is_not_read(copied, mark, name):
    (copied.folder / name).write_bytes(pickle.dumps(Runs(mark)))

    said = copied.xval("predict", name.rpartition("/")[0], CLIP)

    assert not mark.exists()
    assert said.returncode != 0
    assert "it is a pickle, which runs code when it is read" in " ".join((said.stdout + said.stderr).split())


def test_a_model_that_declares_more_than_it_has_takes_no_memory(copied):
    model = copied.folder / FOLD / "model.keras"
    with zipfile.ZipFile(model) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts["config.json"] = parts["config.json"].replace(b'"units": 2,', b'"units": 10000000000,')
    with zipfile.ZipFile(model, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)

    said = copied.mistake("-m", "xval", "predict", FOLD, CLIP)

    assert re.search(r"model\.keras: not loaded, because its layers need \d{10,} weights, but it has", " ".join(said.split()))


def test_a_pickled_table_of_audformat_is_not_read(empty, mark):
    pytest.importorskip("audformat")
    empty.file("db/db.yaml", "name: db\nsource: x\nusage: research\ntables:\n  files: {type: filewise}\n")
    (empty.folder / "db" / "db.files.pkl").write_bytes(pickle.dumps(Runs(mark)))

    said = empty.mistake("-m", "preprocessing", "audformat", "db", "--label", "emotion")

    assert not mark.exists()
    assert "is a pickle, which may run code, so it is not opened" in " ".join(said.split())


def test_a_header_of_audformat_runs_no_code(empty, mark):
    pytest.importorskip("audformat")
    empty.file("db/db.yaml", f"name: db\nsource: !!python/object/apply:os.mkdir ['{mark}']\n")

    said = empty.mistake("-m", "preprocessing", "audformat", "db", "--label", "emotion")

    assert not mark.exists()
    assert "db.yaml, line 2: the tag '!!python/object/apply:os.mkdir' creates a program's object" in " ".join(said.split())


def test_annotations_may_not_name_files_elsewhere(empty):
    empty.recordings()
    shutil.copy(empty.folder / CLIP, empty.folder / "elsewhere.wav")
    rows = [
        {"path": path, "start_s": 0.0, "end_s": 0.1, "label": "x", "item": "s0"}
        for path in ("low/s0_0.wav", "../elsewhere.wav")
    ]
    pd.DataFrame(rows).to_csv(empty.folder / "audio" / "events.csv", index=False)

    said = empty.mistake("-m", "preprocessing", "events", "audio/events.csv", "--dataset", "e")

    assert "../elsewhere.wav" in said
    assert not (empty.folder / "data" / "e").exists()


def test_augmented_copies_may_not_lie_elsewhere(empty):
    empty.recordings()
    shutil.copy(empty.folder / CLIP, empty.folder / "elsewhere.wav")
    empty.file(
        "audio/augmented.csv",
        "path,source,copy,time_factor,transforms,parameters,seed\n../elsewhere.wav,low/s0_0.wav,1,1.0,gain,{},1\n",
    )

    said = empty.mistake("-m", "preprocessing", "table", "audio/clips.csv", "--dataset", "small")

    assert "augmented.csv" in said
    assert "a path outside its folder" in " ".join(said.split())


@pytest.mark.parametrize(("ending", "n_bytes"), [("csv", GIB), ("xlsx", GIB), ("json", GIB)])
def test_a_table_of_more_than_a_gibibyte_is_not_read(empty, ending, n_bytes):
    empty.recordings()
    path = empty.file(f"audio/list.{ending}", "path,item,label\n")
    os.truncate(path, n_bytes + 1)

    said = " ".join(empty.mistake("-m", "preprocessing", "table", f"audio/list.{ending}", "--dataset", "small").split())

    assert f"list.{ending} cannot be read: larger than {n_bytes} bytes" in said


@pytest.mark.parametrize("name", ["model.json", "record.json"])
def test_a_description_of_more_than_256_mebibytes_is_not_read(copied, name):
    os.truncate(copied.folder / FOLD / name, (256 << 20) + 1)
    words = ("predict", FOLD, CLIP) if name == "model.json" else ("rebuild", copied.EXPERIMENT)

    ended = copied.xval(*words)

    said = " ".join((ended.stdout + ended.stderr).split())
    assert "Traceback" not in said
    assert f"{name}: larger than 268435456 bytes" in said
