"""What a run leaves: the files, columns and keys that docs/results.md promises."""

import json
import re
import shutil
import zipfile

import keras
import numpy as np
import openpyxl
import pandas as pd
import pytest

import xval

OF_AN_EXPERIMENT = {"results.xlsx", "report.html", "description.txt", "folds.json", "phases.csv", "code", "summary.json"}
OF_AN_EXPERIMENT |= {"nested_estimates.json", "instance_1", "instance_2", "instance_3"}
OF_AN_INSTANCE = {"settings.json", "metrics.json", "estimates.json", "fold_1", "fold_2", "fold_3"}
OF_EVERY_FOLD = {"model.json", "record.json", "scores.parquet", "predictions.parquet", "novelty.npy"}
OF_EVERY_FOLD |= {"seen_audio.npy", "trained_audio.npy", "seen_fingerprints.npy"}
METRIC = """
from xval import metric


@metric(higher_is_better=True)
def one(targets, predictions):
    return 1.0
"""


def names(folder):
    return {path.name for path in folder.iterdir() if not path.name.startswith(".")}


def test_an_experiment_has_its_files(finished):
    assert names(finished.results) == OF_AN_EXPERIMENT
    assert (finished.folder / "results" / "index.html").exists()


def test_an_instance_and_a_fold_have_their_files(finished):
    for number in (1, 2, 3):
        assert names(finished.results / f"instance_{number}") == OF_AN_INSTANCE
        further = {"model.skops", "grid.csv"} if number == 3 else {"model.keras", "history.csv"}
        for fold in (1, 2, 3):
            assert names(finished.fold(number, fold)) == OF_EVERY_FOLD | further
    assert not [path for path in finished.results.rglob("*") if path.name.endswith((".part", ".tmp"))]


def test_a_record_says_who_was_tested_and_how(finished):
    record = finished.record()

    expected = {"status", "instance", "fold", "repeat", "seed", "items", "n_examples", "class_names", "class_metrics"}
    expected |= {"confusion_matrix", "best_epoch", "epochs", "versions", "seconds"}
    assert expected <= set(record)
    assert set(record["items"]) == {"training", "validation", "test"}
    assert sum(map(sum, record["confusion_matrix"]["test"])) == record["n_examples"]["test"]


def test_every_speaker_is_tested_once_and_never_by_a_model_that_heard_it(finished):
    tested = []
    for fold in (1, 2, 3):
        sides = finished.record(1, fold)["items"]
        assert not set(sides["test"]) & {*sides["training"], *sides["validation"]}
        assert not set(sides["training"]) & set(sides["validation"])
        tested += sides["test"]
    assert sorted(tested) == [f"s{number}" for number in range(6)]
    assert [finished.record(3, fold)["items"] for fold in (1, 2, 3)] == [
        finished.record(1, fold)["items"] for fold in (1, 2, 3)
    ]


def test_metrics_can_be_computed_again_from_the_predictions(finished):
    for number in (1, 3):
        tested = finished.predictions(number).query("side == 'test'")
        right = (tested["target"] == tested["predicted"]).mean()
        assert finished.scores(number)["accuracy"] == pytest.approx(right)


def test_predictions_have_their_columns(finished):
    table = finished.predictions()

    columns = ["item", "row", "clip", "start_s", "end_s", "side", "target", "predicted", "probability_high", "probability_low"]
    assert list(table.columns) == columns
    assert set(table["side"]) == {"validation", "test"}
    assert np.allclose(table["probability_high"] + table["probability_low"], 1, atol=1e-5)


def test_scores_are_a_row_for_each_side_item_and_metric(finished):
    rows, tested = finished.score_table(), finished.predictions().query("side == 'test'")

    assert list(rows.columns) == ["side", "item", "metric", "value"]
    assert list(rows["side"].unique()) == ["training", "validation", "test", "clip_validation", "clip_test", "chance"]
    assert set(rows["item"]) == {"", *tested["item"]}
    assert not rows.duplicated(["side", "item", "metric"]).any()
    for item, of_item in tested.groupby("item"):
        right = (of_item["target"] == of_item["predicted"]).mean()
        assert finished.scores(item=item)["accuracy"] == pytest.approx(right)
        assert finished.scores(item=item)["n_clips"] == of_item["clip"].nunique()
    assert finished.scores()["accuracy"] == pytest.approx((tested["target"] == tested["predicted"]).mean())


def test_a_history_has_a_row_for_each_epoch(finished):
    history = finished.history()

    assert list(history["epoch"]) == [1, 2, 3]
    assert {"loss", "accuracy", "val_loss", "val_accuracy", "val_balanced_accuracy", "learning_rate"} <= set(history.columns)
    record = finished.record()
    assert history["val_loss"].idxmin() + 1 == record["best_epoch"]
    assert history["val_loss"].min() == pytest.approx(finished.scores(side="validation")["loss"], abs=1e-5)


def test_settings_and_metrics_of_an_instance_are_for_reading(finished):
    settings = (finished.results / "instance_1" / "settings.json").read_text()
    metrics = json.loads((finished.results / "instance_1" / "metrics.json").read_text())

    assert '"n_units"' in settings
    assert '"learning_rate"' in settings
    assert (metrics["instance"], metrics["task_type"]) == (1, "classification")
    assert metrics["parameters"]["learning_rate"] == 0.01
    assert set(metrics["history"]) == {"fold_1", "fold_2", "fold_3"}
    text = json.dumps(metrics)
    assert str(finished.scores()["accuracy"])[:6] in text


