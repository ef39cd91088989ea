"""Estimators are fitted to all items that a fold does not test; what validates are answers out of fold."""

import json

import numpy as np
import pandas as pd
import pytest

from preprocessing.store import write
from tests.outside.conftest import FEATURES

pytestmark = pytest.mark.long

SVM = {"architecture": "svm", "C": (0.1, 1.0), "gamma": ("scale",)}


def sides(study, instance: int = 1, fold: int = 1) -> dict[str, set[str]]:
    return {side: set(items) for side, items in study.record(instance, fold)["items"].items()}


def test_the_model_of_a_fold_knows_training_and_validation_items_and_no_tested_one(study):
    study.train(SVM, {**SVM, "fit_on": "training"}, num_folds=3)
    of_all, training_scores = study.record(1), study.record(2)

    assert of_all["items"] == training_scores["items"]
    assert (of_all["fitted_to"], training_scores.get("fitted_to")) == (["training", "validation"], None)
    assert (of_all["searched_on"], training_scores["searched_on"]) == ("inner_folds", "training_items_left_out")
    n_of = {side: 12 * len(items) for side, items in of_all["items"].items()}
    assert of_all["n_training_examples"] == n_of["training"] + n_of["validation"] > training_scores["n_training_examples"]
    assert {side: of_all["n_examples"][side] for side in ("validation", "test")} == {
        side: n_of[side] for side in ("validation", "test")
    }
    described = [json.loads((study.fold(number) / "model.json").read_text()) for number in (1, 2)]
    assert [set(about["trained_items"]["small"]) for about in described] == [
        sides(study)["training"] | sides(study)["validation"],
        sides(study)["training"],
    ]
    assert not set(described[0]["seen_items"]["small"]) & sides(study)["test"]
    checked = study.xval("audit", study.EXPERIMENT)
    assert checked.returncode == 0, checked.stdout


def test_what_validates_is_answered_by_estimators_that_have_not_seen_the_item(empty):
    """The label of each item is its own: one that has seen the item knows it, one that has not must err."""
    rng = np.random.default_rng(0)
    predictors, targets = {}, {}
    for number in range(8):
        predictors[f"s{number}"] = (rng.normal(size=(10, 12, 8)) * 0.1 + 3.0 * rng.normal(size=(1, 1, 8))).astype("float32")
        targets[f"s{number}"] = np.full(10, float(rng.normal()), "float32")
    write("small", predictors, targets, data_folder=empty.folder / "data", task_type="regression")
    empty.train({"architecture": "knn", "n_neighbors": (1,)}, task_type="regression", num_folds=2)
    for fold in (1, 2):
        metrics = {side: empty.scores(1, fold, side=side) for side in ("training", "validation")}
        assert metrics["training"]["rmse"] < 1e-3 < 0.3 < metrics["validation"]["rmse"]
        table = empty.predictions(1, fold)
        validated = table[table["side"] == "validation"]
        assert set(validated["item"]) == sides(empty, 1, fold)["validation"]
        error = np.sqrt(((validated["predicted_0"] - validated["target_0"]) ** 2).mean())
        assert metrics["validation"]["rmse"] == pytest.approx(error, rel=1e-5)


def test_the_only_item_of_a_class_is_no_fault(empty):
    rng = np.random.default_rng(0)
    predictors = {f"s{number}": rng.normal(size=(6, 12, 8)).astype("float32") for number in range(6)}
    labels = {name: ["ill" if name in ("s0", "s3") else "well"] * 6 for name in predictors}
    write("small", predictors, labels, data_folder=empty.folder / "data")
    ended = empty.train({"architecture": "svm", "C": (1.0,), "gamma": ("scale",)}, num_folds=2)
    assert "failed" not in ended.stdout
    validated = pd.concat(empty.predictions(1, fold).query("side == 'validation'") for fold in (1, 2))
    assert validated[["probability_ill", "probability_well"]].sum(axis=1).to_numpy() == pytest.approx(np.ones(len(validated)))


def test_a_run_again_is_the_same(study):
    study.train({"architecture": "logistic", "C": (0.01, 1.0)}, num_folds=3)
    first = [study.predictions(1, fold) for fold in (1, 2)]
    assert study.run("--overwrite").returncode == 0
    for fold, table in zip((1, 2), first, strict=True):
        pd.testing.assert_frame_equal(study.predictions(1, fold), table)


