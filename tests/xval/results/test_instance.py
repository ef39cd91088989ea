"""The table of figures of an instance: columns, means over repeats and folds, and what is missing."""

import math
import statistics

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("values", "mean", "std", "n"),
    [
        ([0.1, 0.1, 0.1], 0.1, 0.0, 3),  # exactly, whatever rounding does
        ([0.7], 0.7, None, 1),
        *(([0.5, missing, 0.7], 0.6, math.sqrt(0.02), 2) for missing in (None, math.nan, math.inf)),
        ([None, None], None, None, 0),
    ],
)
def test_a_summary_is_of_the_folds_that_have_a_value_and_n_counts_them(make_instance, values, mean, std, n):
    instance = make_instance(1, [{"auc": value} for value in values])
    known = [value for value in values if value is not None and math.isfinite(value)]
    ends = {"min": min(known, default=None), "max": max(known, default=None)}
    assert len(instance.folds) == len(values)
    found = instance.over_folds("test", "auc")
    assert found == pytest.approx({"mean": mean, "std": std, "n": n, **ends})
    assert std != 0 or found["std"] == 0


def test_an_instance_whose_folds_all_failed_has_no_figures(make_instance, make_failure):
    instance = make_instance(1, [make_failure(1), make_failure(2)])
    assert (len(instance.folds), len(instance.failed_folds), instance.n_parameters) == (0, 2, None)
    assert instance.metrics("test") == []
    assert instance.over_folds("test", "accuracy")["n"] == 0


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=12))
def test_mean_and_deviation_are_those_of_a_sample(make_instance, values):
    found = make_instance(1, [{"rmse": value} for value in values], task_type="regression").over_folds("test", "rmse")
    assert found["mean"] == pytest.approx(sum(values) / len(values), abs=1e-6)
    assert found["std"] == pytest.approx(
        statistics.pvariance(values) ** 0.5 * math.sqrt(len(values) / (len(values) - 1)), abs=1e-6
    )
    assert found["min"] <= found["mean"] + 1e-6


def test_a_figure_that_one_repeat_lacks_is_the_mean_of_the_others(make_instance, make_record):
    records = [make_record(1, {"auc": value}) | {"repeat": repeat} for repeat, value in ((1, 0.5), (2, None), (3, 0.75))]

    found = make_instance(1, records, folds_total=1, repeats=3)

    assert found.fold_values("test", "auc") == {1: 0.625}
    assert [*found.values("test", "auc").values()] == [0.5, pytest.approx(math.nan, nan_ok=True), 0.75]


def test_what_repeats_share_is_that_of_the_first_which_is_done(make_instance, make_record, make_failure):
    """Items differ with train_fraction, which draws them by the seed."""
    second, third = (make_record(1, {"accuracy": 0.5}) | {"repeat": repeat} for repeat in (2, 3))
    third["items"] = {"training": ["another"], "validation": ["y"], "test": ["speaker 1"]}

    found = make_instance(1, [third, second, make_failure(1)], folds_total=1, repeats=3)

    assert [key.repeat for key in found.jobs] == [1, 2, 3]
    assert {fold: (record["repeat"], record["items"]) for fold, record in found.folds.items()} == {1: (2, second["items"])}
    assert found.failed_folds == {1}


def test_rows_are_those_of_all_sides_and_then_of_the_items_of_each_job(make_instance):
    found = list(make_instance(3, [{"accuracy": 0.5}, {"accuracy": None}]).rows())

    assert found[0] == (3, 1, 1, "training", "", "accuracy", 0.7)
    assert (3, 1, 1, "test", "", "accuracy", 0.5) in found
    assert (3, 1, 1, "test", "speaker 1", "n_clips", 10) in found
    assert math.isnan(next(row[-1] for row in found if row[1:6] == (2, 1, "test", "", "accuracy")))
    assert len(list(make_instance(3, [{"accuracy": 0.5}]).rows(with_items=False))) == 6