def test_folds_are_written_with_their_speakers(finished):
    phases = pd.read_csv(finished.results / "phases.csv")
    folds = (finished.results / "folds.json").read_text()

    assert all(f"s{number}" in folds for number in range(6))
    assert set(phases.astype(str).to_numpy().ravel()) >= {f"s{number}" for number in range(6)}
    assert (finished.results / "description.txt").read_text().strip() == "A test"


def test_the_model_opens_in_plain_keras_and_answers_as_stored(finished):
    model = keras.models.load_model(finished.fold() / "model.keras")
    about = json.loads((finished.fold() / "model.json").read_text())

    assert about["class_names"] == ["high", "low"]
    assert model.output_shape == (None, 2)
    answers = model.predict(np.zeros((3, *model.input_shape[1:]), "float32"), verbose=0)
    assert np.allclose(answers.sum(axis=1), 1, atol=1e-5)


def test_the_workbook_has_its_sheets(finished):
    workbook = openpyxl.load_workbook(finished.results / "results.xlsx")

    assert workbook.sheetnames[0] == "summary"
    assert {"summary", "findings", "metrics", "settings", "intervals"} <= set(workbook.sheetnames)
    text = " ".join(str(cell.value) for row in workbook["summary"].iter_rows() for cell in row)
    for name in ("a network", "scaled per clip", "an estimator"):
        assert name in text
    assert not [cell for sheet in workbook for row in sheet.iter_rows() for cell in row if cell.data_type == "e"]


def test_the_page_of_a_run_loads_nothing_and_has_clips_to_listen_to(finished):
    page = (finished.results / "report.html").read_text()

    loaded = re.findall(r"""<(?:script|img|link|iframe|audio|source)[^>]*?(?:src|href)\s*=\s*["']?([^"' >]{1,30})""", page)
    assert not [address for address in loaded if not address.startswith(("data:", "#"))]
    assert "data:audio" in page
    assert re.findall(r"<p><b>(\w+)</b> \w[^<]*\.</p>", page) == ["Result", "Evidence", "Next"]


def test_the_code_that_ran_is_kept(study):
    study.file("parts.py", METRIC)
    study.train({"architecture": "knn", "metrics": "parts.one"})

    (code,) = (study.results / "code").iterdir()
    assert (code / "environment.txt").exists()
    assert list(code.rglob("exp.py"))
    (kept,) = code.rglob("parts.py")
    assert kept.read_text() == (study.folder / "parts.py").read_text()
    assert (code / "xval" / "__init__.py").exists()


@pytest.mark.long
def test_the_same_command_gives_the_same_bytes(study, tmp_path_factory, study_in):
    study.script({"architecture": "mlp", "n_units": (8,), "dropout": 0.3}, {"architecture": "svm", "C": (1.0,)})
    other = study_in(tmp_path_factory.mktemp("again"))
    other.corpus()
    other.file("exp.py", (study.folder / "exp.py").read_text())

    assert study.run().returncode == other.run().returncode == 0

    for number in (1, 2):
        for fold in (1, 2):
            assert study.predictions(number, fold).equals(other.predictions(number, fold))
            assert study.score_table(number, fold).equals(other.score_table(number, fold))
    weights = [zipfile.ZipFile(one.fold() / "model.keras").read("model.weights.h5") for one in (study, other)]
    assert weights[0] == weights[1]
    assert study.history().equals(other.history())


OPENED = """
import sys
opened = set()
sys.addaudithook(lambda event, given: opened.add(str(given[0])) if event == "open" else None)
import xval
table = xval.load_results(sys.argv[1], items=True)
names = [name.split("/")[-1] for name in opened]
print(len(table), names.count("scores.parquet"), names.count("estimates.json"))
"""


def test_scores_are_read_from_a_file_of_each_instance_and_not_of_each_job(finished):
    ended = finished.python("-c", OPENED, str(finished.results))

    n_rows, *n_opened = map(int, ended.stdout.split())
    assert n_rows == len(xval.load_results(finished.results, items=True))
    assert n_opened == [0, 3], ended.stderr


def test_scores_of_a_changed_file_are_shown_though_others_are_kept(finished, tmp_path):
    copied = tmp_path / "results" / "small" / "experiment_1"
    shutil.copytree(finished.results, copied, copy_function=shutil.copyfile)  # with the times of copying
    before = xval.load_results(finished.results, items=True)
    pd.testing.assert_frame_equal(xval.load_results(copied, items=True), before)
    path = copied / "instance_1" / "fold_2" / "scores.parquet"
    rows = pd.read_parquet(path)
    rows.loc[(rows["side"] == "test") & (rows["item"] == "") & (rows["metric"] == "accuracy"), "value"] = 0.125

    rows.to_parquet(path)

    after = xval.load_results(copied, items=True)
    changed = after[(after["value"] != before["value"]) & after["value"].notna()]
    columns = ["instance", "fold", "side", "metric", "value"]
    assert changed[columns].to_numpy().tolist() == [[1, 2, "test", "accuracy", 0.125]]
    path.unlink()
    with pytest.raises(xval.XvalError, match=r"fold_2/scores\.parquet: missing"):
        xval.load_results(copied, items=True)


def test_kept_scores_that_were_edited_are_read_from_the_jobs(finished, tmp_path):
    copied = tmp_path / "results" / "small" / "experiment_1"
    shutil.copytree(finished.results, copied)
    path = copied / "instance_1" / "estimates.json"
    kept = json.loads(path.read_text())
    kept["scores"]["fold_1"]["sides"]["test"]["accuracy"] = 0.125

    path.write_text(json.dumps(kept))

    pd.testing.assert_frame_equal(xval.load_results(copied, items=True), xval.load_results(finished.results, items=True))
