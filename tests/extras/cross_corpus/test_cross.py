"""Cross-corpus evaluation: the diagonal is the cross-validation, the other cells test final models on other datasets."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from preprocessing import store
from xval import load_model


def write(name, labels, seed):
    """Write a dataset of six speakers, whose classes differ in one of eight values; return its predictors and targets."""
    rng = np.random.default_rng(seed)
    place = {"a": 0, "b": 1, "c": 2, "d": 3}
    predictors, targets = {}, {}
    for speaker in range(6):
        classes = np.array(list(labels))[np.arange(12) % len(labels)]
        values = rng.normal(size=(12, 8)).astype(np.float32)
        values[np.arange(12), [place[label] for label in classes]] += 1.5
        predictors[f"speaker_{speaker}"], targets[f"speaker_{speaker}"] = values, classes
    store.write(name, predictors, targets, data_folder="data")
    return np.concatenate(list(predictors.values())), np.concatenate(list(targets.values()))


def balanced_accuracy(targets, predictions):
    targets, predictions = np.asarray(targets), np.asarray(predictions)
    return np.mean([(predictions[targets == label] == label).mean() for label in np.unique(targets)])


SETTINGS = {"architecture": "logistic", "C": "1.0", "num_folds": "3", "fold_repeats": "1", "page": "none", "executor": "inline"}


@pytest.fixture
def cross(in_process, project):
    """Return a function that runs the command as a user would, and returns the ended process."""
    options = [word for name, value in SETTINGS.items() for word in ("--set", f"{name}={value}")]
    return lambda *arguments: project.run_module("xval", "cross-corpus", *arguments, *options)


def test_all_pairs_are_tested_and_labels_that_are_not_common_are_excluded(cross):
    write("one", "abc", 1)
    predictors, targets = write("two", "abd", 2)

    ended = cross("one", "two", "--format", "json")

    assert ended.returncode == 0, ended.stderr
    table = pd.DataFrame(json.loads(ended.stdout)).set_index(["trained_on", "tested_on"])
    assert list(table.index) == [("one", "one"), ("one", "two"), ("two", "two"), ("two", "one")]
    assert (table["n_items"] == 6).all()
    assert (table["n_clips"] == 48).all()
    assert table["chance"].tolist() == pytest.approx([0.5] * 4)
    assert "one: excluded 24 clips with labels that not all datasets have: c." in ended.stderr
    files = sorted(Path("results/cross/one/experiment_1/instance_1").glob("fold_*/predictions.parquet"))
    within = pd.concat([pd.read_parquet(file).query("side == 'test'") for file in files])
    assert table.loc[("one", "one"), "value"] == pytest.approx(balanced_accuracy(within["target"], within["predicted"]))

    # By hand: the final model of the first corpus on the clips of the second with labels of both.
    is_common = targets != "d"
    model = load_model("results/cross/one/experiment_1/instance_1/refit")
    predictions = model.predict(list(predictors[is_common]))["predicted"]
    value = balanced_accuracy(targets[is_common], predictions)
    assert table.loc[("one", "two"), "value"] == pytest.approx(value)
    assert table.loc[("one", "two"), "low"] < value < table.loc[("one", "two"), "high"]

    shown = cross("one", "two", "--set", "item_name=speaker").stdout  # finished jobs are reused
    assert "balanced_accuracy [95 % interval over the speakers of the tested dataset]" in shown
    assert f"{table.loc[('one', 'two'), 'value']:.3f} [" in shown


def test_other_settings_are_another_instance_of_the_same_experiments(cross):
    write("one", "ab", 1)
    write("two", "ab", 2)

    ended = [cross("one", "two", "--set", f"class_weights={weights}") for weights in ("none", "balanced", "none")]

    assert [one.returncode for one in ended] == [0, 0, 0], ended[1].stderr
    assert sorted(path.name for path in Path("results/cross/one/experiment_1").glob("instance_*")) == [
        "instance_1",
        "instance_2",
    ]


def test_datasets_without_common_labels_raise_before_any_training(cross):
    write("one", "ab", 1)
    write("two", "cd", 2)

    ended = cross("one", "two")

    assert ended.returncode == 2
    assert "have 0 labels in common; expected at least two (one: a, b; two: c, d)" in ended.stderr
    assert "two or more different datasets" in cross("one", "one").stderr
