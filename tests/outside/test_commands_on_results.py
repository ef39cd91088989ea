"""Commands that read a finished experiment."""

import csv
import io
import json
import os
import re
import shutil
import signal
import time

import numpy as np
import openpyxl
import pandas as pd
import pytest

from tests.outside.conftest import FEATURES


def test_status_counts_the_jobs(finished):
    ended = finished.xval("status", finished.EXPERIMENT, "--format", "json")

    assert ended.returncode == 0
    status = json.loads(ended.stdout)
    assert (status["folds_total"], status["done"], status["failed"], status["to_do"]) == (3, 9, 0, 0)
    assert {job["state"] for instance in status["instances"] for job in instance["jobs"]} == {"done"}
    shown = finished.xval("status", finished.EXPERIMENT).stdout
    assert "3 instances, 3 folds" in shown
    for number, name in enumerate(("a network", "scaled per clip", "an estimator"), start=1):
        assert re.search(rf" {number} +{name} +3/3 ", shown), shown


def test_the_time_left_of_a_network_is_not_that_of_an_estimator(copied):
    for fold in (1, 2, 3):
        shutil.rmtree(copied.fold(1, fold))
        shutil.rmtree(copied.fold(2, fold))

    status = json.loads(copied.xval("status", copied.EXPERIMENT, "--format", "json").stdout)

    assert [instance["seconds_left"] for instance in status["instances"]] == [None, None, 0]
    assert status["seconds_left"] is None


def test_check_finds_nothing_in_sound_results(finished):
    ended = finished.xval("audit", finished.EXPERIMENT, "--format", "json")

    assert ended.returncode == 0
    verdicts = json.loads(ended.stdout)["verdicts"]
    assert len(verdicts) > 10
    assert not [verdict for verdict in verdicts if verdict["faults"]]
    states = {verdict["rule"]: verdict["state"] for verdict in verdicts}
    assert (states["clips"], states["scores"]) == ("ok", "ok")  # the dataset lies in the current folder


def test_check_fails_where_a_value_was_edited(copied):
    rows = copied.score_table()
    rows.loc[(rows["side"] == "test") & (rows["item"] == "") & (rows["metric"] == "accuracy"), "value"] = 0.987
    rows.to_parquet(copied.fold() / "scores.parquet", index=False)

    ended = copied.xval("audit", copied.EXPERIMENT)

    assert ended.returncode == 1
    assert "FAILED" in ended.stdout
    assert "0.987" in ended.stdout


def test_check_fails_where_a_test_speaker_trains(copied):
    record = copied.record()
    record["items"]["training"].append(record["items"]["test"][0])
    (copied.fold() / "record.json").write_text(json.dumps(record))

    ended = copied.xval("audit", copied.EXPERIMENT)
    as_json = json.loads(copied.xval("audit", copied.EXPERIMENT, "--format", "json").stdout)

    assert ended.returncode == 1
    assert "FAILED        items: " in ended.stdout
    assert record["items"]["test"][0] in ended.stdout
    failed = {verdict["rule"]: verdict for verdict in as_json["verdicts"] if verdict["state"] == "FAILED"}
    assert f"{len(as_json['verdicts']) - len(failed)} ok, {len(failed)} FAILED" in ended.stdout
    assert record["items"]["test"][0] in str(failed["items"]["faults"])
    assert set(failed["items"]) == {
        "rule", "statement", "state", "n_checked", "faults", "not_checkable", "warnings", "notes"
    }  # fmt: skip


def test_check_fails_where_the_model_of_a_fold_is_that_of_another_one(copied):
    for name in ("model.keras", "model.json"):
        shutil.copy(copied.fold(1, 2) / name, copied.fold(1, 1) / name)
    described = json.loads((copied.fold(1, 1) / "model.json").read_text())
    (copied.fold(1, 1) / "model.json").write_text(json.dumps(described | {"fold": 1}))

    ended = copied.xval("audit", copied.EXPERIMENT)

    assert ended.returncode == 1
    assert "instance 1, fold 1: model.keras is not the file that its job wrote" in ended.stdout


def test_check_says_of_an_earlier_version_that_its_models_are_not_known(copied):
    record = copied.record()
    del record["model_sha256"]
    (copied.fold() / "record.json").write_text(json.dumps(record))

    ended = copied.xval("audit", copied.EXPERIMENT, "--format", "json")

    assert ended.returncode == 0
    verdicts = {verdict["rule"]: verdict for verdict in json.loads(ended.stdout)["verdicts"]}
    assert verdicts["model files"]["state"] == "not checkable"
    assert verdicts["model files"]["n_checked"] == 8
    assert "earlier version" in verdicts["model files"]["not_checkable"][0]


