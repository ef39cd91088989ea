"""The reliability curve and what sums it up, against values worked out by hand."""

import numpy as np
import pytest

from xval.base.errors import JobError
from xval.measures.calibration import at_temperature, measure_calibration, temperature_of_clips


def two_classes(confidences, is_right):
    """Return targets and probabilities of a classifier that always answers with class 1, as sure as told."""
    probabilities = np.array([[1 - each, each] for each in confidences], np.float32)
    return np.array([1 if right else 0 for right in is_right]), probabilities


def test_bins_hold_accuracy_and_confidence_and_the_errors_are_their_distances():
    # Bins of 0.2: three answers of confidence 0.75 (two right), one of 0.95 (wrong).
    found = measure_calibration(*two_classes([0.75, 0.75, 0.75, 0.95], [True, True, False, False]), n_bins=5)

    assert found.counts.tolist() == [0, 0, 0, 3, 1]
    assert np.isnan(found.accuracy[:3]).all()  # empty, not 0
    assert np.isnan(found.confidence[:3]).all()
    assert found.accuracy[3:] == pytest.approx([2 / 3, 0])
    assert found.confidence[3:] == pytest.approx([0.75, 0.95])
    assert found.ece == pytest.approx((3 * (0.75 - 2 / 3) + 0.95) / 4)
    assert found.mce == pytest.approx(0.95)
    assert found.brier == pytest.approx((2 * 2 * 0.25**2 + 2 * 0.75**2 + 2 * 0.95**2) / 4)


def test_a_classifier_that_is_sure_and_right_has_no_error_and_one_that_is_wrong_has_the_largest():
    targets = np.array([0, 1, 2, 2])
    right = measure_calibration(targets, np.eye(3, dtype=np.float32)[targets])
    wrong = measure_calibration(targets, np.eye(3, dtype=np.float32)[(targets + 1) % 3])

    assert (right.ece, right.mce, right.brier) == (0, 0, 0)
    assert (wrong.ece, wrong.mce, wrong.brier) == (1, 1, 2)
    assert len(right.counts) == 15


def test_a_bin_holds_its_upper_edge():
    found = measure_calibration(*two_classes([0.5, 0.75, 1.0], [True] * 3), n_bins=4)

    assert found.counts.tolist() == [0, 1, 1, 1]
    assert found.table["n"].sum() == 3


@pytest.mark.parametrize(
    ("targets", "probabilities", "message"),
    [
        (np.array([0]), np.array([0.5, 0.5]), r"probabilities \(2,\)"),
        (np.zeros(0, int), np.zeros((0, 2)), r"targets \(0,\)"),
        (np.array([0]), np.array([[1.5, -0.5]]), "from -0.5 to 1.5"),
        (np.array([0]), np.array([[np.nan, 0.5]]), "from nan"),
    ],
)
def test_what_are_no_probabilities_is_refused(targets, probabilities, message):
    with pytest.raises(JobError, match=message):
        measure_calibration(targets, probabilities)


def overconfident(n_clips, seed, *, n_windows=1, sharpness=3.0):
    """Return probabilities that are far too sure, classes, clips and items of two speakers."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n_clips, 4)) * 2
    true = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    targets = (rng.random((n_clips, 1)) > true.cumsum(axis=1)[:, :-1]).sum(axis=1)
    rows = np.repeat(np.arange(n_clips), n_windows)
    return at_temperature(true[rows], 1 / sharpness), targets[rows], rows, rows % 2


def test_a_temperature_makes_probabilities_as_sure_as_they_are_right():
    temperature = temperature_of_clips(*overconfident(2000, seed=1), "probabilities")
    unseen, targets, *_ = overconfident(2000, seed=2)
    calibrated = at_temperature(unseen, temperature)

    assert temperature == pytest.approx(3, rel=0.1)
    assert measure_calibration(targets, calibrated).ece < 0.04 < 0.15 < measure_calibration(targets, unseen).ece
    np.testing.assert_array_equal(calibrated.argmax(axis=1), unseen.argmax(axis=1))


@pytest.mark.parametrize("clip_average", ["probabilities", "logits", "votes"])
def test_copies_of_a_window_leave_the_temperature_of_its_clip(clip_average):
    once, thrice = (overconfident(200, 1, n_windows=n_windows) for n_windows in (1, 3))

    found = temperature_of_clips(*thrice, clip_average)

    assert found == pytest.approx(temperature_of_clips(*once, "probabilities"), rel=1e-3)


def test_every_speaker_counts_alike_however_many_clips_there_are():
    predictions, targets, clips, _ = overconfident(400, 1)
    items = np.where(clips < 20, "few", "many")
    targets = np.where(clips < 20, (predictions.argmax(axis=1) + 1) % 4, targets)  # always wrong on the one of few clips

    few, many = (temperature_of_clips(predictions, targets, clips, chosen, "probabilities") for chosen in (items, clips * 0))

    assert few > 2 * many


def test_few_clips_that_are_all_right_do_not_make_it_certain():
    predictions = np.full((6, 3), 0.001, np.float32) + np.eye(3, dtype=np.float32)[[0, 1, 2] * 2] * 0.997
    clips = np.arange(6)

    temperature = temperature_of_clips(predictions, np.array([0, 1, 2] * 2), clips, clips % 2, "probabilities")

    assert at_temperature(predictions, temperature).max(axis=1) == pytest.approx(7 / 8, abs=1e-3)  # (6 + 1) / (6 + 2)
