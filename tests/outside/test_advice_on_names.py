"""What a user names wrongly (instances, metrics, datasets) is answered with what is there and what to type."""

import json

import numpy as np
import pytest

SVM = {"architecture": "svm", "C": (1.0,), "kernel": "linear"}
LOGISTIC = {"architecture": "logistic", "C": (1.0, 10.0)}
CONSTANT = {"architecture": "constant"}
SEEDS = [{"architecture": "mlp", "n_units": (4,), "num_epochs": 1, "seed": seed} for seed in (1, 2)]
OTHER = (
    {f"s{item}": np.random.default_rng(item).normal(size=(4, 12, 8)).astype("float32") for item in range(6)},
    {f"s{item}": ["a", "b", "a", "b"] for item in range(6)},
)

LOAD = """
import json, sys
import xval
read = {}
for name, instances in {"text": "1", "range": "2-3", "list": [1, "3"], "both": "1,3"}.items():
    read[name] = sorted(set(xval.load_predictions("results/small/experiment_1", instances=instances)["instance"].tolist()))
for instances in ("nested", "9", 1.5, True):
    try:
        xval.load_predictions("results/small/experiment_1", instances=instances)
    except xval.XvalError as error:
        read[str(instances)] = str(error)
results = xval.Results("results/small/experiment_1")
try:
    results.load_model("9")
except xval.XvalError as error:
    read["model"] = str(error)
print(json.dumps(read))
"""


@pytest.fixture
def three(study):
    """Return a study with three estimators that were trained."""
    study.train(SVM, LOGISTIC, CONSTANT)
    return study


def test_predictions_of_instances_by_number_or_text(three):
    ended = three.python("-c", LOAD)
    assert ended.returncode == 0, ended.stderr
    read = json.loads(ended.stdout.splitlines()[-1])
    assert [read[name] for name in ("text", "range", "list", "both")] == [[1], [2, 3], [1, 3], [1, 3]]
    assert "instances: received 'nested'; expected a whole number" in read["nested"]
    assert "there is no instance 9. Available: 1, 2, 3." in read["9"]
    assert "instances: received 1.5; expected numbers" in read["1.5"]
    assert "instances: received True; expected numbers" in read["True"]
    assert "there is no instance 9. Available: 1-3." in read["model"]


def test_a_refit_prints_what_was_chosen_only_where_there_was_a_choice(three):
    printed = [" ".join(three.xval("refit", f"{three.EXPERIMENT}:{number}").stdout.split()) for number in (1, 2, 3)]
    assert "Instance 1: C=1.0, gamma=scale, as set; fitted on all items." in printed[0]
    assert "Instance 2: the folds chose C=" in printed[1]
    assert "; the search is repeated on all items." in printed[1]
    assert "Instance 3: its estimator has no settings to choose, and is fitted on all items." in printed[2]


def test_instances_for_a_page_are_answered_with_the_call_for_a_table(three):
    ended = three.xval("report", three.EXPERIMENT, "2", "3")
    assert ended.returncode == 2
    assert f"xval report {three.EXPERIMENT} 2,3 --latex" in ended.stderr


def test_a_metric_that_is_always_computed_is_guessed(study):
    study.script(SVM)
    error = study.mistake("exp.py", "--set", "metrics=balanced_acuracy")
    assert "Did you mean 'balanced_accuracy'? It is always computed, so remove it." in error


def test_a_typo_in_a_metric_comes_before_what_instances_differ_in(study):
    study.train(*SEEDS)
    ended = study.xval("compare", study.EXPERIMENT, "--metric", "balanced_acuracy")
    assert ended.returncode == 2
    assert "Did you mean 'balanced_accuracy'?" in ended.stderr
    assert "different seeds" not in ended.stderr
    assert "different seeds" in study.xval("compare", study.EXPERIMENT).stderr


def test_different_datasets_are_named_with_their_clips(study):
    from preprocessing.store import write

    write("other", *OTHER, data_folder=study.folder / "data", task_type="classification")
    study.train(SVM, CONSTANT)
    study.train(SVM, CONSTANT, dataset="other")
    ended = study.xval("compare", study.EXPERIMENT, "results/other/experiment_1")
    assert ended.returncode == 2
    assert "they were run on different datasets: 'other' (24 clips of 6 items tested), and 'small' (72 clips" in ended.stderr
    assert "(dataset = small)" in ended.stderr


def test_an_instance_without_a_path_is_said_to_be_of_which_experiment(study):
    study.train(SVM, CONSTANT)
    study.train(LOGISTIC, num_experiment=2)
    printed = " ".join(study.xval("compare", study.EXPERIMENT, "1", "results/small/experiment_2:1").stdout.split())
    assert f"Instances that are named without a path are of {study.EXPERIMENT}." in printed


@pytest.mark.long
def test_models_without_randomness_are_not_said_to_have_one_seed(study):
    study.train(SVM, CONSTANT, SEEDS[0], repeats=2)
    methods = [study.xval("compare", study.EXPERIMENT, *pair).stdout for pair in (("1", "2"), ("1", "3"))]
    assert "fitted once per fold, because no seed changes these models." in " ".join(methods[0].split())
    assert "averaged over 1 or 2 seeds within a fold." in " ".join(methods[1].split())
