"""Metrics of frames, in both forms, against figures worked out by hand and against scikit-learn."""

import warnings

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st

from xval.base.errors import JobError
from xval.measures.metrics import compute, metric_names


def one_hot(predicted, n_classes):
    return np.eye(n_classes, dtype=np.float32)[predicted]


def test_frames_of_background_alone_have_no_score_of_events():
    undefined = {"f1", "precision", "recall", "macro_f1", "macro_precision", "macro_recall", "mean_average_precision"}
    found = compute("frame_classification", np.array([0, 0]), one_hot([0, 0], 2))
    assert {name for name, value in found.items() if np.isnan(value)} == undefined
    assert found["accuracy"] == found["balanced_accuracy"] == 1
    several = compute("frame_classification", np.zeros((2, 2), np.float32), np.zeros((2, 2), np.float32))
    assert {name for name, value in several.items() if np.isnan(value)} == undefined | {"balanced_accuracy"}
    invented = compute("frame_classification", np.array([0, 0]), one_hot([0, 1], 2))
    assert invented["f1"] == invented["precision"] == 0
    assert np.isnan(invented["recall"])


@settings(max_examples=15, deadline=None)
@given(st.integers(2, 5), st.integers(1, 40), st.integers(0, 2**32 - 1), st.sampled_from(["multi_class", "multi_label"]))
def test_the_values_are_those_of_scikit_learn(n_classes, n_frames, seed, form):
    rng = np.random.default_rng(seed)
    predictions = rng.dirichlet(np.ones(n_classes), n_frames).astype(np.float32)
    if form == "multi_class":
        targets = rng.integers(0, n_classes, n_frames)
        true, predicted = one_hot(targets, n_classes)[:, 1:], one_hot(predictions.argmax(axis=1), n_classes)[:, 1:]
        scores = predictions[:, 1:]
    else:
        predictions = rng.uniform(size=(n_frames, n_classes)).astype(np.float32)
        targets = true = rng.integers(0, 2, (n_frames, n_classes)).astype(np.float32)
        predicted, scores = (predictions >= 0.5).astype(np.float32), predictions
    found = compute("frame_classification", targets, predictions)
    nan = {"zero_division": np.nan}
    expected = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in ("f1", "precision", "recall"):
            score = getattr(sklearn.metrics, f"{name}_score")
            expected[name] = score(true.ravel(), predicted.ravel(), **nan)
            expected[f"macro_{name}"] = np.nanmean([score(*each, **nan) for each in zip(true.T, predicted.T, strict=True)])
        occurs = true.any(axis=0)
        expected["mean_average_precision"] = np.mean(
            [sklearn.metrics.average_precision_score(*each) for each in zip(true.T[occurs], scores.T[occurs], strict=True)]
        )
        if form == "multi_class":
            expected["accuracy"] = sklearn.metrics.accuracy_score(targets, predictions.argmax(axis=1))
            expected["balanced_accuracy"] = sklearn.metrics.balanced_accuracy_score(targets, predictions.argmax(axis=1))
        else:
            expected["accuracy"] = 1 - sklearn.metrics.hamming_loss(true, predicted)
            both = [number for number in range(n_classes) if 0 < true[:, number].mean() < 1]
            expected["balanced_accuracy"] = (
                np.mean([sklearn.metrics.balanced_accuracy_score(true[:, each], predicted[:, each]) for each in both])
                if both
                else np.nan
            )
    assert found == pytest.approx(expected, nan_ok=True)
    assert tuple(found) == metric_names("frame_classification")


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (np.array([0, 3]), r"targets from 0 to 3 .* whole numbers from 0 to 2"),
        (np.array([0.0, 1.0]), "float64"),
        (np.zeros((2, 2), np.float32), r"targets \(2, 2\) and predictions \(2, 3\)"),
        (np.full((2, 3), 0.5, np.float32), r"targets from 0\.5 to 0\.5; expected 0 and 1"),
        (np.full((2, 3), np.nan, np.float32), "expected 0 and 1"),
    ],
)
def test_targets_of_neither_form_are_refused(targets, message):
    with pytest.raises(JobError, match=message):
        compute("frame_classification", targets, one_hot([0, 1], 3))
