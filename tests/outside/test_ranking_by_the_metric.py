"""`rank_by`: the validation metric that is reported selects an instance; `monitor` chooses the epoch."""

import json
import re

import numpy as np
import openpyxl
import pandas as pd
import pytest

import xval
from preprocessing.store import write


def said(study, *arguments: str) -> str:
    """Return in one line what the end of a run says, which trains nothing more."""
    ended = study.run("--details", *arguments)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return " ".join(ended.stdout.split())


def change_scores(study, instance: int, **values: float | None) -> None:
    """Rewrite validation scores of an instance, as another version or an own metric would have left them; None: remove one."""
    for path in study.results.glob(f"instance_{instance}/fold_*/scores.parquet"):
        rows = pd.read_parquet(path)
        for metric, value in values.items():
            chosen = rows["side"].isin(("validation", "clip_validation")) & (rows["metric"] == metric)
            if value is None:
                rows = rows[~chosen]
            else:
                rows.loc[chosen, "value"] = value
        rows.to_parquet(path, index=False)


def validation(study, instance: int, metric: str) -> float:
    return np.mean([study.scores(instance, fold, side="validation")[metric] for fold in (1, 2)])


@pytest.mark.long
def test_a_corpus_with_one_frequent_class_does_not_select_the_constant_answer(empty):
    rng = np.random.default_rng(0)
    predictors, labels = {}, {}
    for number in range(6):
        is_ill = np.arange(40) % 20 == 0
        predictors[f"s{number}"] = (rng.normal(size=(40, 12, 8)) + 0.12 * is_ill[:, None, None]).astype("float32")
        labels[f"s{number}"] = ["ill" if ill else "well" for ill in is_ill]
    write("small", predictors, labels, data_folder=empty.folder / "data")
    weighted = {"architecture": "logistic", "C": (0.001,), "class_weights": "balanced"}
    empty.train({"architecture": "constant"}, weighted, num_folds=2)

    losses, accuracies = ([validation(empty, number, name) for number in (1, 2)] for name in ("loss", "balanced_accuracy"))
    assert losses[0] < losses[1]
    assert accuracies[0] == 0.5 < accuracies[1]
    assert "logistic (2) is selected: best mean validation balanced accuracy (UAR) (0." in said(empty)
    assert "selected by the best mean validation balanced accuracy (UAR)" in empty.xval("compare", empty.EXPERIMENT).stdout

    asked = said(empty, "--set", "rank_by=loss")
    assert "logistic (2) is selected: best mean validation balanced accuracy (UAR) (0." in asked
    assert "; instances that differ in class_weights have no comparable loss)" in asked


@pytest.mark.long
def test_rank_by_ranks_finished_instances_anew_and_trains_nothing(study):
    study.train(
        {"architecture": "constant"}, {"architecture": "knn", "n_neighbors": (1,)}, {"architecture": "forest", "n_trees": 5}
    )
    for number, (accuracy, loss) in enumerate(((0.4, 0.1), (0.9, 0.3), (0.9, 0.2)), start=1):
        change_scores(study, number, balanced_accuracy=accuracy, loss=loss)
    trained = {path: path.stat().st_mtime_ns for path in study.results.glob("instance_*/fold_*/record.json")}

    assert "forest (3) is selected: best mean validation balanced accuracy (UAR) (0.900" in said(study)  # a tie: by the loss
    assert "constant (1) is selected: best mean validation loss (0.100" in said(study, "--set", "rank_by=val_loss")
    assert '"selected": 1' in (study.results / "summary.json").read_text()
    assert "best mean validation macro F1" in said(study, "--set", "rank_by=macro_f1")
    assert trained == {path: path.stat().st_mtime_ns for path in study.results.glob("instance_*/fold_*/record.json")}
    assert len(trained) == 6


def test_the_end_of_a_run_says_why_another_metric_ranks(study):
    """Also the sheet *summary* and the table in Python."""
    study.train({"architecture": "constant"}, {"architecture": "knn"}, rank_by="macro_f1", page="none")
    assert "rank" not in " ".join(study.run().stdout.split("Result:")[0].split())
    change_scores(study, 1, macro_f1=None)
    reason = "Ranked by validation balanced accuracy (UAR), because not every instance has a validation macro F1."

    ended = study.run("--overwrite", "--only", "2")

    assert ended.returncode == 0, ended.stderr
    assert reason in ended.stdout
    sheet = openpyxl.load_workbook(study.results / "results.xlsx")["summary"]
    assert any(reason in str(cell) for row in sheet.iter_rows(values_only=True) for cell in row)
    assert reason in str(xval.Results(study.results))


@pytest.mark.long
def test_tables_have_the_test_value_of_the_metric_that_ranks(study):
    study.train(
        {"architecture": "knn", "n_neighbors": (1,)}, {"architecture": "logistic", "C": (1.0,)}, rank_by="auc", page="complete"
    )
    value = xval.load_scores(study.results).query("side == 'test' and metric == 'auc' and instance == 2")["pooled"].item()
    page, sheet = (
        (study.results / "report.html").read_text(),
        pd.read_excel(study.results / "results.xlsx", "summary", header=4),
    )
    table = study.xval("report", study.EXPERIMENT, "--markdown").stdout

    assert "validation AUC" in said(study)
    assert "test AUC" in said(study)
    assert '<th scope="col">test AUC [95 %]</th>' in page
    assert sheet.set_index("instance").loc[2, "test AUC"] == pytest.approx(value)
    assert "AUC ↑" in table
    compared = study.xval("compare", study.EXPERIMENT).stdout
    assert "Instance 2 was selected by AUC: --metric auc compares by it." in compared
    assert "--metric auc" not in study.xval("compare", study.EXPERIMENT, "--metric", "auc").stdout


