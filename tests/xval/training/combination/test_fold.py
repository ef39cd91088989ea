import csv
import json

import numpy as np
import pandas as pd
import pytest

from preprocessing import store
from xval.base.errors import FoldsError, SettingsError
from xval.engine.worker.run import run_fold
from xval.folds.plan import Fold
from xval.jobs.observers import Observers
from xval.results.scores import read_scores
from xval.reuse.inference.estimator import load_estimator
from xval.training.combination.basic_features import make_basic_features


def combination_of(opened, make_job, make_network):
    return make_job(opened, models=[str(make_network(opened))], basic_features=False, pca_components=4)


def test_a_fold_leaves_what_a_trained_network_leaves(custom_store, make_job, make_network, folder):
    record = run_fold(combination_of(custom_store, make_job, make_network), folder, Observers())

    assert {path.name for path in folder.iterdir()} == {
        "grid.csv",
        "model.json",
        "model.skops",
        "novelty.npy",
        "network_1",
        "predictions.parquet",
        "scores.parquet",
        "seen_audio.npy",
        "trained_audio.npy",
    }
    assert record["status"] == "done"
    assert record["n_examples"] == {"training": 27, "validation": 9, "test": 18}
    scores = read_scores(folder, record)
    assert set(scores.sides) == {"training", "validation", "test", "clip_validation", "clip_test", "chance"}
    assert scores.side("chance")["accuracy"] == pytest.approx(1 / 3)
    assert scores.side("test")["accuracy"] > 0.5
    assert (record["n_features"], record["n_parameters"]) == (6, None)
    (model,) = record["models"]
    assert model["leakage"] == "clean"
    assert len(model["hash"]) == 16
    kept = pd.read_parquet(folder / "predictions.parquet")
    tested = kept[kept["side"] == "test"]
    assert (tested["target"] == tested["predicted"]).mean() == pytest.approx(scores.side("test")["accuracy"])
    with (folder / "grid.csv").open(newline="") as file:
        scores = [float(row["macro_f1"]) for row in csv.DictReader(file)]
    assert record["search_score"] == {"macro_f1": max(scores)}
    assert record["searched_on"] == "validation_items"
    json.dumps(record)


def test_nothing_that_is_fitted_changes_with_the_items_that_are_tested(
    tmp_path, arrays, custom_store, make_job, make_network, folder
):
    predictors, targets = arrays
    job = combination_of(custom_store, make_job, make_network)
    run_fold(job, folder, Observers())
    first = load_estimator(folder).fitted
    rng = np.random.default_rng(9)
    changed = {item: rng.normal(5, 3, values.shape) if item in ("s4", "s5") else values for item, values in predictors.items()}
    store.write("toy", changed, targets, data_folder=tmp_path / "data")

    again = tmp_path / "again"
    again.mkdir()
    run_fold(job, again, Observers())

    second = load_estimator(again).fitted
    np.testing.assert_array_equal(first.pipeline["scaler"].mean_, second.pipeline["scaler"].mean_)
    np.testing.assert_array_equal(first.pipeline["pca"].components_, second.pipeline["pca"].components_)
    np.testing.assert_array_equal(first.pipeline[-1].support_vectors_, second.pipeline[-1].support_vectors_)
    assert (first.settings, first.temperature) == (second.settings, second.temperature)
    assert (folder / "grid.csv").read_text() == (again / "grid.csv").read_text()
    before, after = read_scores(folder, {}), read_scores(again, {})
    assert before.side("training") == after.side("training")
    assert before.side("validation") == after.side("validation")
    assert before.side("test") != after.side("test")


def test_networks_and_basic_features_stand_side_by_side(tones, tone_store, make_job, make_network, folder):
    corpus, settings = tones
    given = {"dataset": "tones", **settings.model_dump()}
    make_basic_features(corpus, tone_store, settings)
    path = make_network(tone_store, parameters=given)

    record = run_fold(make_job(tone_store, parameters=given, models=[str(path)]), folder, Observers())

    assert record["n_features"] == 12 + 136
    scores = read_scores(folder, record)
    assert scores.side("test")["accuracy"] == 1.0
    assert scores.side("clip_test")["accuracy"] == 1.0


def test_a_model_that_has_seen_the_test_items_is_refused_also_where_the_job_runs(custom_store, make_job, make_network, folder):
    job = make_job(
        custom_store, Fold(2, ("s3", "s4", "s5"), ("s2",), ("s0", "s1")), models=[str(make_network(custom_store))],
        basic_features=False,
    )  # fmt: skip

    with pytest.raises(FoldsError, match=r"has seen what fold 2 tests: item s0, s1 and \d+ of its"):
        run_fold(job, folder, Observers())


def test_a_network_of_other_shapes_is_refused(tmp_path, arrays, custom_store, make_job, make_network, folder):
    job = combination_of(custom_store, make_job, make_network)
    predictors, targets = arrays
    store.write("toy", {item: values[:, :7] for item, values in predictors.items()}, targets, data_folder=tmp_path / "data")

    with pytest.raises(SettingsError, match=r"reads examples of shape \(8, 6\), but the feature store .* has \(7, 6\)"):
        run_fold(job, folder, Observers())
