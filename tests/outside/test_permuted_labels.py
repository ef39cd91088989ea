"""``xval permutation-test``: an estimator is trained again with permuted labels, and nothing of its results changes."""

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


def permuted(study, number="1"):
    ended = study.xval(
        "permutation-test", f"{study.EXPERIMENT}:{number}" if number else study.EXPERIMENT, "--permutations", "39"
    )
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
    written, text = permuted(study)
    assert written["n_as_high"] == 0
    assert written["p"] == pytest.approx(1 / 40)
    assert (
        "It is above chance: p = 0.025, one-sided, at the level 0.025 (0 of 39 permutations are as good; the labels of the"
        in text
    )
    assert np.mean(written["permuted"]) == pytest.approx(1 / 3, abs=0.1)  # three classes
    assert files_of(study) == before
    assert study.xval("audit", study.EXPERIMENT).returncode == 0


def test_items_of_one_class_change_places(study):
    one_class_each(study)
    study.train({"architecture": "knn", "n_neighbors": (1,)}, fold_repeats=2)
    written, text = permuted(study, number="")
    assert written["permutes_items"]
    assert written["p"] > 0.025
    assert "It is not significantly above chance" in text
    assert "each item got the label and the folds of another" in text
    assert len(set(written["permuted"])) > 5


def test_a_regression_is_permuted_too(study):
    study.corpus("regression")
    study.train({"architecture": "ridge", "alpha": (1.0,)}, task_type="regression")
    written, text = permuted(study)
    assert written["p"] == 0.025
    assert "It is better than chance: p = 0.025" in text
    assert f"lowest {min(written['permuted']):.3f}" in text


def test_what_cannot_be_tested_is_named(study):
    from preprocessing.store import write

    rng = np.random.default_rng(0)
    predictors = {f"s{number}": rng.normal(size=(4, 12, 8)).astype("float32") for number in range(5)}
    targets = {item: np.full(4, float(item == "s0"), np.float32) for item in predictors}
    write("small", predictors, targets, data_folder=study.folder / "data", task_type="regression")
    instances = ({"architecture": "knn", "n_neighbors": (1,)}, {"architecture": "mlp", "n_units": (4,)})
    study.train(*instances, task_type="regression", num_epochs=1)
    command = ("-m", "xval", "permutation-test")
    network = study.mistake(*command, f"{study.EXPERIMENT}:2", "--permutations", "200")
    assert "instance 2 has architecture 'mlp', but labels are permuted only for estimators" in network
    assert re.search(r"200 trainings of all its folds would take about \d+:\d\d:\d\d", network)
    few = study.mistake(*command, f"{study.EXPERIMENT}:1")
    assert "its labels can be permuted in only 5 ways" in few
    assert "one instance is needed here" in study.mistake(*command, f"{study.EXPERIMENT}:1,2")
    fewer = study.mistake(*command, f"{study.EXPERIMENT}:1", "--permutations", "19")
    assert "--permutations 19: p could be 0.05 at best. Give 39 or more, so that it can be 0.025" in fewer


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_labels_that_the_item_all_but_fixes_are_not_permuted(study, task):
    from preprocessing.store import write

    rng = np.random.default_rng(2)
    predictors, targets = {}, {}
    for number in range(12):
        values = 20 + 5 * number + rng.normal(size=6) if task == "regression" else [("healthy", "ill")[number % 2]] * 6
        if task == "classification" and number in (0, 3):
            values[0] = ("ill", "healthy")[number % 2]  # odd clips
        targets[f"s{number}"] = values
        predictors[f"s{number}"] = (rng.normal(size=(6, 5)) + number % 2).astype("float32")
    write("small", predictors, targets, data_folder=study.folder / "data", task_type=task)
    study.train({"architecture": "knn", "n_neighbors": (3,)}, task_type=task)

    refused = study.mistake("-m", "xval", "permutation-test", study.EXPERIMENT)

    labels = np.array([[label == "ill" for label in of] if task == "classification" else of for of in targets.values()], float)
    share = (labels - labels.mean(axis=1, keepdims=True)).var() / labels.var()
    assert f"nearly every item has one label: {share:.1%} of the variance of the labels is within items" in refused


def test_rare_labels_that_each_item_has_are_permuted(study):
    from preprocessing.store import write

    rng = np.random.default_rng(0)
    rare = np.arange(20) == 0  # 5 % of the clips of each item: permuting changes a tenth of the labels
    predictors = {f"s{number}": (rng.normal(size=(20, 5)) + 3 * rare[:, None]).astype("float32") for number in range(6)}
    targets = {item: np.where(rare, "cough", "speech").tolist() for item in predictors}
    write("small", predictors, targets, data_folder=study.folder / "data", task_type="classification")
    study.train({"architecture": "knn", "n_neighbors": (1,)})

    written, _ = permuted(study)

    assert written["p"] == 0.025


def test_the_option_of_compare_of_before_names_the_command(study):
    study.train({"architecture": "logistic"})
    text = study.mistake("-m", "xval", "compare", study.EXPERIMENT, "1", "--permutations", "39")
    assert "xval permutation-test EXPERIMENT:N --permutations 199" in text
