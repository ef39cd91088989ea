"""Features, waveforms and labelled frames are one array per store, in which each example is a segment."""

import json

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


@pytest.mark.long
def test_features_of_an_earlier_version_are_made_again_and_a_line_says_so(empty):
    empty.recordings()
    assert empty.prepare("table", "audio/clips.csv", "--dataset", "small").returncode == 0
    (folder,) = (path.parent for path in (empty.folder / "data/small/features").glob("*/store.json"))
    before = each_example(folder)
    make_outdated(folder)

    ended = empty.train({"architecture": "mlp", "n_units": (4,)}, num_epochs=1, **FEATURES)

    assert f"{folder.relative_to(empty.folder)} was made by an earlier version of xval, and is made again." in ended.stdout
    table, examples = each_example(folder)
    pd.testing.assert_frame_equal(table, before[0])
    np.testing.assert_array_equal(np.concatenate(examples), np.concatenate(before[1]))
    assert empty.record()["store"] == folder.name
    assert "earlier version" not in empty.run("--rerun").stdout


def test_arrays_of_an_earlier_version_are_refused_with_the_script_to_run(study):
    make_outdated(study.folder / "data/small/features/custom")
    study.script({"architecture": "mlp"})

    ended = study.run()

    assert ended.returncode == 2
    assert (
        "custom: made by an earlier version of xval. Run the script that writes it with preprocessing.store.write"
        in ended.stderr
    )
    study.corpus()
    assert study.run().returncode == 0


def make_outdated(folder):
    """Give a store the form that it had: a file for each item, and no segments in the table."""
    for kind in ("predictors", "targets"):
        values, table = np.load(folder / f"{kind}.npy"), pd.read_parquet(folder / "examples.parquet")
        (folder / kind).mkdir()
        for item, rows in table.groupby("item"):
            np.save(folder / kind / f"{item}.npy", values[rows.index])
        (folder / f"{kind}.npy").unlink()
    table.drop(columns=["first_row", "stop_row"]).to_parquet(folder / "examples.parquet", index=False)
    description = json.loads((folder / "store.json").read_text()) | {"format_version": 2}
    del description["item_rows"], description["is_waveform"]
    (folder / "store.json").write_text(json.dumps(description))
