"""Metrics of classification against figures worked out by hand and against scikit-learn."""

import warnings

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st

from xval.base.errors import JobError
from xval.measures.confusion import class_metrics, confusion_matrix
from xval.measures.metrics import compute, find


def one_hot(predicted, n_classes):
    return np.eye(n_classes, dtype=np.float32)[predicted]


@st.composite
def answers(draw):
    n_classes, n_examples = draw(st.integers(2, 6)), draw(st.integers(1, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    predictions = rng.dirichlet(np.ones(n_classes), n_examples).astype(np.float32)
    if draw(st.booleans()):
        predictions = np.round(predictions, 1)  # ties
    return rng.integers(0, n_classes, n_examples), predictions


def test_scores_worked_out_by_hand():
    # true 0 0 0 0 1 1, predicted 0 0 0 1 1 0: recall 3/4 and 1/2, precision 3/4 and 1/2
    targets = np.array([0, 0, 0, 0, 1, 1])
    predictions = np.float32([[0.9, 0.1], [0.8, 0.2], [0.6, 0.4], [0.3, 0.7], [0.2, 0.8], [0.7, 0.3]])
    found = compute("classification", targets, predictions)
    assert found["accuracy"] == pytest.approx(4 / 6)
    assert found["balanced_accuracy"] == found["recall"] == pytest.approx((3 / 4 + 1 / 2) / 2)
    assert found["precision"] == found["macro_f1"] == pytest.approx((3 / 4 + 1 / 2) / 2)
    assert found["auc"] == pytest.approx(6 / 8)  # pairs of one example of each class in the right order


def test_a_class_that_is_only_predicted_lowers_recall_but_not_balanced_accuracy():
    found = compute("classification", np.array([0, 0, 1, 1]), one_hot([0, 0, 1, 2], 3))
    assert found["balanced_accuracy"] == pytest.approx((1 + 1 / 2) / 2)
    assert found["recall"] == pytest.approx((1 + 1 / 2 + 0) / 3)
    assert found["precision"] == pytest.approx((1 + 1 + 0) / 3)
    assert found["macro_f1"] == pytest.approx((1 + 2 / 3 + 0) / 3)


def test_classes_that_occur_nowhere_do_not_count():
    targets, predicted = np.array([0, 1, 1]), [0, 1, 0]
    few, many = (compute("classification", targets, one_hot(predicted, n_classes)) for n_classes in (2, 9))
    assert many.pop("top_5_accuracy") == 1
    assert few == many


@pytest.mark.parametrize(
    ("targets", "scores", "wanted"),
    [
        ([0, 0, 0, 0, 1, 1], [0.1, 0.2, 0.4, 0.7, 0.8, 0.3], 1 / 2),
        ([0, 0, 0, 1, 1], [0.1, 0.2, 0.6, 0.5, 0.9], 1 / 3),  # between two points of the curve of class 0
        ([0, 0, 1, 1], [0.5, 0.5, 0.5, 0.5], 1 / 2),  # one threshold for all: the diagonal
        ([0, 0, 1, 1], [0.9, 0.8, 0.2, 0.1], 1),
        ([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9], 0),
    ],
)
def test_the_equal_error_rate_of_two_classes_worked_out_by_hand(targets, scores, wanted):
    scores = np.float32(scores)
    found = compute("classification", np.array(targets), np.stack([1 - scores, scores], axis=1))
    assert found["eer"] == pytest.approx(wanted, abs=1e-6)


def test_the_equal_error_rate_is_the_mean_over_the_classes_that_occur():
    rng = np.random.default_rng(4)
    targets, predictions = rng.integers(0, 3, 60), rng.dirichlet(np.ones(4), 60).astype(np.float32)
    by_class = []
    for number in range(3):
        positive, negative = predictions[targets == number, number], predictions[targets != number, number]
        # Misses and false alarms at thresholds so close that interpolation does not matter
        thresholds = np.sort(predictions[:, number])
        misses = np.array([(positive < threshold).mean() for threshold in thresholds])
        alarms = np.array([(negative >= threshold).mean() for threshold in thresholds])
        by_class.append(((misses + alarms) / 2)[np.abs(misses - alarms).argmin()])
    assert compute("classification", targets, predictions)["eer"] == pytest.approx(np.mean(by_class), abs=0.02)
    assert np.isnan(compute("classification", np.array([1, 1]), predictions[:2])["eer"])


def test_calibration_worked_out_by_hand():
    # confidences 0.9, 0.9, 0.6, 0.6 in two bins; right, wrong, right, right
    predictions = np.float32([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.4, 0.6]])
    found = compute("classification", np.array([0, 1, 0, 1]), predictions)
    assert found["ece"] == pytest.approx((abs(1 / 2 - 0.9) + abs(1 - 0.6)) / 2)
    assert found["brier"] == pytest.approx((0.02 + 1.62 + 0.32 + 0.32) / 4)
    chance = find("classification", "brier").chance(np.array([0, 0, 0, 1]), np.full(4, 0.25))
    constant = compute("classification", np.array([0, 0, 0, 1]), np.tile(np.float32([0.75, 0.25]), (4, 1)))
    assert chance.value == pytest.approx(constant["brier"])
    assert constant["ece"] == pytest.approx(find("classification", "ece").chance(np.array([0]), np.ones(1)).value)
    no_probabilities = compute("classification", np.array([0, 1]), np.float32([[3.0, -1.0], [0.5, 0.5]]))
    assert np.isnan([no_probabilities["ece"], no_probabilities["brier"]]).all()


def test_top_5_accuracy_counts_the_five_most_probable_classes():
    # every class number of 0..6 once; class 6 is the least probable, class 5 the sixth
    predictions = np.repeat(np.float32([[0.3, 0.2, 0.15, 0.12, 0.1, 0.08, 0.05]]), 7, axis=0)
    assert compute("classification", np.arange(7), predictions)["top_5_accuracy"] == pytest.approx(5 / 7)
    assert compute("classification", np.arange(7), np.full((7, 7), 1 / 7, np.float32))["top_5_accuracy"] == pytest.approx(5 / 7)


def test_auc_is_nan_when_one_class_is_all_there_is():
    found = compute("classification", np.array([1, 1, 1]), one_hot([1, 0, 1], 2))
    assert np.isnan(found["auc"])
    assert found["accuracy"] == pytest.approx(2 / 3)


def test_confusion_matrix_has_true_classes_in_rows():
    counts = confusion_matrix(np.array([0, 0, 2, 2, 2]), one_hot([0, 1, 2, 2, 0], 4))
    assert counts == [[1, 1, 0, 0], [0, 0, 0, 0], [1, 0, 2, 0], [0, 0, 0, 0]]


def test_class_metrics_are_nan_where_nothing_can_be_divided_by():
    found = class_metrics(np.array([0, 0, 1, 1]), one_hot([0, 0, 0, 2], 4), ["a", "b", "c", "d"])
    assert found["a"] == {"precision": pytest.approx(2 / 3), "recall": 1.0, "f1": pytest.approx(0.8), "n_clips": 2}
    assert found["b"] == {"precision": pytest.approx(np.nan, nan_ok=True), "recall": 0.0, "f1": 0.0, "n_clips": 2}
    assert found["c"] == {"precision": 0.0, "recall": pytest.approx(np.nan, nan_ok=True), "f1": 0.0, "n_clips": 0}
    assert np.isnan(found["d"]["f1"])


@settings(deadline=None)
@given(answers())
def test_scikit_learn_agrees(drawn):
    targets, predictions = drawn
    predicted = predictions.argmax(axis=1)
    found = compute("classification", targets, predictions)
    macro = {"average": "macro", "zero_division": 0.0}
    with warnings.catch_warnings(action="ignore"):  # of many classes, and of classes without targets
        expected = {
            "accuracy": sklearn.metrics.accuracy_score(targets, predicted),
            "balanced_accuracy": sklearn.metrics.balanced_accuracy_score(targets, predicted),
            "macro_f1": sklearn.metrics.f1_score(targets, predicted, **macro),
            "precision": sklearn.metrics.precision_score(targets, predicted, **macro),
            "recall": sklearn.metrics.recall_score(targets, predicted, **macro),
        }
    del found["auc"], found["eer"], found["ece"]
    expected["brier"] = np.mean(np.sum((predictions - one_hot(targets, predictions.shape[1])) ** 2, axis=1))
    if any(len(set(row)) < len(row) for row in predictions.tolist()):
        found.pop("top_5_accuracy", None)  # of equal ones scikit-learn takes the last
    elif predictions.shape[1] > 5:
        labels = range(predictions.shape[1])
        expected["top_5_accuracy"] = sklearn.metrics.top_k_accuracy_score(targets, predictions, k=5, labels=labels)
    assert found == pytest.approx(expected)


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (np.array([0, 3]), r"targets from 0 to 3 .* whole numbers from 0 to 2"),
        (np.array([-1, 0]), r"targets from -1 to 0"),
        (np.array([0.0, 1.0]), r"float64"),
        (np.array([[0], [1]]), r"targets \(2, 1\) and predictions \(2, 3\)"),
    ],
)
def test_targets_that_are_no_class_numbers_are_refused(targets, message):
    with pytest.raises(JobError, match=message):
        compute("classification", targets, one_hot([0, 1], 3))
