"""xval rebuild: what is derived, made again; what is damaged, left out and named."""

import json
import shutil
import subprocess
import sys

import openpyxl
import pytest


def cells(path):
    """Return what stands in every cell of a workbook."""
    workbook = openpyxl.load_workbook(path)
    return {sheet.title: [[cell.value for cell in row] for row in sheet.iter_rows()] for sheet in workbook}


def metric_dicts(results):
    return {path.parent.name: json.loads(path.read_text()) for path in sorted(results.glob("instance_*/metrics.json"))}


def test_deleted_files_come_back_as_they_were(command, results):
    before = metric_dicts(results), cells(results / "results.xlsx")
    for path in (*results.glob("instance_*/metrics.json"), results / "results.xlsx"):
        path.unlink()

    code, printed, errors = command("rebuild", results)

    assert (code, errors) == (0, "")
    assert "Written from 3 instances" in printed
    assert len(before[0]) == 3
    assert (metric_dicts(results), cells(results / "results.xlsx")) == before


def test_fold_folders_are_not_touched(command, results):
    def state():
        return {path: path.stat().st_mtime_ns for path in results.glob("instance_*/fold_*/*")}

    before = state()
    command("rebuild", results)

    assert state() == before


@pytest.mark.parametrize("content", ['{"status": "don', "[1]", '{"status": "done", "instance": 1, "fold": 2}', "\x00" * 50])
def test_a_damaged_record_is_named_and_the_rest_is_rebuilt(command, results, content):
    path = results / "instance_1" / "fold_2" / "record.json"
    path.write_text(content)

    code, printed, errors = command("rebuild", results)

    assert code == 1
    assert errors.startswith(f"left out: {path}: ")
    assert errors.endswith("Move its folder away to run that part again.\n")
    assert errors.count("\n") == 1
    assert "Written from 3 instances" in printed
    found = metric_dicts(results)
    assert {name: (each["folds_done"], each["folds_total"]) for name, each in found.items()} == {
        "instance_1": (1, 2), "instance_2": (2, 2), "instance_3": (2, 2),
    }  # fmt: skip
    assert "summary" in cells(results / "results.xlsx")


def test_an_instance_without_its_settings_is_left_out(command, results):
    (results / "instance_2" / "settings.json").unlink()

    code, printed, errors = command("rebuild", results)

    assert code == 1
    assert f"left out: {results / 'instance_2' / 'settings.json'}: missing" in errors
    assert "Written from 2 instances" in printed


def test_a_damaged_history_costs_its_curves_alone(command, results):
    (results / "instance_1" / "fold_1" / "history.csv").write_text("epoch,loss\n1,x\n")

    code, _, errors = command("rebuild", results)

    assert code == 1
    assert "history.csv: damaged" in errors
    assert metric_dicts(results)["instance_1"]["folds_done"] == 2


def test_added_metrics_are_printed_for_each_instance_and_the_records_stay(command, results):
    def state():
        return {path: path.read_bytes() for path in results.glob("instance_*/fold_*/record.json")}

    before = state()
    code, printed, errors = command("add-metrics", results, "uar")
    assert (code, errors) == (0, "")
    found = metric_dicts(results)
    for number in (1, 2, 3):
        mean = found[f"instance_{number}"]["summary"]["test"]["balanced_accuracy"]["mean"]
        assert f"instance {number}: test uar (balanced_accuracy) {mean:.3f}" in printed

    own = "experiments.own_metrics"
    code, _, errors = command("add-metrics", results, f"uar,{own}.x")
    assert code == 2
    assert f"'{own}.x'" in errors or "no module" in errors
    assert state() == before


def test_without_instances_there_is_nothing_to_write(command, results):
    for path in results.glob("instance_*"):
        shutil.rmtree(path)
    (results / "results.xlsx").unlink()

    code, printed, _ = command("rebuild", results)

    assert code == 0
    assert "nothing to write" in printed
    assert not (results / "results.xlsx").exists()


def test_damaged_folds_are_an_error_and_the_workbook_stays(command, results):
    (results / "folds.json").write_text("{")
    before = (results / "results.xlsx").read_bytes()

    code, _, errors = command("rebuild", results)

    assert code == 2
    assert str(results / "folds.json") in errors
    assert (results / "results.xlsx").read_bytes() == before


def test_it_waits_for_a_run_that_writes_the_same_files(command, results):
    program = (
        "import sys, time; from pathlib import Path; from xval.results.folder import ExperimentFolder\n"
        "with ExperimentFolder(Path(sys.argv[1])).lock():\n"
        "    print('held', flush=True); time.sleep(1); Path(sys.argv[1], 'let_go').touch()"
    )
    (results / "results.xlsx").unlink()
    with subprocess.Popen([sys.executable, "-c", program, str(results)], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"

        code, _, _ = command("rebuild", results)
        had_waited = (results / "let_go").exists()

    assert code == 0
    assert had_waited
    assert (results / "results.xlsx").exists()
