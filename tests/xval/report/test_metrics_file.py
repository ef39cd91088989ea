"""What metrics.json holds: settings, records and figures; of repeats their means, worked out by hand."""

import json
import math
from dataclasses import replace

import pytest

from xval.report.metrics_file import metrics_content


def test_it_holds_settings_records_and_figures(make_instance, make_record, make_failure):
    records = [make_failure(3), make_record(2, {"accuracy": 0.6, "loss": 1.0}), make_record(1, {"accuracy": 0.5, "loss": 2.0})]
    instance = make_instance(3, records, folds_total=4)

    found = metrics_content(instance)

    assert list(found["folds"]) == ["1", "2", "3"]
    assert found["folds"]["2"] == records[1]
    assert found["folds"]["3"]["error"] == "the loss is NaN after epoch 3"
    assert (found["folds_total"], found["folds_done"], found["folds_failed"]) == (4, 2, 1)
    assert (found["instance"], found["description"], found["task_type"]) == (3, "a test", "classification")
    assert (found["monitor"], found["parameters"], found["sources"]) == (
        "val_accuracy", instance.written.parameters, instance.written.sources,
    )  # fmt: skip
    assert (found["seconds"], found["n_parameters"]) == (25.0, 12345)
    assert list(found["summary"]) == ["training", "validation", "test", "clip_validation", "clip_test", "chance"]
    assert found["summary"]["test"]["accuracy"] == pytest.approx(
        {"mean": 0.55, "std": math.sqrt(0.005), "n": 2, "min": 0.5, "max": 0.6}
    )
    assert found["summary"]["validation"]["loss"]["mean"] == pytest.approx(1.6)
    assert "loss" not in found["summary"]["clip_test"]
    assert not {"repeats", "components", "jobs_total", "jobs_done", "deals", "over_items"} & set(found)
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_the_records_of_repeats_are_averaged_within_their_fold(make_instance, make_record, make_failure):
    values = {1: (0.4, 0.5, 0.6), 2: (0.7, None, 0.9)}
    records = [
        (make_failure(fold) if value is None else make_record(fold, {"accuracy": value, "loss": 1.0})) | {"repeat": repeat}
        for fold, of_fold in values.items()
        for repeat, value in enumerate(of_fold, start=1)
    ]
    records[1] |= {"items": records[0]["items"] | {"training": ["another"]}, "confusion_matrix": {"test": [[5, 0], [2, 3]]}}

    found = metrics_content(make_instance(1, records, folds_total=2, repeats=3))

    assert found["folds"]["2"]["item_metrics"]["test"]["speaker 2"] == pytest.approx(
        {"n_clips": 10, "accuracy": 0.8, "loss": 1.0}
    )
    assert found["folds"]["1"]["confusion_matrix"] == {"test": [[pytest.approx(13 / 3), pytest.approx(2 / 3)], [2, 3]]}
    assert found["folds"]["1"]["items"] == records[0]["items"]
    assert (found["jobs_total"], found["jobs_done"], found["seconds"]) == (6, 5, 55.0)
    assert found["repeats"] == records
    assert found["components"]["test"]["accuracy"]["mean"] == pytest.approx(0.65)


@pytest.mark.parametrize("missing", [None, math.nan])
def test_a_figure_that_one_repeat_lacks_is_the_mean_of_the_others(make_instance, make_record, missing):
    records = [make_record(1, {"auc": value}) | {"repeat": repeat} for repeat, value in ((1, 0.5), (2, missing), (3, 0.75))]

    found = metrics_content(make_instance(1, records, folds_total=1, repeats=3))

    assert found["folds"]["1"]["metrics"]["test"] == {"auc": 0.625}


def test_deals_and_figures_over_items_stand_there_where_there_are_any(make_instance):
    over_items = {"version": 1, "n_items": 2, "folds_lacking_classes": [], "missing": "", "figures": {}}
    found = metrics_content(replace(make_instance(1, [0.5, 0.6]), n_fold_repeats=2, over_items=over_items))
    assert (found["deals"], found["over_items"]) == (2, over_items)