def test_results_of_training_items_alone_are_not_continued_in_silence(study):
    study.script({**SVM, "fit_on": "training"}, num_folds=3)
    assert study.run("--folds", "1").returncode == 0
    study.script(SVM, num_folds=3)
    message = study.mistake("exp.py", "--executor", "inline")
    assert "fit_on was 'training', now 'all'" in message

    # as an earlier version left them
    settings = study.results / "instance_1" / "settings.json"
    content = json.loads(settings.read_text())
    del content["parameters"]["fit_on"], content["sources"]["fit_on"]
    settings.write_text(json.dumps(content))
    assert "fit_on was 'training', now 'all'" in study.mistake("exp.py", "--executor", "inline")
    study.script({**SVM, "fit_on": "training"}, num_folds=3)
    assert study.run().returncode == 0
    assert [study.record(1, fold)["searched_on"] for fold in (1, 2, 3)] == ["training_items_left_out"] * 3


def test_a_learning_curve_counts_what_the_estimator_was_fitted_to(study):
    study.train(*({"architecture": "knn", "n_neighbors": (1,), "train_fraction": share} for share in (0.5, 1.0)), num_folds=3)
    items = [sides(study, number) for number in (1, 2)]
    fitted = [12 * len(of_fold["training"] | of_fold["validation"]) for of_fold in items]
    assert [study.record(number)["n_training_examples"] for number in (1, 2)] == fitted
    assert fitted[0] < fitted[1]


FEW = {"svm": {"C": (1.0,), "gamma": ("scale",)}, "svr": {"C": (1.0,), "gamma": ("scale",)}}
FEW |= {"forest": {"n_trees": 5}, "boosting": {"n_trees": 5}}


def test_every_estimator_of_classes_has_answers_out_of_fold(study):
    names = ["svm", "logistic", "forest", "boosting", "knn", "constant"]
    study.train(*({"architecture": name, **FEW.get(name, {})} for name in names))
    for number in range(1, len(names) + 1):
        record = study.record(number)
        assert record["fitted_to"] == ["training", "validation"]
        assert all(np.isfinite(value) for value in study.scores(number, side="validation").values())
        assert record["temperature"] > 0


def test_every_estimator_of_numbers_has_answers_out_of_fold(study):
    study.corpus("regression")
    names = ["svr", "ridge", "linear", "forest", "boosting", "knn", "constant"]
    study.train(
        *({"architecture": name, "target_scaling": "standard", **FEW.get(name, {})} for name in names), task_type="regression"
    )
    errors = [study.scores(number, side="validation")["rmse"] for number in range(1, len(names) + 1)]
    assert max(errors) == errors[-1] == pytest.approx(0.816, abs=0.01)  # the deviation of the targets


def test_first_clips_that_scale_a_validation_item_neither_train_nor_validate(empty):
    empty.recordings()
    assert empty.prepare("table", "audio/clips.csv", "--dataset", "small").returncode == 0
    scaled = {"architecture": "logistic", "C": (1.0,), "normalization": "per_item", "enrolment_s": 0.2}
    empty.train({**scaled, "fit_on": "all"}, {**scaled, "fit_on": "training"}, num_folds=3, **FEATURES)
    of_all, training_scores = empty.record(1), empty.record(2)
    pd.testing.assert_frame_equal(*(empty.predictions(number).query("side == 'test'")[["item", "clip"]] for number in (1, 2)))
    n_validated = of_all["n_examples"]["validation"]
    assert n_validated == training_scores["n_examples"]["validation"] < 4 * len(of_all["items"]["validation"])
    assert of_all["n_training_examples"] == training_scores["n_training_examples"] + n_validated
    assert empty.xval("audit", empty.EXPERIMENT).returncode == 0


def test_an_ensemble_and_a_final_model_are_made_of_it(study):
    study.train(SVM, {"architecture": "mlp", "n_units": (8,)}, num_folds=3)
    ended = study.xval("ensemble", study.EXPERIMENT, "1,2", "--method", "stack")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    stacked = study.record(901)
    assert stacked["items"] == study.record(1)["items"] == study.record(2)["items"]
    assert study.xval("audit", study.EXPERIMENT).returncode == 0
    refitted = study.xval("refit", f"{study.EXPERIMENT}:1")
    assert refitted.returncode == 0, refitted.stdout + refitted.stderr
    about = json.loads((study.results / "instance_1" / "refit" / "model.json").read_text())
    assert len(about["trained_items"]["small"]) == 6
