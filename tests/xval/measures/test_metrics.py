"""The registry of metrics: names, directions, refusals, and what it costs to ask."""

import subprocess
import sys

import numpy as np
import pytest

from xval.base.errors import DivergenceError, JobError, SettingsError
from xval.measures import binary
from xval.measures.metrics import (
    Metric,
    canonical_name,
    compute,
    describe,
    find,
    higher_is_better,
    lacks_class,
    least_outputs,
    metric,
    metric_names,
    task_types,
)
from xval.measures.task import find_task


def test_every_task_lists_its_metrics_in_the_order_of_its_file():
    assert task_types() == (
        "classification", "frame_classification", "multilabel_classification", "regression", "representation",
    )  # fmt: skip
    assert metric_names("classification") == (
        "accuracy", "balanced_accuracy", "macro_f1", "precision", "recall", "auc", "eer",
        "top_5_accuracy", "brier", "ece",
    )  # fmt: skip
    assert metric_names("frame_classification") == (
        "accuracy", "balanced_accuracy", "f1", "precision", "recall", "macro_f1", "macro_precision", "macro_recall",
        "mean_average_precision",
    )  # fmt: skip
    assert metric_names("regression") == ("mse", "rmse", "mae", "r2", "pearson", "ccc")
    assert metric_names("representation") == ("mse", "explained_variance")


@pytest.mark.parametrize("task_type", task_types())
def test_scores_rise_and_errors_and_losses_fall(task_type):
    directions = {name: higher_is_better(task_type, name) for name in ("loss", *metric_names(task_type))}
    errors = {"classification": ["eer", "brier", "ece"], "regression": ["mse", "rmse", "mae"], "representation": ["mse"]}
    errors["multilabel_classification"] = ["hamming_loss"]
    assert [name for name, higher in directions.items() if not higher] == ["loss", *errors.get(task_type, [])]


def test_a_metric_is_computed_from_so_many_classes_on():
    targets = np.arange(6)
    assert (least_outputs("classification", "top_5_accuracy"), least_outputs("classification", "own")) == (6, 1)
    assert "top_5_accuracy" not in compute("classification", targets % 5, np.full((6, 5), 0.2, np.float32))
    assert "top_5_accuracy" in compute("classification", targets, np.full((6, 6), 1 / 6, np.float32))


def test_further_metrics_are_computed_after_those_of_the_task_and_join_none():
    @metric(higher_is_better=False)
    def largest(targets, predictions):
        return predictions.max()

    found = compute("regression", np.zeros((2, 1), np.float32), np.float32([[1], [3]]), {"largest": Metric(largest, False)})

    assert list(found)[-1] == "largest"
    assert found["largest"] == 3
    assert largest.higher_is_better is False
    assert "largest" not in metric_names("regression")


def test_unknown_names_get_suggestions():
    with pytest.raises(SettingsError, match=r"unknown metric 'acuracy' of classification\. .*Did you mean 'accuracy'\?"):
        higher_is_better("classification", "acuracy")
    with pytest.raises(SettingsError, match=r"unknown metric 'acuracy' of classification\. .*Did you mean 'accuracy'\?"):
        find("classification", "acuracy")
    with pytest.raises(SettingsError, match=r"unknown task_type 'regresion'\. .*Did you mean 'regression'\?"):
        metric_names("regresion")


def test_names_that_are_usual_elsewhere_mean_a_metric_of_the_task_and_none_of_them_is_taken():
    assert canonical_name("classification", "uar") == canonical_name("frame_classification", "uar") == "balanced_accuracy"
    assert canonical_name("classification", "accuracy") == "accuracy"
    assert canonical_name("regression", "uar") == "uar"
    assert canonical_name("regression", "sklearn:max_error") == "sklearn.metrics.max_error"
    for task_type in task_types():
        names = metric_names(task_type)
        every = [
            *names,
            *(alias for name in names for alias in find(task_type, name).aliases),
            *find_task(task_type).keras_metrics,
        ]
        assert len(set(every)) == len(every)


def test_a_metric_is_described_by_its_docstring():
    assert describe("classification", "accuracy").startswith("the share of examples")
    assert "\n" not in describe("classification", "accuracy").strip()
    assert describe("classification", "acuracy") == ""


def test_metrics_of_classes_say_too_little_where_a_class_of_theirs_has_no_example():
    accuracy, balanced, auc = (find("classification", name) for name in ("accuracy", "balanced_accuracy", "auc"))

    assert [lacks_class(each, 2, [0]) for each in (accuracy, balanced, auc, None)] == [False, True, True, True]
    assert not any(lacks_class(each, 2, [0, 1]) for each in (accuracy, balanced, auc, None))
    assert not lacks_class(binary.find("sensitivity", 1), 2, [1])
    assert lacks_class(binary.find("sensitivity", 1), 2, [0])


def test_names_and_directions_load_no_heavy_package():
    code = (
        "import sys; from xval.measures.metrics import *; from xval.measures.metrics import higher_is_better, metric_names;"
        "metric_names('classification'); higher_is_better('regression', 'ccc');"
        "print(sorted({'sklearn', 'pandas', 'scipy', 'keras'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("task_type", task_types())
def test_arrays_without_examples_or_of_unequal_length_are_refused(task_type):
    with pytest.raises(JobError, match="received 0 targets and 0 predictions"):
        compute(task_type, np.zeros((0,), np.int64), np.zeros((0, 2), np.float32))
    with pytest.raises(JobError, match="received 2 targets and 3 predictions"):
        compute(task_type, np.zeros((2, 2), np.float32), np.zeros((3, 2), np.float32))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("task_type", task_types())
def test_predictions_that_are_no_numbers_are_a_divergence_and_get_no_score(task_type, bad):
    predictions = np.full((3, 2), 0.5, np.float32)
    predictions[1, 0] = bad
    with pytest.raises(DivergenceError, match="the predictions of 1 of 3 examples are NaN or infinite"):
        compute(task_type, np.zeros(3, np.int64), predictions)
