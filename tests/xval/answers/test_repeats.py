"""Repeats of a fold: averaged within it first, numbers worked out by hand; and instances that differ in their seed alone."""

import math

import pytest

from xval.answers.class_report import find_confusion
from xval.answers.repeats import components_of, describe_components, values_by_seed
from xval.answers.score_text import format_folds
from xval.answers.training_runs import item_means
from xval.results.job_key import JobKey, job_keys

# Two folds with three repeats: means 0.5 and 0.8, variance within them 0.01 (mean square with 4 degrees of freedom).
FIGURES = {1: (0.4, 0.5, 0.6), 2: (0.7, 0.8, 0.9)}


@pytest.fixture
def make_repeats(make_record, make_failure, make_instance):
    """Return a function that makes an instance from accuracies by fold and repeat; None: failed."""

    def make(scores, **parameters):
        records = []
        for fold, values in scores.items():
            for repeat, value in enumerate(values, start=1):
                record = make_failure(fold) if value is None else make_record(fold, {"accuracy": value, "loss": 1.0})
                records.append(record | {"repeat": repeat})
        return make_instance(1, records, folds_total=len(scores), repeats=3, **parameters)

    return make


def test_a_key_is_text_and_folder_and_back():
    first, second = JobKey(3, 1), JobKey(3, 1, 12)
    assert [str(first), str(second)] == ["instance 3, fold 1", "instance 3, fold 1, repeat 12"]
    assert [JobKey.from_folder(3, key.folder_name) for key in (first, second)] == [first, second]
    names = ("fold_1_repeat_1", "fold_1_repeat_02", "fold_", ".fold_1.lock", "refit")
    assert not any(JobKey.from_folder(3, name) for name in names)
    assert job_keys(3, [1, 2], 2) == [(3, 1, 1), (3, 2, 1), (3, 1, 2), (3, 2, 2)]


def test_scores_are_averaged_within_a_fold_first(make_repeats):
    found = make_repeats(FIGURES)

    assert found.over_folds("test", "accuracy") == pytest.approx(
        {"mean": 0.65, "std": math.sqrt(0.045), "n": 2, "min": 0.5, "max": 0.8}
    )
    assert item_means(found)["speaker 2"] == pytest.approx({"n_clips": 10, "accuracy": 0.8, "loss": 1.0})
    assert (find_confusion(found).counts, found.seconds) == ([[8, 2], [4, 6]], 60.0)
    assert values_by_seed(found, "test", "accuracy").tolist() == [list(FIGURES[1]), list(FIGURES[2])]
    assert list(found.jobs) == [(1, fold, repeat) for fold in (1, 2) for repeat in (1, 2, 3)]


def test_folds_with_fewer_repeats_weigh_as_much_as_others(make_repeats):
    found = make_repeats({1: (0.4, 0.6, None), 2: (0.9,)})

    assert found.over_folds("test", "accuracy")["mean"] == pytest.approx((0.5 + 0.9) / 2)
    assert (len(found.folds), len(found.failed_folds), len(found.done), found.n_jobs) == (2, 1, 3, 6)
    assert format_folds(found) == "2/2, 3/6 jobs, 1 failed"


def test_the_deviation_over_seeds_stands_apart_from_that_over_folds(make_repeats):
    found = make_repeats(FIGURES)

    # Between folds: 3 times the variance of the means, 3 * 0.045 = 0.135; (0.135 - 0.01) / 3.
    components = components_of(found, "test", "accuracy")
    assert components == pytest.approx((0.65, 0.125 / 3, 0.01, 2, 3.0))
    said = describe_components(found, "test", "accuracy")
    assert said == (
        "accuracy 0.650; standard deviation 0.204 between folds, 0.100 between seeds within a fold (2 folds, 3 seeds)"
    )
    assert describe_components(make_repeats({1: (0.5,), 2: (0.6,)}), "test", "accuracy") == ""