def test_a_bundle_of_a_replaced_model_is_refused(copied):
    shutil.copy(copied.fold(3, 2) / "model.skops", copied.fold(3, 1) / "model.skops")

    ended = copied.xval("bundle", str(copied.fold(3, 1)), "--output", "shared")

    assert ended.returncode == 2
    assert "model.skops is not the file that its job wrote (its SHA-256 differs from record.json)" in ended.stderr
    assert not (copied.folder / "shared").exists()


def test_audit_sees_a_final_model_that_is_gone(copied):
    assert copied.xval("refit", f"{copied.EXPERIMENT}:3").returncode == 0
    (copied.results / "instance_3" / "refit" / "model.skops").unlink()

    ended = copied.xval("audit", copied.EXPERIMENT)

    assert "instance 3, final model: model.skops is missing" in " ".join(ended.stdout.split())


def test_python_compares_one_instance_named_by_its_number_or_as_text(copied):
    call = f"import xval; print(xval.compare_instances('{copied.EXPERIMENT}', {{}}).baseline)"
    for named in ("3, baseline=1", "'3', baseline=1", "'nested', baseline=1"):
        assert copied.python("-c", call.format(named)).stdout == "1\n", named
    ended = copied.python("-c", call.format("[1, 3], rope='x'"))
    assert "rope='x': expected a number from 0, in the unit of the metric." in ended.stderr
    assert "Traceback" not in ended.stderr


def test_compare_writes_what_it_shows(copied):
    ended = copied.xval("compare", copied.EXPERIMENT, "--baseline", "1", "--output", "pairs.csv")

    assert ended.returncode == 0
    pairs = pd.read_csv(copied.folder / "pairs.csv")
    assert len(pairs) == 2  # instances 2 and 3, each with 1
    means = [copied.scores(3, fold)["accuracy"] for fold in (1, 2, 3)]
    shown = copied.xval("compare", copied.EXPERIMENT, "3", "--baseline", "1", "--metric", "accuracy").stdout
    assert f"{np.mean(means):.3f}" in shown


def test_compare_takes_selected_nested_and_another_experiment(finished):
    for word in ("selected", "nested", f"{finished.EXPERIMENT}:2"):
        ended = finished.xval("compare", finished.EXPERIMENT, "1", word)
        assert ended.returncode == 0, ended.stderr
        assert "p " in ended.stdout


def test_the_folder_of_an_instance_is_compared_as_that_instance(finished):
    folders = [f"{finished.EXPERIMENT}/instance_{number}" for number in (1, 2)]

    by_folder, by_number = finished.xval("compare", *folders), finished.xval("compare", finished.EXPERIMENT, "1", "2")
    assert by_folder.returncode == 0, by_folder.stderr
    assert by_folder.stdout == by_number.stdout
    based = finished.xval("compare", finished.EXPERIMENT, "2", "--baseline", folders[0])
    assert based.stdout == finished.xval("compare", finished.EXPERIMENT, "2", "--baseline", "1").stdout


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("1", "9"), "1, 2, 3"),
        (("--metric", "acuracy"), "'accuracy'"),
        (("--metrik", "accuracy"), "Did you mean '--metric'?"),
        (("--rope", "-1"), "error: --rope -1: expected a number from 0."),
        (
            ("1",),
            "expected at least two, or one and another as baseline (--baseline). Available: 1, 2, 3.",
        ),
        (("--baseline", "none"), "none"),
        (("1", "results/nowhere:1"), "results/nowhere"),
    ],
)
def test_compare_says_what_there_is(finished, arguments, named):
    assert named in finished.mistake("-m", "xval", "compare", finished.EXPERIMENT, *arguments)


@pytest.mark.long
def test_an_estimator_without_another_instance_can_be_compared_with_chance(copied):
    to_type = f"xval permutation-test {copied.EXPERIMENT}:3"

    assert to_type in copied.mistake("-m", "xval", "compare", copied.EXPERIMENT, "3")
    assert "permutation-test" not in copied.mistake("-m", "xval", "compare", copied.EXPERIMENT, "1")
    assert copied.xval(*to_type.split()[1:], "--permutations", "39").returncode == 0


