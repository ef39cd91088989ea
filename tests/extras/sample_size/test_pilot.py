"""The variances of a pilot are those of its predictions, and a plan of the same size has the error that compare computes."""

import math

import numpy as np
import pandas as pd
import pytest

from xval.answers.comparison.choose import compare_instances
from xval.base.errors import ResultsError, SettingsError
from xval.extras.sample_size.pilot import find_pilots, read_pilots

N_ITEMS, N_CLIPS = 8, 12


def is_right(number):
    """Return whether an instance predicts each clip correctly, bool (N_ITEMS, N_CLIPS); the accuracy differs between items."""
    shares = np.linspace(0.3, 0.9, N_ITEMS)[:, None]
    return np.random.default_rng(number).random((N_ITEMS, N_CLIPS)) < shares


@pytest.fixture
def experiment(make_results, tmp_path):
    """Make an experiment of two instances and eight folds, each of which tests one item with 12 clips."""
    made = make_results(tmp_path, n_folds=N_ITEMS)
    for number in (1, 2):
        made.add_instance(number, batch_size=number)
        for fold, right in enumerate(is_right(number), start=1):
            add_fold(made, number, fold, right)
    return made


def add_fold(made, number, fold, right, **changes):
    targets = np.arange(N_CLIPS) % 2
    predictions = pd.DataFrame(
        {
            "side": "test",
            "item": f"speaker {fold}",
            "clip": [f"{fold}_{clip}" for clip in range(N_CLIPS)],
            "example": 0,
            "start_s": 0.0,
            "end_s": 1.0,
            "target": np.array(["no", "yes"])[targets],
            "probability_no": (np.where(right, targets, 1 - targets) == 0).astype(np.float32),
            "probability_yes": (np.where(right, targets, 1 - targets) == 1).astype(np.float32),
        }
    )
    metrics = {"accuracy": float(right.mean()), "loss": 0.5}
    item = {"test": {f"speaker {fold}": {"n_clips": N_CLIPS, "accuracy": metrics["accuracy"]}}}
    counts = {"training": 100, "validation": 20, "test": N_CLIPS}
    made.add_fold(number, fold, metrics, predictions, item_metrics=item, n_examples=counts, **changes)


def test_the_variance_of_clips_is_that_within_items(experiment):
    pilots, instances = read_pilots(experiment.folder.path, 2, 1, "accuracy")

    assert [instance.number for instance in instances] == [1, 2]
    assert (pilots.metric, pilots.item, pilots.value.n_items, pilots.value.n_clips) == ("accuracy", "item", N_ITEMS, N_CLIPS)
    for pilot, values in ((pilots.value, is_right(1) * 1.0), (pilots.difference, is_right(2) * 1.0 - is_right(1))):
        items, clips, runs = pilot.deviations
        assert clips**2 == pytest.approx(values.var(axis=1, ddof=1).mean())
        assert items**2 + clips**2 / N_CLIPS == pytest.approx(values.mean(axis=1).var(ddof=1))
        assert math.isnan(runs)


def test_a_study_as_large_as_the_pilot_has_its_error(experiment):
    pilots, _ = read_pilots(experiment.folder.path, 2, 1, "accuracy")
    (pair,) = compare_instances(experiment.folder.path, [2], baseline=1, metric="accuracy").pairs

    low, high = pair.interval
    assert pilots.difference.difference_half_width(N_ITEMS, 1) == pytest.approx((high - low) / 2)
    assert pilots.difference.detectable(N_ITEMS, 1) == pytest.approx(pair.least_detectable)
    assert pilots.difference.detectable(3 * N_ITEMS, 1) == pytest.approx(pair.planned(3 * N_ITEMS, 1))


def test_one_instance_has_no_difference(make_results, tmp_path):
    made = make_results(tmp_path, n_folds=N_ITEMS)
    made.add_instance(1)
    for fold, right in enumerate(is_right(1), start=1):
        add_fold(made, 1, fold, right)

    pilots, _ = read_pilots(made.folder.path, metric="accuracy")

    assert pilots.difference is None
    assert pilots.metric == "accuracy"


def test_instances_with_the_same_predictions_have_no_known_difference(experiment):
    experiment.add_instance(3, batch_size=3)
    for fold, right in enumerate(is_right(1), start=1):
        add_fold(experiment, 3, fold, right)

    with pytest.raises(
        ResultsError, match=r"Both have the same scores for every .* Give other instances \(--from EXPERIMENT:N, --baseline N\)"
    ):
        read_pilots(experiment.folder.path, 3, 1, "accuracy")


def test_without_predictions_the_share_of_the_clips_is_unknown(experiment):
    for path in experiment.folder.path.glob("instance_*/fold_*/predictions.parquet"):
        path.unlink()

    pilots, _ = read_pilots(experiment.folder.path, 2, 1, "accuracy")

    assert math.isnan(pilots.difference.clip_share)
    assert pilots.difference.detectable(20, 1) > 0


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((7,), ResultsError, "no instance 7 with a finished fold. Available: 1, 2"),
        ((1, 1), SettingsError, ":1 --baseline 1: expected two"),
        ((1, 2, "acuracy"), SettingsError, "Did you mean 'accuracy'"),
        ((1, 2, "loss"), ResultsError, "loss has no value per item"),
    ],
)
def test_a_missing_instance_or_metric_is_named(experiment, arguments, error, message):
    with pytest.raises(error, match=message):
        read_pilots(experiment.folder.path, *arguments)


def test_items_that_do_not_differ_have_no_known_variance(make_results, tmp_path):
    made = make_results(tmp_path, n_folds=2)
    made.add_instance(1)
    for fold in (1, 2):
        add_fold(made, 1, fold, is_right(1)[fold])

    with pytest.raises(ResultsError, match="2 items tested; expected at least 3 that differ"):
        read_pilots(made.folder.path, metric="accuracy")


def test_a_source_that_is_neither_a_name_nor_a_folder_is_refused():
    with pytest.raises(ResultsError, match=r"--from ravdes: no such folder.*Did you mean 'ravdess'"):
        find_pilots("ravdes")
    with pytest.raises(SettingsError, match="--metric: needs your own"):
        find_pilots("fsdd", metric="accuracy")