def test_without_the_metric_the_loss_ranks_and_the_sentence_says_so(study):
    study.train({"architecture": "constant"}, {"architecture": "knn", "n_neighbors": (1,)})
    for number, loss in ((1, 0.1), (2, 0.3)):
        change_scores(study, number, loss=loss)
    change_scores(study, 2, balanced_accuracy=None)
    reason = "best mean validation loss (0.100 ± 0.000; not every instance has a validation balanced accuracy (UAR))"
    assert f"constant (1) is selected: {reason}" in said(study)
    printed = " ".join(study.xval("compare", study.EXPERIMENT).stdout.split())
    assert "validation loss; not every instance has a validation balanced accuracy (UAR)" in printed


@pytest.mark.long
@pytest.mark.parametrize(
    ("task", "names", "main"),
    [
        ("multilabel_classification", ["mlp", "mlp"], "mean average precision (mAP)"),
        ("regression", ["ridge", "constant"], "RMSE"),
        ("representation", ["daf_autoencoder", "daf_autoencoder"], "explained variance"),
    ],
)
def test_every_task_ranks_by_its_main_metric(study, task, names, main):
    study.corpus(task)
    study.train(*({"architecture": name, "seed": 1, "batch_size": 8 * n} for n, name in enumerate(names, 1)), task_type=task)
    assert f"is selected: best mean validation {main} (" in said(study)


@pytest.mark.parametrize("value", ["balanced_acuracy", "f1", "val_monitor"])
def test_a_metric_that_records_will_not_have_is_refused_before_the_first_job(study, value):
    study.script({"architecture": "constant"}, rank_by=value)
    message = study.mistake("exp.py", "--executor", "inline")
    assert f"rank_by '{value.removeprefix('val_')}' is not a validation metric" in message
    assert not list(study.results.glob("instance_*/fold_*"))


def test_a_metric_of_more_classes_than_there_are_is_refused_before_the_first_job(study):
    study.script({"architecture": "constant"}, rank_by="top_5_accuracy")
    ended = study.run()
    assert ended.returncode == 2
    assert "rank_by 'top_5_accuracy' needs at least 6 classes; the dataset has 3" in ended.stderr
    assert not list(study.results.glob("instance_*/fold_*"))


def lines(study, *arguments):
    """Return the lines Result and Next of a run that has nothing left to train, and all that it prints."""
    printed = study.run(*arguments).stdout
    return dict(re.findall(r"^(Result|Next): +(.*)$", printed, re.MULTILINE)), printed


@pytest.mark.long
def test_the_result_names_the_metric_that_chooses_where_it_is_another_than_the_reported_one(study):
    study.train({"architecture": "knn", "n_neighbors": (1,)}, {"architecture": "logistic", "C": (1.0,)}, rank_by="auc")
    shown, printed = lines(study)
    assert re.search(
        r"^Report balanced accuracy \(UAR\) .* for choosing among 2 variants by validation AUC\. "
        r"The chosen one, \S+ \(\d\), scored \d\.\d{3} \(AUC \d\.\d{3}\)\.$",
        shown["Result"],
    )
    assert "From now on" not in printed
    shown, printed = lines(study, "--set", "rank_by=auto")
    assert " by validation" not in shown["Result"]
    assert "From now on rank_by = auto selects among these results (before: auc)." in printed
    assert "From now on" not in lines(study, "--set", "rank_by=auto")[1]


def test_a_change_is_named_for_results_that_are_older_than_the_setting(study):
    study.train({"architecture": "knn", "n_neighbors": (1,)}, {"architecture": "logistic", "C": (1.0,)})
    for path in study.results.glob("instance_*/settings.json"):
        written = json.loads(path.read_text())
        del written["parameters"]["rank_by"]
        path.write_text(json.dumps(written))
    printed = lines(study, "--set", "rank_by=auc")[1]
    assert "From now on rank_by = auc selects among these results (before: auto)." in printed


@pytest.mark.long
def test_the_result_says_in_how_many_folds_validation_could_choose(empty):
    """The rare class is that of two items, so validation items of one fold lack it."""
    rng = np.random.default_rng(0)
    predictors, labels = {}, {}
    for number in range(6):
        predictors[f"s{number}"] = rng.normal(size=(8, 6, 4)).astype("float32")
        labels[f"s{number}"] = ["b" if number < 2 and clip % 2 else "a" for clip in range(8)]
    write("small", predictors, labels, data_folder=empty.folder / "data")
    empty.train(
        {"architecture": "logistic", "C": (1.0,)}, {"architecture": "knn", "n_neighbors": (1,)}, num_folds=6, rank_by="auc"
    )
    shown, printed = lines(empty)
    n_folds = int(re.search(r"\((\d) of 6 folds\)", printed)[1])
    assert 0 < n_folds < 6
    assert f"Only {n_folds} of 6 folds have the validation AUC by which it was chosen." in shown["Result"]
