"""From fold records to figures: means, deviations, what is missing, and what differs."""

import json
import math
import statistics
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xval.answers.summary import (
    chance_level,
    differing_parameters,
    direction,
    figure,
    has_windows,
    make_metric_dict,
    metric_columns,
)
from xval.results.read import WrittenInstance


def _written(**content):
    defaults = {"path": Path("settings.json"), "instance": 1, "description": "", "settings_hash": "s", "sources": {}}
    return WrittenInstance(**defaults | content)


def _differing(metric_dicts):
    return differing_parameters([metric_dict["parameters"] for metric_dict in metric_dicts])


def test_the_metric_dict_holds_settings_records_and_figures(make_record, make_failure):
    parameters = {"task_type": "classification", "monitor": "val_loss", "batch_size": 32}
    written = _written(instance=3, description="digits", parameters=parameters, sources={"batch_size": "config.ini"})
    records = [make_failure(3), make_record(2, {"accuracy": 0.6, "loss": 1.0}), make_record(1, {"accuracy": 0.5, "loss": 2.0})]
    found = make_metric_dict(written, records, folds_total=4)
    assert list(found["folds"]) == ["1", "2", "3"]
    assert found["folds"]["3"]["error"] == "the loss is NaN after epoch 3"
    assert (found["folds_total"], found["folds_done"], found["folds_failed"]) == (4, 2, 1)
    assert (found["instance"], found["description"], found["task_type"]) == (3, "digits", "classification")
    assert (found["monitor"], found["parameters"], found["sources"]) == (
        "val_loss", written.parameters, written.sources,
    )  # fmt: skip
    assert found["seconds"] == 25.0
    assert found["n_parameters"] == 12345
    assert list(found["summary"]) == ["training", "validation", "test", "clip_validation", "clip_test", "chance"]
    assert found["summary"]["test"]["accuracy"] == pytest.approx(
        {"mean": 0.55, "std": math.sqrt(0.005), "n": 2, "min": 0.5, "max": 0.6}
    )
    assert found["summary"]["validation"]["loss"]["mean"] == pytest.approx(1.6)
    assert "loss" not in found["summary"]["clip_test"]
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_equal_folds_have_no_deviation_at_all(make_instance):
    assert figure(make_instance(1, [0.1, 0.1, 0.1]), "test", "accuracy")["std"] == 0


def test_one_fold_has_a_mean_and_no_deviation(make_instance):
    found = figure(make_instance(1, [0.7]), "test", "accuracy")
    assert found == {"mean": 0.7, "std": None, "n": 1, "min": 0.7, "max": 0.7}


@pytest.mark.parametrize("missing", [None, math.nan, math.inf])
def test_a_fold_without_a_value_is_not_counted_and_n_says_so(make_instance, missing):
    metric_dict = make_instance(1, [{"auc": 0.5}, {"auc": missing}, {"auc": 0.7}])
    assert metric_dict["folds_done"] == 3
    assert figure(metric_dict, "test", "auc") == pytest.approx(
        {"mean": 0.6, "std": math.sqrt(0.02), "n": 2, "min": 0.5, "max": 0.7}
    )


def test_a_metric_without_any_value_has_no_mean(make_instance):
    metric_dict = make_instance(1, [{"auc": None}, {"auc": None}])
    assert metric_dict["summary"]["test"]["auc"] == {"mean": None, "std": None, "n": 0, "min": None, "max": None}


def test_an_instance_whose_folds_all_failed_has_no_figures(make_instance, make_failure):
    metric_dict = make_instance(1, [make_failure(1), make_failure(2)])
    assert (metric_dict["folds_done"], metric_dict["folds_failed"], metric_dict["n_parameters"]) == (0, 2, None)
    assert metric_dict["summary"]["test"] == {}
    assert figure(metric_dict, "test", "accuracy")["n"] == 0


@settings(deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=12))
def test_mean_and_deviation_are_those_of_a_sample_whatever_the_order_of_folds(values):
    records = [
        {"status": "done", "fold": fold, "metrics": {"training": {}, "validation": {}, "test": {"rmse": value}},
         "clip_metrics": {"validation": {}, "test": {}}, "chance": {"test": {}}, "seconds": 1.0, "n_parameters": 1}
        for fold, value in enumerate(values, start=1)
    ]  # fmt: skip
    written = _written(parameters={"task_type": "regression", "monitor": "val_loss"})
    found = figure(make_metric_dict(written, records, folds_total=len(values)), "test", "rmse")
    assert found["mean"] == pytest.approx(sum(values) / len(values), abs=1e-6)
    assert found["std"] == pytest.approx(
        statistics.pvariance(values) ** 0.5 * math.sqrt(len(values) / (len(values) - 1)), abs=1e-6
    )
    assert found["min"] <= found["mean"] + 1e-6
    assert make_metric_dict(written, records[::-1], folds_total=len(values)) == make_metric_dict(
        written, records, folds_total=len(values)
    )