def test_groups_shows_a_value_of_each_group(copied):
    ended = copied.xval("groups", f"{copied.EXPERIMENT}:1", "--by", "gender", "--metric", "accuracy", "--output", "groups.csv")

    assert ended.returncode == 0
    assert "Instance 1, test accuracy (mean over items) by gender" in ended.stdout
    assert "Gap in accuracy by gender: " in ended.stdout
    table = pd.read_csv(copied.folder / "groups.csv")
    tested = pd.concat([copied.predictions(1, fold).query("side == 'test'") for fold in (1, 2, 3)])
    right = (tested["target"] == tested["predicted"]).groupby(tested["item"].isin(["s0", "s2", "s4"])).mean()
    assert np.isclose(table.select_dtypes("number"), right[True]).any()
    assert np.isclose(table.select_dtypes("number"), right[False]).any()


def test_groups_names_the_columns_that_there_are(finished):
    said = finished.mistake("-m", "xval", "groups", finished.EXPERIMENT, "--by", "gendr")

    assert "'gender'" in said


def test_report_writes_a_page_that_loads_nothing(copied):
    (copied.results / "report.html").unlink()

    ended = copied.xval("report", copied.EXPERIMENT)

    assert ended.returncode == 0
    assert f"{copied.EXPERIMENT}/report.html" in ended.stdout
    page = (copied.results / "report.html").read_text()
    assert "an estimator" in page
    loaded = re.findall(r"""(?:\bsrc|<link[^>]*href)\s*=\s*["']?([^"' >]{1,40})""", page) + re.findall(
        r"url\(([^)]{1,40})", page
    )
    assert not [address for address in loaded if not address.startswith(("data:", "#"))]


@pytest.mark.parametrize(("form", "mark"), [("--latex", r"\begin{tabular}"), ("--markdown", "| --")])
def test_report_prints_the_table_for_a_paper(finished, form, mark):
    ended = finished.xval("report", finished.EXPERIMENT, form)

    assert ended.returncode == 0
    assert mark in ended.stdout
    assert "an estimator" in ended.stdout


def test_report_says_which_instances_there_are(finished):
    said = finished.mistake("-m", "xval", "report", finished.EXPERIMENT, "7", "--latex")

    assert "1, 2, 3" in said or "1-3" in said


def test_list_has_a_row_for_each_experiment(copied):
    ended = copied.xval("list", "--format", "json")

    assert ended.returncode == 0
    (row,) = json.loads(ended.stdout)
    assert row["experiment"] == "small/experiment_1"
    assert (row["instances"], row["jobs"], row["jobs_done"], row["state"]) == (3, 9, 9, "done")
    assert row["low"] <= row["value"] <= row["high"]
    assert copied.xval("list", "results", "--output", "list.csv").returncode == 0
    assert pd.read_csv(copied.folder / "list.csv")["value"].tolist() == [pytest.approx(row["value"])]
    assert "experiment_1" in copied.xval("list", "--sort", "metric", "--corpus", "small").stdout


def test_list_survives_a_summary_that_is_damaged(copied):
    (copied.results / "summary.json").write_text("{")

    ended = copied.xval("list")

    assert ended.returncode == 0
    assert "rebuild" in ended.stdout


def derived(study):
    """Return what stands in the files that are made of those of the folds."""
    workbook = openpyxl.load_workbook(study.results / "results.xlsx")
    cells = {sheet.title: [[cell.value for cell in row] for row in sheet.iter_rows()] for sheet in workbook}
    metric_dicts = [json.loads((study.results / f"instance_{number}/metrics.json").read_text()) for number in (1, 2, 3)]
    return cells, metric_dicts


def test_rebuild_writes_what_was_lost_as_it_was(copied):
    before = derived(copied)
    of_folds = {path: path.stat().st_mtime_ns for path in copied.results.glob("instance_*/fold_*/*")}
    lost = [*copied.results.glob("instance_*/metrics.json"), copied.results / "results.xlsx", copied.results / "summary.json"]
    for path in lost:
        path.unlink()

    ended = copied.xval("rebuild", copied.EXPERIMENT)

    assert (ended.returncode, ended.stderr) == (0, "")
    assert "Written from 3 instances" in ended.stdout
    assert derived(copied) == before
    assert (copied.results / "summary.json").exists()
    assert {path: path.stat().st_mtime_ns for path in of_folds} == of_folds


