"""Features, waveforms and labelled frames are one array per store, in which each example is a segment."""

import json
import shutil
import zlib

import numpy as np
import pandas as pd
import pytest

from preprocessing.store import open_store, write
from tests.outside.conftest import FEATURES, arrays


def each_example(folder):
    """Return the examples of a store as NumPy and pandas read them, without this project."""
    everything, table = np.load(folder / "predictors.npy"), pd.read_parquet(folder / "examples.parquet")
    return table, [everything[first:stop] for first, stop in zip(table["first_row"], table["stop_row"], strict=True)]


def test_examples_of_a_script_are_rows_of_one_array(study):
    folder = study.folder / "data/small/features/custom"
    predictors, targets = arrays()

    table, examples = each_example(folder)

    np.testing.assert_array_equal(np.concatenate(examples), np.concatenate(list(predictors.values())))
    assert table["item"].tolist() == [item for item in predictors for _ in predictors[item]]
    classes = np.array(open_store(folder).class_names)[np.load(folder / "targets.npy")]
    assert classes.tolist() == [label for item in targets for label in targets[item]]
    x, y = open_store(folder)["s4"]
    np.testing.assert_array_equal(x, predictors["s4"])
    assert np.array(["a", "b", "c"])[y].tolist() == targets["s4"]


def test_sequences_of_frames_are_segments_of_one_array(empty):
    sequences = {item: [np.full((n, 3), ord(item) + n, np.float32) for n in (4, 2, 5)] for item in "ba"}
    labels = {item: [["x"] * len(frames) for frames in sequences[item]] for item in sequences}
    store = write("small", sequences, labels, task_type="frame_classification", data_folder=empty.folder)

    table, examples = each_example(store.folder)

    assert table["clip"].tolist() == ["a#0", "a#1", "a#2", "b#0", "b#1", "b#2"]
    for found, expected in zip(examples, [*sequences["a"], *sequences["b"]], strict=True):
        np.testing.assert_array_equal(found, expected.ravel())


@pytest.mark.parametrize("features", [{}, {"features": "waveform"}])
def test_a_store_of_an_earlier_version_is_converted_though_its_audio_is_gone(empty, features):
    empty.recordings()
    assert empty.prepare("table", "audio/clips.csv", "--dataset", "small", **features).returncode == 0
    (folder,) = (path.parent for path in (empty.folder / "data/small/features").glob("*/store.json"))
    before, moments = each_example(folder), (folder / "moments.npz").read_bytes()
    make_outdated(folder)
    shutil.rmtree(empty.folder / "audio")

    table, targets = open_store(folder).examples, open_store(folder).targets()

    found, examples = each_example(folder)
    pd.testing.assert_frame_equal(found, before[0])
    pd.testing.assert_frame_equal(table, before[0])
    np.testing.assert_array_equal(np.concatenate(examples), np.concatenate(before[1]))
    assert len(targets) == len(table)
    assert (folder / "moments.npz").read_bytes() == moments
    assert {path.name for path in folder.parent.iterdir() if path.is_dir()} == {folder.name}
    if not features:
        empty.train({"architecture": "mlp", "n_units": (4,)}, num_epochs=1, **FEATURES)


@pytest.mark.long
def test_arrays_of_an_earlier_version_train_and_are_audited(study):
    study.train({"architecture": "mlp", "n_units": (4,)}, num_epochs=1)
    folder = study.folder / "data/small/features/custom"
    before = np.load(folder / "predictors.npy")
    make_outdated(folder)

    audited = study.xval("audit", study.results)

    assert "feature stores are undamaged" in audited.stdout
    assert "not checkable" not in audited.stdout.partition("items:")[0]
    np.testing.assert_array_equal(np.load(folder / "predictors.npy"), before)


@pytest.mark.parametrize("change", ["shorter", "bit", "missing"])
def test_a_damaged_store_of_an_earlier_version_is_named_and_left_as_it_is(study, change):
    folder = study.folder / "data/small/features/custom"
    make_outdated(folder)
    path = folder / "predictors" / "s1.npy"
    content = path.read_bytes()
    if change == "missing":
        path.unlink()
    else:
        path.write_bytes(content[:-9] if change == "shorter" else content[:-1] + bytes([content[-1] ^ 1]))
    study.script({"architecture": "mlp"})

    assert "custom: missing or damaged (" in study.mistake("exp.py")

    assert (folder / "predictors").is_dir()


def make_outdated(folder):
    """Give a store the form that it had: a file for each item, and no segments in the table."""
    table, description = pd.read_parquet(folder / "examples.parquet"), json.loads((folder / "store.json").read_text())
    is_waveform, item_rows = description.pop("is_waveform"), description.pop("item_rows")
    for kind in ("predictors", "targets"):
        values = np.load(folder / f"{kind}.npy")
        (folder / kind).mkdir()
        for item, rows in table.groupby("item"):
            is_sample = is_waveform and kind == "predictors"
            own = values[rows["first_row"].min() : rows["stop_row"].max()] if is_sample else values[rows.index]
            np.save(folder / kind / f"{item}.npy", own)
        (folder / f"{kind}.npy").unlink()
    begin = table.groupby("item")["first_row"].transform("min")
    spans = {"first": table.pop("first_row") - begin, "stop": table.pop("stop_row") - begin} if is_waveform else {}
    table.drop(columns=["first_row", "stop_row"], errors="ignore").assign(**spans).to_parquet(
        folder / "examples.parquet", index=False
    )
    description |= {"format_version": 2, "item_samples": item_rows if is_waveform else None}
    (folder / "store.json").write_text(json.dumps(description))
    files = [path for path in folder.rglob("*") if path.is_file() and path.name not in ("checksums.json", "left_out.csv")]
    crc32 = {path.relative_to(folder).as_posix(): f"{zlib.crc32(path.read_bytes()):08x}" for path in files}
    (folder / "checksums.json").write_text(json.dumps({"format_version": 1, "crc32": crc32}))
