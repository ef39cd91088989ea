"""Metrics of a positive class and metrics by the names of scikit-learn, against scikit-learn."""

import math

import numpy as np
import pytest
from sklearn import metrics as theirs

from xval.base.errors import SettingsError
from xval.measures import binary, sklearn_metrics
from xval.measures.operating_points import find_curves

RNG = np.random.default_rng(0)
TARGETS = RNG.choice(3, 200, p=[0.5, 0.3, 0.2])
PREDICTIONS = RNG.dirichlet([1, 1, 1], 200).astype(np.float32)
PREDICTIONS[np.arange(100), TARGETS[:100]] += 0.5
PREDICTIONS /= PREDICTIONS.sum(axis=1, keepdims=True)


def test_metrics_of_the_positive_class_are_those_of_scikit_learn():
    true, found = TARGETS == 1, PREDICTIONS.argmax(axis=1) == 1

    measured = {name: binary.find(name, 1).function(TARGETS, PREDICTIONS) for name in binary.NAMES[:5]}

    assert measured == {
        "sensitivity": theirs.recall_score(true, found),
        "specificity": theirs.recall_score(~true, ~found),
        "f1": theirs.f1_score(true, found),
        "ppv": theirs.precision_score(true, found),
        "npv": theirs.precision_score(~true, ~found),
    }
    assert binary.find("f1", 1).rests_on(TARGETS).T.tolist() == [true.tolist(), (~true).tolist()]
    assert binary.find("sensitivity", 1).rests_on(TARGETS).T.tolist() == [true.tolist()]
    assert binary.find("specificity", 1).rests_on(TARGETS).T.tolist() == [(~true).tolist()]
    assert math.isnan(binary.find("sensitivity", 1).function(np.array([0, 2]), PREDICTIONS[:2]))
    assert {binary.find(name, 1).bounds for name in binary.NAMES} == {(0, 1)}


@pytest.mark.parametrize(("name", "level", "by_threshold"), [
    ("sensitivity_at_specificity_90", 0.9, "specificity"), ("specificity_at_sensitivity_90", 0.9, "sensitivity"),
])  # fmt: skip
def test_a_metric_at_a_fixed_point_is_read_from_the_roc_curve(name, level, by_threshold):
    alarms, hits, _ = theirs.roc_curve(TARGETS == 1, PREDICTIONS[:, 1], drop_intermediate=False)
    wanted = hits[1 - alarms >= level].max() if by_threshold == "specificity" else (1 - alarms[hits >= level]).max()

    metric = binary.find(name, 1)

    assert metric.function(TARGETS, PREDICTIONS) == pytest.approx(wanted)
    assert metric.chance(TARGETS, np.ones(200)).value == pytest.approx(1 - level)
    assert metric.is_pooled
    assert math.isnan(metric.function(np.array([0, 2]), PREDICTIONS[:2]))


def test_curves_are_those_of_scikit_learn():
    curves = find_curves(TARGETS == 1, PREDICTIONS[:, 1])

    precision, recall, _ = theirs.precision_recall_curve(TARGETS == 1, PREDICTIONS[:, 1], drop_intermediate=True)
    np.testing.assert_array_equal(curves.roc, theirs.roc_curve(TARGETS == 1, PREDICTIONS[:, 1])[:2])
    np.testing.assert_array_equal(curves.precision_recall, [recall, precision])
    np.testing.assert_array_equal(curves.det, theirs.det_curve(TARGETS == 1, PREDICTIONS[:, 1])[:2])
    assert find_curves(TARGETS == 3, PREDICTIONS[:, 1]) is find_curves(TARGETS < 3, PREDICTIONS[:, 1]) is None


def test_names_that_are_usual_elsewhere_mean_a_metric_of_the_positive_class():
    names = {
        "TPR": "sensitivity", "true_positive_rate": "sensitivity", "tnr": "specificity", "f1_binary": "f1", "F1Score": "f1",
        "positive_predictive_value": "ppv", "NPV": "npv", "accuracy": "accuracy",
    }  # fmt: skip
    assert {name: binary.canonical(name) for name in names} == names