def test_rebuild_adds_metrics_to_finished_folds(copied):
    copied.file("mine.py", METRIC)
    records = {path: path.read_bytes() for path in copied.results.glob("instance_*/fold_*/record.json")}

    ended = copied.xval("add-metrics", copied.EXPERIMENT, "mine.share_of_high", "sklearn:cohen_kappa_score")

    assert ended.returncode == 0, ended.stderr
    assert {path: path.read_bytes() for path in records} == records
    for number in (1, 2, 3):
        means = json.loads((copied.results / f"instance_{number}/metrics.json").read_text())["summary"]["test"]
        for name in ("share_of_high", "cohen_kappa_score"):
            assert re.search(rf"instance {number}: test .*{name}.* {means[name]['mean']:.3f}", ended.stdout), ended.stdout
    rows = copied.python("-c", f"import xval; print(sorted(set(xval.load_results({copied.EXPERIMENT!r})['metric'])))").stdout
    assert "share_of_high" in rows
    assert "cohen_kappa_score" in rows
    workbook = openpyxl.load_workbook(copied.results / "results.xlsx")
    assert any("share_of_high" in str(cell.value) for sheet in workbook for row in sheet.iter_rows() for cell in row)


METRIC = """
from xval import metric

@metric(higher_is_better=True, bounds=(0, 1))
def share_of_high(targets, predictions):
    return float((predictions.argmax(axis=1) == targets)[targets == 0].mean()) if (targets == 0).any() else float("nan")
"""


@pytest.mark.parametrize("name", ["cohen_kapa", "uar,nowhere.metric"])
def test_rebuild_names_a_metric_that_is_none(finished, name):
    said = finished.mistake("-m", "xval", "add-metrics", finished.EXPERIMENT, name)
    assert name.removeprefix("uar,").partition(".")[0] in said


def test_a_damaged_history_costs_its_curves_alone(copied):
    (copied.fold(1, 1) / "history.csv").write_text("epoch,loss\n1,x\n")

    ended = copied.xval("rebuild", copied.EXPERIMENT)

    assert ended.returncode == 1
    assert "history.csv: damaged" in ended.stderr
    assert json.loads((copied.results / "instance_1/metrics.json").read_text())["folds_done"] == 3


def test_rebuild_leaves_out_a_damaged_record_and_says_so(copied):
    (copied.fold(2, 2) / "record.json").write_text("{")

    ended = copied.xval("rebuild", copied.EXPERIMENT)

    assert ended.returncode == 1
    assert ended.stderr.startswith(f"left out: {copied.EXPERIMENT}/instance_2/fold_2/record.json: ")
    assert ended.stderr.endswith("Move its folder away to run that part again.\n")
    assert ended.stderr.count("\n") == 1
    assert "Written from 3 instances" in ended.stdout
    assert [content["folds_done"] for content in derived(copied)[1]] == [3, 2, 3]


def test_plan_says_how_many_speakers(copied):
    known = copied.xval("sample-size", "--speakers", "10,40", "--clips", "20")
    own = copied.xval(
        "sample-size", "--from", copied.EXPERIMENT, "--speakers", "6..12", "--difference", "0.2", "--output", "plan.svg"
    )

    assert known.returncode == own.returncode == 0
    assert re.search(r"Record \d+ actors", known.stdout)
    assert re.search(r"Record \d+", own.stdout)
    assert (copied.folder / "plan.svg").read_text().lstrip().startswith("<?xml")


def test_more_speakers_never_make_the_detectable_difference_larger(empty):
    planned = empty.xval("sample-size", "--speakers", "24,200,400,1000,10000").stdout

    shown = [float(line.split()[-1]) for line in planned.splitlines() if re.match(r"\d+ +0", line)]
    assert len(shown) == 5
    assert shown == sorted(shown, reverse=True)


@pytest.mark.parametrize("arguments", [("--speakers", "9..3"), ("--difference", "0"), ("--clips", "many")])
def test_plan_names_a_number_that_is_none(empty, arguments):
    assert arguments[0] in empty.mistake("-m", "xval", "sample-size", *arguments)


