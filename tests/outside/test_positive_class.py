"""Sensitivity, specificity and F1 of one class, as of a diagnosis, held against scikit-learn."""

import html
import json
import re

import numpy as np
import openpyxl
import pandas as pd
import pytest
from sklearn.metrics import f1_score, precision_score, recall_score

import xval
from preprocessing.store import write
from tests.outside.conftest import write_two_classes

NAMES = ["sensitivity", "specificity", "f1", "ppv", "npv"]
SVM = {"architecture": "svm", "C": 1, "gamma": "scale"}


@pytest.fixture
def clinic(study):
    """Return a study of two classes, ``healthy`` and ``sick``, which are not told apart well."""
    write_two_classes(study, 6)
    return study


def by_scikit_learn(study, positive, fold=1):
    table = study.predictions(1, fold)
    table = table[table["side"] == "test"]
    true, found = table["target"], table["predicted"]
    of = {"pos_label": positive, "zero_division": np.nan}
    other = {**of, "pos_label": next(name for name in ("sick", "healthy") if name != positive)}
    return {
        "sensitivity": recall_score(true, found, **of),
        "specificity": recall_score(true, found, **other),
        "f1": f1_score(true, found, **of),
        "ppv": precision_score(true, found, **of),
        "npv": precision_score(true, found, **other),
    }


def of_test(study, fold):
    return {name: study.scores(1, fold)[name] for name in NAMES}


@pytest.mark.parametrize("positive", ["sick", "healthy"])
def test_they_are_those_of_scikit_learn(clinic, positive):
    clinic.train(SVM, positive_class=positive, metrics="sensitivity, specificity, f1, ppv, npv")

    for fold in (1, 2):
        assert of_test(clinic, fold) == pytest.approx(by_scikit_learn(clinic, positive, fold), nan_ok=True)


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"metrics": "f1"}, "metric 'f1' needs one class to detect; the dataset has healthy, sick."),
        ({"positive_class": "sik"}, "'sik' is not a class of the dataset."),
        ({"class_weights": {"sik": 2.0}}, "sik"),
        ({"metrics": "f2"}, "unknown metric 'f2'"),
    ],
)
def test_a_dry_run_refuses_what_a_run_refuses(clinic, parameters, said):
    clinic.script({"architecture": "mlp"}, **parameters)

    refused = clinic.mistake("exp.py", "--dry-run")

    assert said in refused
    assert refused == clinic.mistake("exp.py", "--executor", "inline")


@pytest.mark.long
def test_other_names_of_them_and_the_monitor(clinic):
    network = {"architecture": "mlp", "monitor": "val_tpr", "metrics": ["TPR", "tnr", "f1_score"]}

    ended = clinic.train(network, positive_class="sick")

    assert {"val_sensitivity", "val_specificity", "val_f1"} <= set(clinic.history())
    assert "sensitivity" in ended.stdout
    assert clinic.scores()["sensitivity"] == pytest.approx(by_scikit_learn(clinic, "sick")["sensitivity"])


def test_they_have_intervals_and_can_be_added_to_finished_runs(clinic):
    clinic.train(SVM)
    before = clinic.record()
    command = ("add-metrics", "results/small/experiment_1", "sensitivity", "f1,specificity")

    refused = clinic.xval(*command)
    unknown = clinic.xval(*command, "--positive-class", "sik")
    added = clinic.xval(*command, "--positive-class", "sick")

    assert refused.returncode == unknown.returncode == 2
    assert "the dataset has healthy, sick" in refused.stderr
    assert "--positive-class sick" in refused.stderr
    assert "'sik' is not a class of the dataset" in unknown.stderr
    assert added.returncode == 0, added.stderr
    assert clinic.record() == before
    metrics = json.loads((clinic.results / "instance_1/metrics.json").read_text())
    text = json.dumps(metrics)
    assert all(name in text for name in ("sensitivity", "specificity", "f1"))
    estimates = json.loads((clinic.results / "instance_1/estimates.json").read_text())
    for scores in estimates["over_items"]["figures"]["figures"].values():
        assert scores["sensitivity"]["low"] < scores["sensitivity"]["high"]


def test_chance_is_the_best_answer_that_ignores_the_audio(clinic):
    """Of F1 and the predictive values one class for all; sensitivity has none, because always the class reaches 1."""
    clinic.train(SVM)
    command = ("add-metrics", "results/small/experiment_1", "f1,ppv,npv,sensitivity,specificity")
    assert clinic.xval(*command, "--positive-class", "sick").returncode == 0
    tested = clinic.predictions().query("side == 'test'")

    table = xval.load_scores(clinic.results).set_index("metric")

    share = (tested["target"] == "sick").mean()
    assert table.loc[["f1", "ppv", "npv"], "of"].to_list() == ["pooled"] * 3
    expected = [2 * share / (1 + share), share, 1 - share]
    assert table.loc[["f1", "ppv", "npv"], "chance"].to_list() == pytest.approx(expected)
    assert table.loc[["f1", "ppv", "npv"], "strategy"].to_list() == [
        "always the positive class", "always the positive class", "never the positive class",
    ]  # fmt: skip
    assert table.loc[["sensitivity", "specificity"], "chance"].isna().all()