def test_a_positive_class_that_there_is_not_is_refused():
    names, where = ("healthy", "ill"), "positive_class = {}"
    binary.check_class(["f1", "accuracy"], "ill", names, where)
    binary.check_class(["accuracy"], None, names, where)
    assert [binary.number_of(name, names) for name in ("ill", "il", None)] == [1, None, None]
    with pytest.raises(SettingsError, match=r"^positive_class: 'il' is not a class of the dataset.*Did you mean 'ill'"):
        binary.check_class([], "il", names, where)
    with pytest.raises(
        SettingsError,
        match=r"^metric 'f1' needs one class to detect; the dataset has healthy, ill\. .* positive_class = ill\.$",
    ):
        binary.check_class(["accuracy", "f1"], None, names, where)


@pytest.mark.parametrize(
    ("name", "higher", "bounds", "wanted"),
    [
        ("cohen_kappa_score", True, (-1, 1), lambda true, found, _: theirs.cohen_kappa_score(true, found)),
        ("f1_score", True, (0, 1), lambda true, found, _: theirs.f1_score(true, found, average="macro")),
        ("f1_weighted", True, (0, 1), lambda true, found, _: theirs.f1_score(true, found, average="weighted")),
        ("zero_one_loss", False, (0, 1), lambda true, found, _: theirs.zero_one_loss(true, found)),
        ("log_loss", False, (0, math.inf), lambda true, _, shares: theirs.log_loss(true, shares)),
        ("neg_log_loss", True, (-math.inf, 0), lambda true, _, shares: -theirs.log_loss(true, shares)),
        ("roc_auc_score", True, (0, 1), lambda true, _, shares: theirs.roc_auc_score(true, shares, multi_class="ovr")),
        ("matthews_corrcoef", True, (-1, 1), lambda true, found, _: theirs.matthews_corrcoef(true, found)),
    ],
)
def test_metrics_of_classes_have_the_values_directions_and_bounds_of_scikit_learn(name, higher, bounds, wanted):
    shares = PREDICTIONS.astype(float) / PREDICTIONS.astype(float).sum(axis=1, keepdims=True)

    found = sklearn_metrics.load(name, has_classes=True)

    assert found.function(TARGETS, PREDICTIONS) == pytest.approx(wanted(TARGETS, PREDICTIONS.argmax(axis=1), shares))
    assert (found.higher_is_better, found.bounds) == (higher, bounds)
    assert sklearn_metrics.direction(name) is higher


def test_probabilities_of_two_classes_are_those_of_the_second_and_undefined_values_are_nan():
    two = np.stack([1 - PREDICTIONS[:, 1], PREDICTIONS[:, 1]], axis=1)
    auc, loss = (sklearn_metrics.load(name, has_classes=True) for name in ("roc_auc_score", "log_loss"))

    assert auc.function((TARGETS == 1) * 1, two) == pytest.approx(theirs.roc_auc_score(TARGETS == 1, two[:, 1]))
    assert loss.function(np.zeros(3, int), PREDICTIONS[:3]) > 0  # it is told which classes there are
    assert math.isnan(sklearn_metrics.load("roc_auc_score", has_classes=True).function(TARGETS[:1], PREDICTIONS[:1]))


def test_several_labels_are_decided_at_a_half_and_numbers_are_taken_as_they_are():
    labels = np.float32(PREDICTIONS > 0.3)
    precision, hamming = (sklearn_metrics.load(name, has_classes=True) for name in ("average_precision_score", "hamming_loss"))
    error, r2 = (sklearn_metrics.load(name, has_classes=False) for name in ("median_absolute_error", "r2_score"))
    target = TARGETS[:, np.newaxis].astype(float)

    assert precision.function(labels, PREDICTIONS) == pytest.approx(theirs.average_precision_score(labels, PREDICTIONS))
    assert hamming.function(labels, PREDICTIONS) == pytest.approx(theirs.hamming_loss(labels, PREDICTIONS >= 0.5))
    assert error.function(target, target + 3) == pytest.approx(3)
    assert (error.higher_is_better, error.bounds, r2.bounds) == (False, (0, math.inf), (-math.inf, 1))


def test_what_is_no_metric_of_scikit_learn_is_refused():
    with pytest.raises(
        SettingsError, match=r"^metric 'sklearn:cohen_kapa_score': unknown\. .*Did you mean 'cohen_kappa_score'"
    ):
        sklearn_metrics.load("cohen_kapa_score", has_classes=True)
    with pytest.raises(
        SettingsError, match="'sklearn:confusion_matrix': scikit-learn does not define whether higher is better"
    ):
        sklearn_metrics.direction("confusion_matrix")