def test_review_lists_labels_that_may_be_wrong(copied):
    ended = copied.xval("review-labels", f"{copied.EXPERIMENT}:3", "--output", "suspects.csv")

    assert ended.returncode == 0
    suspects = pd.read_csv(copied.folder / "suspects.csv")
    assert list(suspects) == ["clip", "item", "label", "kind", "answer", "why"]
    assert not (copied.folder / "data/small/corrections.csv").exists()
    clips = pd.read_csv(copied.folder / "audio" / "clips.csv")
    wrong = clips.loc[[not row.path.startswith(row.label) for row in clips.itertuples()], "path"].item()
    assert wrong in suspects.iloc[:, :2].to_numpy()


def test_review_takes_a_number_for_its_port(finished):
    assert "--port" in finished.mistake("-m", "xval", "review-labels", finished.EXPERIMENT, "--port", "99999")


def test_of_folds_that_a_publisher_made_claims_are_about_new_recordings(study):
    study.script({"architecture": "svm"}, {"architecture": "knn", "n_neighbors": (9,)}, item_name="fold")

    said = study.run()
    compared = study.xval("compare", study.EXPERIMENT)

    assert "on unseen recordings" in said.stdout, said.stdout
    for folds in ("new folds", "unseen folds"):
        assert folds not in said.stdout + compared.stdout


@pytest.mark.long
def test_a_run_without_folds_yet_is_starting(empty):
    """Features are made before folds.json is written, which may take long."""
    empty.recordings(n_speakers=60)
    assert empty.prepare("table", "audio/clips.csv", "--dataset", "small").returncode == 0
    empty.train({"architecture": "constant"}, num_experiment=2, **FEATURES)
    empty.script({"architecture": "constant"}, **FEATURES | {"n_mels": 7})
    assert "no such folder" in empty.mistake("-m", "xval", "status", empty.EXPERIMENT)
    with empty.started("exp.py", "--executor", "inline") as process:
        while not list(empty.results.glob(".script_*.json")):
            assert process.poll() is None
            time.sleep(0.002)
        os.kill(process.pid, signal.SIGSTOP)
        assert not (empty.results / "folds.json").exists()
        ended = empty.xval("status", empty.EXPERIMENT)
        assert ended.returncode == 0, ended.stderr
        assert re.fullmatch(
            rf"{empty.EXPERIMENT}: exp\.py is starting since [\d:]+ \(.*\)\. It has no folds and no results yet\.\n",
            ended.stdout,
        )
        status = json.loads(empty.xval("status", empty.EXPERIMENT, "--format", "json").stdout)
        assert status["at_work"][0]["script"] == "exp.py"
        assert (status["folds_total"], status["seconds_left"], status["instances"], status["faults"]) == (None, None, [], [])
        listed, older = json.loads(empty.xval("list", "results", "--format", "json").stdout)  # the newest first
        assert older["experiment"] == "small/experiment_2"
        assert listed["date"] >= older["date"]
        assert (listed["experiment"], listed["state"], listed["instances"]) == ("small/experiment_1", "starting", 0)
        said = empty.mistake("-m", "xval", "report", empty.EXPERIMENT)
        assert "has no results yet, because exp.py is starting. Wait for its first fold." in " ".join(said.split())
    assert "no folds.json" in empty.mistake("-m", "xval", "status", empty.EXPERIMENT)  # it was killed
    assert "experiment_1" not in empty.xval("list", "results").stdout


def test_cells_of_tables_have_text_and_no_python(finished, tmp_path):
    """A spreadsheet shows what several values say: lists as words, and nothing where there is none."""
    tables = {}
    for words in ("audit", "status", "compare", "list", "groups"):
        place = "results" if words == "list" else finished.EXPERIMENT
        options = ("--by", "gender") if words == "groups" else ()
        ended = finished.xval(words, place, *options, "--format", "csv")
        assert ended.stdout.count("\n") > 1, ended.stderr
        rows = list(csv.reader(io.StringIO(ended.stdout)))
        assert not [cell for row in rows for cell in row if re.match(r"[\[({].*[\])}]$|(None|nan|NaN|<NA>|NaT)$", cell)], words
        tables[words] = rows
    audited = pd.DataFrame(tables["audit"][1:], columns=tables["audit"][0]).set_index("rule")
    assert audited.loc["members", "notes"] == "no instance is an ensemble"
    assert audited.loc["members", "faults"] == ""
    assert finished.xval("audit", finished.EXPERIMENT, "--output", tmp_path / "a.xlsx").returncode == 0
    sheet = pd.read_excel(tmp_path / "a.xlsx", keep_default_na=False).set_index("rule")
    assert sheet["notes"].to_dict() == audited["notes"].to_dict()