def test_a_metric_of_one_class_needs_one(clinic):
    clinic.script(SVM | {"metrics": "sensitivity"})
    without = clinic.run()
    advice = re.search(r'positive_class="(\w+)"', without.stderr)[1]
    wrong = clinic.run("--set", "positive_class=Sick")
    right = clinic.run("--set", f"positive_class={advice}")

    assert without.returncode == wrong.returncode == 2
    assert "metric 'sensitivity' needs one class to detect; the dataset has healthy, sick." in without.stderr
    assert (
        "positive_class: 'Sick' is not a class of the dataset. Available: healthy, sick. Did you mean 'sick'?" in wrong.stderr
    )
    assert right.returncode == 0, right.stderr


def test_one_of_three_classes_counts_against_the_others(study):
    study.train(SVM, positive_class="b", metrics="sensitivity, specificity")

    table = study.predictions().query("side == 'test'")
    true, found = table["target"] == "b", table["predicted"] == "b"
    scores = study.scores()
    assert scores["sensitivity"] == pytest.approx(recall_score(true, found))
    assert scores["specificity"] == pytest.approx(recall_score(~true, ~found))


def test_differences_of_it_are_those_of_a_metric_from_0_to_1(study):
    study.train(SVM, SVM | {"C": 10}, positive_class="b", metrics="sensitivity")
    added = study.xval("add-metrics", study.EXPERIMENT, "specificity", "--positive-class", "b")
    assert added.returncode == 0, added.stderr

    for metric in ("sensitivity", "specificity"):
        for names in ((), ("nested", "1")):
            compared = study.xval("compare", study.EXPERIMENT, *names, "--metric", metric)
            assert compared.returncode == 0, compared.stderr
            assert "another unit" not in compared.stdout
            assert f"Test {metric} of 'b' of clips" in compared.stdout


def test_other_tasks_have_none(study):
    study.corpus("regression")
    study.script({"architecture": "ridge"}, task_type="regression", positive_class="a")
    refused = study.run()
    study.script({"architecture": "ridge", "metrics": "sensitivity"}, task_type="regression")
    unknown = study.run()

    assert refused.returncode == unknown.returncode == 2
    assert (
        "positive_class='a' needs clips with one class each; received task_type=regression. Remove positive_class"
        in refused.stderr
    )
    assert "unknown metric 'sensitivity' for regression" in unknown.stderr


def test_nothing_changes_where_it_is_not_named(study):
    study.train({"architecture": "constant"})

    assert json.loads((study.results / "instance_1/settings.json").read_text())["parameters"]["positive_class"] is None
    assert "sensitivity" not in study.scores()


def test_a_metric_is_of_one_class(clinic):
    """It is not computed again of another, nor of one that the dataset does not have."""
    clinic.train(SVM, positive_class="sick", metrics="ppv")
    add = ("add-metrics", clinic.EXPERIMENT)
    assert clinic.xval(*add, "npv", "--positive-class", "sick").returncode == 0
    assert clinic.xval(*add, "npv", "--positive-class", "sick").returncode == 0
    for name in ("ppv", "npv"):
        other = clinic.xval(*add, name, "--positive-class", "healthy")
        unknown = clinic.xval(*add, name, "--positive-class", "nobody")
        assert other.returncode == unknown.returncode == 2
        assert f"add-metrics {name}: it is known of the class 'sick', not 'healthy'" in other.stderr
        assert "'nobody' is not a class of the dataset" in unknown.stderr


def test_scores_of_one_class_are_the_same_without_the_file_that_keeps_them(clinic):
    clinic.train(SVM, positive_class="sick", metrics="f1")
    assert clinic.xval("add-metrics", clinic.EXPERIMENT, "npv").returncode == 0
    before = xval.load_scores(clinic.results)
    assert {"f1", "npv"} <= set(before["metric"])

    (clinic.results / "instance_1/estimates.json").unlink()

    pd.testing.assert_frame_equal(xval.load_scores(clinic.results), before)


