"""Repeats of a fold: averaged within it first, numbers worked out by hand; and instances that differ in their seed alone."""

import math

import pytest

from xval.answers.ranking import format_folds
from xval.answers.repeats import average_repeats, describe_components, jobs_of, repeat_figures
from xval.answers.summary import figure
from xval.results.job_key import JobKey, job_keys

# Two folds with three repeats: means 0.5 and 0.8, variance within them 0.01 (mean square with 4 degrees of freedom).
FIGURES = {1: (0.4, 0.5, 0.6), 2: (0.7, 0.8, 0.9)}


@pytest.fixture
def make_repeats(make_record, make_failure, make_instance):
    """Return a function that makes a metric dict from accuracies by fold and repeat; None: failed."""

    def make(figures, **parameters):
        records = []
        for fold, values in figures.items():
            for repeat, value in enumerate(values, start=1):
                record = make_failure(fold) if value is None else make_record(fold, {"accuracy": value, "loss": 1.0})
                records.append(record | {"repeat": repeat})
        return make_instance(1, records, folds_total=len(figures), repeats=3, **parameters)

    return make


def test_a_key_is_text_and_folder_and_back():
    first, second = JobKey(3, 1), JobKey(3, 1, 12)
    assert [str(first), str(second)] == ["instance 3, fold 1", "instance 3, fold 1, repeat 12"]
    assert [JobKey.of_folder(3, key.folder_name) for key in (first, second)] == [first, second]
    names = ("fold_1_repeat_1", "fold_1_repeat_02", "fold_", ".fold_1.lock", "refit")
    assert not any(JobKey.of_folder(3, name) for name in names)
    assert job_keys(3, [1, 2], 2) == [(3, 1, 1), (3, 2, 1), (3, 1, 2), (3, 2, 2)]


def test_figures_are_averaged_within_a_fold_first(make_repeats):
    found = make_repeats(FIGURES)

    assert figure(found, "test", "accuracy") == pytest.approx(
        {"mean": 0.65, "std": math.sqrt(0.045), "n": 2, "min": 0.5, "max": 0.8}
    )
    assert found["folds"]["2"]["item_metrics"]["test"]["speaker 2"] == pytest.approx(
        {"n_clips": 10, "accuracy": 0.8, "loss": 1.0}
    )
    assert (found["folds"]["1"]["confusion_matrix"], found["seconds"]) == ({"test": [[4, 1], [2, 3]]}, 60.0)
    assert list(jobs_of(found)) == [(1, fold, repeat) for fold in (1, 2) for repeat in (1, 2, 3)]


def test_repeats_that_train_on_other_items_keep_those_of_the_first(make_record):
    """As with train_fraction, which draws items by the seed."""
    first, second = (make_record(1, {"accuracy": 0.5}) | {"repeat": repeat} for repeat in (1, 2))
    second |= {"items": first["items"] | {"training": ["another"]}, "n_examples": first["n_examples"] | {"training": 7}}

    (found,) = average_repeats([first, second])

    assert (found["items"], found["n_examples"]) == (first["items"], first["n_examples"])


def test_folds_with_fewer_repeats_weigh_as_much_as_others(make_repeats):
    found = make_repeats({1: (0.4, 0.6, None), 2: (0.9,)})

    assert figure(found, "test", "accuracy")["mean"] == pytest.approx((0.5 + 0.9) / 2)
    assert (found["folds_done"], found["folds_failed"], found["jobs_done"], found["jobs_total"]) == (2, 1, 3, 6)
    assert format_folds(found) == "2/2, 3/6 jobs, 1 failed"


@pytest.mark.parametrize("missing", [None, math.nan])
def test_a_figure_that_one_repeat_lacks_is_the_mean_of_the_others(make_record, missing):
    records = [make_record(1, {"auc": value}) | {"repeat": repeat} for repeat, value in ((1, 0.5), (2, missing), (3, 0.75))]

    (found,) = average_repeats(records)

    assert found["metrics"]["test"] == {"auc": 0.625}
    assert repeat_figures(records, "test", "auc").tolist()[0][::2] == [0.5, 0.75]
    assert math.isnan(repeat_figures(records, "test", "auc")[0, 1])


def test_one_training_of_each_fold_leaves_the_records_as_they_are(make_record, make_instance):
    records = [make_record(2, {"accuracy": 0.5}), make_record(1, {"accuracy": 0.25})]

    assert average_repeats(records) == records[::-1]
    assert not {"repeats", "components", "jobs_total", "jobs_done"} & set(make_instance(1, records))


def test_the_deviation_over_seeds_stands_apart_from_that_over_folds(make_repeats):
    found = make_repeats(FIGURES)

    # Between folds: 3 times the variance of the means, 3 * 0.045 = 0.135; (0.135 - 0.01) / 3.
    assert found["components"]["test"]["accuracy"] == pytest.approx(
        {"mean": 0.65, "fold": 0.125 / 3, "seed": 0.01, "n_folds": 2, "n_repeats": 3.0}
    )
    said = describe_components(found, "test", "accuracy")
    assert said == (
        "accuracy 0.650; standard deviation 0.204 between folds, 0.100 between seeds within a fold (2 folds, 3 repeats)"
    )
    assert describe_components(make_repeats({1: (0.5,), 2: (0.6,)}), "test", "accuracy") == ""