def test_parameters_that_differ_are_named_without_comments_architecture_and_devices(make_instance):
    metric_dicts = [
        make_instance(1, [0.5], learning_rate=0.1, comment_1="a", gpu_ID="0", architecture="cnn_small", n_filters=[8, 16]),
        make_instance(
            2, [0.5], learning_rate=0.2, comment_1="b", gpu_ID="1", architecture="crnn", n_units=4, n_filters=[8, 16]
        ),
    ]
    assert _differing(metric_dicts) == ("learning_rate", "n_units")


def test_threads_change_numbers_so_they_are_named_where_they_differ(make_instance):
    metric_dicts = [make_instance(number, [0.5], threads_per_job=number) for number in (1, 2)]
    assert _differing(metric_dicts) == ("threads_per_job",)


def test_a_single_instance_differs_in_nothing(make_instance):
    assert _differing([make_instance(1, [0.5])]) == ()


def test_metrics_come_test_first_the_main_ones_before_the_order_of_their_file_with_the_loss_last(make_instance):
    first, second = {"loss": 1.0, "auc": 0.5, "macro_f1": 0.5}, {"accuracy": 0.5, "balanced_accuracy": 0.5, "older_score": 0.1}
    metric_dicts = [make_instance(1, [first]), make_instance(2, [second])]
    names = ("balanced_accuracy", "accuracy", "macro_f1", "auc", "older_score", "loss")
    assert metric_columns(metric_dicts) == tuple((side, name) for side in ("test", "validation", "training") for name in names)


def test_a_metric_that_is_undefined_in_every_fold_has_no_column_on_that_side(make_instance, make_record):
    record = make_record(1, {"accuracy": 0.5, "auc": None})
    record["metrics"]["training"]["auc"] = 0.5

    found = metric_columns([make_instance(1, [record]), make_instance(2, [{"accuracy": 0.5, "auc": None}])])

    assert [side for side, name in found if name == "auc"] == ["training"]
    assert ("test", "auc") in metric_columns([make_instance(1, [record]), make_instance(2, [{"auc": 0.5}, {"auc": None}])])


def test_metrics_beside_those_of_the_task_bring_their_direction(make_instance, make_record):
    metric_dicts = [
        make_instance(1, [0.5]),
        make_instance(2, [make_record(1, {"worst": 0.5}, further_metrics={"worst": False})]),
    ]
    assert [direction(metric_dicts, name) for name in ("accuracy", "eer", "loss", "worst", "gone")] == [
        True, False, False, False, None,
    ]  # fmt: skip


def test_clips_have_figures_of_their_own_only_where_some_are_cut_into_several_examples(make_instance, make_record):
    whole = make_instance(1, [0.5])
    windows = make_record(1, {"accuracy": 0.5, "loss": 1.0}, n_examples={"training": 500, "validation": 100, "test": 50})
    cut = make_instance(2, [windows])
    assert (has_windows([whole]), has_windows([whole, cut])) == (False, True)
    assert [side for side, name in metric_columns([whole, cut]) if name == "accuracy"] == [
        "clip_test", "test", "clip_validation", "validation", "training",
    ]  # fmt: skip
    assert ("clip_test", "loss") not in metric_columns([cut])


def test_the_chance_level_comes_from_instances_with_all_their_folds(make_instance, make_record):
    def chance(number, levels):
        records = [
            make_record(fold, {"accuracy": 0.9}, chance={"test": {"accuracy": level}}) for fold, level in enumerate(levels, 1)
        ]
        return make_instance(number, records, folds_total=2)

    assert chance_level([chance(1, [0.1, 0.3]), chance(2, [0.9])], "accuracy")[:2] == pytest.approx((0.2, 0.2))
    assert chance_level([chance(1, [0.1, 0.3]), chance(2, [0.2, 0.4])], "accuracy")[:2] == pytest.approx((0.2, 0.3))
    assert chance_level([chance(1, [None, None])], "accuracy") is None
    assert chance_level([chance(1, [0.1])], "auc") is None