def test_metrics_of_the_experiment_have_no_chance_that_the_class_shares_would_give(clinic):
    clinic.train(SVM, positive_class="sick", metrics="sensitivity, specificity")

    said = clinic.xval("report", clinic.EXPERIMENT, "--markdown").stdout

    assert "(UAR): pooled over all test examples; chance 0.500." in said
    for name in ("Sensitivity", "Specificity"):
        assert f"- {name} of 'sick': pooled over all test examples.\n" in said


def test_chance_of_a_mean_over_items_is_the_mean_of_their_chances(empty):
    """F1 is not linear in the share of the class, so that the share of all clips gives another number."""
    rng = np.random.default_rng(0)
    n_sick = {"s0": 2, "s1": 10, "s2": 3, "s3": 9}
    predictors = {item: rng.normal(size=(12, 6, 4)).astype("float32") for item in n_sick}
    targets = {item: ["sick"] * number + ["well"] * (12 - number) for item, number in n_sick.items()}
    write("small", predictors, targets, data_folder=empty.folder / "data")
    empty.train(SVM, num_folds=4, positive_class="sick", metrics="f1")

    f1 = xval.load_scores(empty.results).set_index("metric").loc["f1"]

    assert f1["of"] == "items"
    shares = np.array(list(n_sick.values())) / 12
    assert f1["chance"] == pytest.approx(np.mean(2 * shares / (1 + shares)))


def of_no_class(texts):
    """Return the texts with a metric of one class whose class they do not name, or in another spelling; not keys of files."""
    names = r"\b(f1|ppv|npv|sensitivity at specificity 90)\b"
    written = re.compile(rf"(?<!macro ){names}(?! of 'sick')", re.I)
    texts = [re.sub("--metric f1", "", text) for text in texts if not re.fullmatch(r"\w+(, \w+)*", text)]
    return [text for text in texts if written.search(text) or re.search(r"[Nn]pv|[Pp]pv|\bf1", text)]


def cells_of(book):
    return [str(cell) for sheet in book for row in sheet.iter_rows(values_only=True) for cell in row if isinstance(cell, str)]


def test_tables_name_the_class_of_a_metric(clinic):
    """Of the settings and added: terminal, workbook, page and the table for papers."""
    metrics = {"metrics": "f1, npv, sensitivity_at_specificity_90", "rank_by": "f1", "positive_class": "sick"}
    ran = clinic.train(SVM, SVM | {"C": 100}, page="complete", **metrics)
    assert clinic.xval("add-metrics", clinic.EXPERIMENT, "ppv").returncode == 0
    reported = clinic.run(COLUMNS="400")
    compared = clinic.xval("compare", clinic.EXPERIMENT, "--metric", "ppv")
    papers = [clinic.xval("report", clinic.EXPERIMENT, form) for form in ("--markdown", "--latex", "--methods")]
    book = openpyxl.load_workbook(clinic.results / "results.xlsx")
    page = (clinic.results / "report.html").read_text()
    page = html.unescape(re.sub("<script.*?</script>|<style.*?</style>|<[^>]*>", "\n", page, flags=re.S))

    ended = [line for line in ran.stdout.splitlines() if not re.match(r"\d+/\d+ ", line)]  # of the jobs: names as in files
    assert any("by validation F1 of 'sick'" in line for line in ended)
    assert "test PPV of 'sick'" in reported.stdout
    assert "test PPV of 'sick'" in compared.stdout
    assert "Sensitivity at specificity 90 of 'sick'" in papers[0].stdout
    sheets = cells_of(book)
    assert "test NPV of 'sick'" in sheets
    assert "F1 of 'sick'" in page
    for texts in (reported.stdout.splitlines(), compared.stdout.splitlines(), sheets, page.splitlines()):
        assert not of_no_class(texts)
    for paper in papers:
        assert not of_no_class(paper.stdout.splitlines())


def test_no_class_is_named_where_two_differ(clinic):
    """Scores of one name of two classes have no common column name, and are not compared."""
    clinic.train(SVM, positive_class="sick", metrics="f1")
    clinic.train(SVM | {"C": 100}, positive_class="healthy", metrics="f1", num_experiment=2)
    other = clinic.EXPERIMENT.replace("experiment_1", "experiment_2") + ":1"

    refused = clinic.mistake("-m", "xval", "compare", clinic.EXPERIMENT, "1", other, "--metric", "f1")

    assert "positive_class" in refused
    assert clinic.xval("compare", clinic.EXPERIMENT, "1", other).returncode == 0


def test_the_advice_of_add_metrics_names_those_of_one_class(clinic):
    clinic.train(SVM)

    refused = clinic.mistake("-m", "xval", "add-metrics", clinic.EXPERIMENT, "uarr")

    available = refused.partition("Available: ")[2]
    assert all(f"{name}," in available for name in [*NAMES, "accuracy"]), refused
