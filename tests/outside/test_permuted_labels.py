"""``xval compare --permutations``: an estimator is trained again with permuted labels, and nothing of its results changes."""

import json
import re

import numpy as np
import pytest

pytestmark = pytest.mark.long


def one_class_each(study, n_items=10, *, effect=0.0, counts=(3, 9)):
    """Write a corpus in which each item has one class, and clips of an item are alike."""
    from preprocessing.store import write

    rng = np.random.default_rng(3)
    predictors, targets = {}, {}
    for number in range(n_items):
        n_clips = counts[number % len(counts)]
        shape = (n_clips, 12, 8)
        own = rng.normal(size=(1, 1, 8)) + effect * (number % 2)
        predictors[f"s{number}"] = (rng.normal(size=shape) + own).astype("float32")
        targets[f"s{number}"] = [("healthy", "ill")[number % 2]] * n_clips
    write("small", predictors, targets, data_folder=study.folder / "data", task_type="classification")


def permuted(study, *arguments):
    ended = study.xval("compare", study.EXPERIMENT, *arguments)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    written = json.loads((study.results / "instance_1" / "permutation_test.json").read_text())
    return written, " ".join(ended.stdout.split())


def files_of(study):
    return {
        path: path.read_bytes()
        for path in study.results.rglob("*")
        if path.is_file() and path.name != "permutation_test.json" and "code" not in path.parts
    }


def test_classes_that_can_be_learned_are_above_chance(study):
    study.train({"architecture": "logistic", "C": (0.1,)})
    before = files_of(study)
    written, text = permuted(study, "1", "--permutations", "19")
    assert written["n_as_high"] == 0
    assert written["p"] == pytest.approx(1 / 20)
    assert "It is above chance: p = 0.050 (0 of 19 permutations are as good; the labels of the clips of each" in text
    assert np.mean(written["permuted"]) == pytest.approx(1 / 3, abs=0.1)  # three classes
    assert files_of(study) == before
    assert study.xval("audit", study.EXPERIMENT).returncode == 0


def test_items_of_one_class_change_places(study):
    one_class_each(study)
    study.train({"architecture": "knn", "n_neighbors": (1,)}, fold_repeats=2)
    written, text = permuted(study, "--permutations", "19")
    assert written["permutes_items"]
    assert written["p"] > 0.05
    assert "It is not significantly above chance" in text
    assert "each item got the label and the folds of another" in text
    assert len(set(written["permuted"])) > 5


def test_a_regression_is_permuted_too(study):
    study.corpus("regression")
    study.train({"architecture": "ridge", "alpha": (1.0,)}, task_type="regression")
    written, _ = permuted(study, "1", "--permutations", "19")
    assert written["p"] == 0.05


def test_what_cannot_be_tested_is_named(study):
    from preprocessing.store import write

    rng = np.random.default_rng(0)
    predictors = {f"s{number}": rng.normal(size=(4, 12, 8)).astype("float32") for number in range(5)}
    targets = {item: np.full(4, float(item == "s0"), np.float32) for item in predictors}
    write("small", predictors, targets, data_folder=study.folder / "data", task_type="regression")
    instances = ({"architecture": "knn", "n_neighbors": (1,)}, {"architecture": "mlp", "n_units": (4,)})
    study.train(*instances, task_type="regression", num_epochs=1)
    command = ("-m", "xval", "compare", study.EXPERIMENT)
    network = study.mistake(*command, "2", "--permutations", "200")
    assert "instance 2 has architecture 'mlp', but only estimators are trained again" in network
    assert re.search(r"200 trainings of all its folds would take about \d+:\d\d:\d\d", network)
    few = study.mistake(*command, "1", "--permutations", "200")
    assert "its labels can be permuted in 5 different ways" in few
    assert "expected one instance" in study.mistake(*command, "1", "2", "--permutations", "99")
    assert "from 19" in study.mistake(*command, "1", "--permutations", "5")
