"""xval list: what is shown, what is read, and no figure of files that have changed since."""

import csv
import json
import os
import re
import shutil
import sys
import time

import pytest

from xval.base.json_files import read_json, write_json
from xval.commands import list as list_command
from xval.report.rebuild import rebuild
from xval.results.folder import find_experiments
from xval.results.summaries import list_experiments

READS = []
"""Paths that this process opened for reading, while a test asks for them."""
_IS_COUNTED = []


def _note(event, arguments):
    if _IS_COUNTED and event == "open" and isinstance(arguments[0], str | os.PathLike):
        READS.append(os.fspath(arguments[0]))


@pytest.fixture
def opened():
    """Return a function that gives the paths of the files below a folder that some code opens."""
    if not READS:
        READS.append("")
        sys.addaudithook(_note)  # for good: Python cannot take it away

    def of(folder, code):
        del READS[1:]
        _IS_COUNTED.append(True)
        try:
            code()
        finally:
            _IS_COUNTED.clear()
        return sorted({os.path.relpath(path, folder) for path in READS if path.startswith(str(folder))})

    return of


@pytest.fixture
def root(make_results, tmp_path):
    """Three experiments with summaries: two on one corpus, of which the second is better, and one on another."""
    for dataset, number, accuracy in (("demo", 1, 0.5), ("demo", 2, 0.75), ("other", 1, 0.625)):
        results = make_results(tmp_path / "results", dataset=dataset, number=number)
        results.add_instance(1, comment_1="per bin")
        results.add_instance(2, comment_1="global")
        for fold in (1, 2):
            results.add_fold(1, fold, {"accuracy": accuracy})
            results.add_fold(2, fold, {"accuracy": accuracy - 0.25})
        time.sleep(0.02)  # longer than a tick of the clock of file systems
        rebuild(results.folder)
    return tmp_path / "results"


@pytest.fixture
def first(root, make_results):
    """The experiment demo/experiment_1, to which folds may be added."""
    kept = shutil.copytree(root / "demo" / "experiment_1", root / "kept")
    results = make_results(root, dataset="demo", number=1)
    shutil.copy2(kept / "folds.json", results.folder.folds_file)
    shutil.rmtree(kept)
    return results


@pytest.fixture
def rows(command, root):
    """Return a function that gives the rows that ``list --json`` prints."""
    return lambda *options: command("list", root, "--format", "json", *options).rows()


def test_every_experiment_is_listed_with_its_figure_the_newest_first(rows):
    newest, _, oldest = rows()

    assert [newest["experiment"], oldest["experiment"]] == ["other/experiment_1", "demo/experiment_1"]
    date = oldest.pop("date")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d", date)
    assert oldest == {
        "experiment": "demo/experiment_1", "description": "a test", "corpus": "demo", "instances": 2, "selected": 1,
        "name": "per bin", "metric": "accuracy", "value": 0.5, "low": None, "high": None, "chance": 0.5, "state": "done",
        "jobs": 4, "jobs_done": 4, "is_current": True,
    }  # fmt: skip


def test_it_is_sorted_by_metric_and_filtered_by_corpus(rows, command, root):
    assert [row["value"] for row in rows("--sort", "metric")] == [0.75, 0.625, 0.5]
    assert [row["experiment"] for row in rows("--corpus", "demo")] == ["demo/experiment_2", "demo/experiment_1"]
    ended = command("list", root, "--corpus", "dem")
    assert (ended.code, "There are: demo, other." in ended.err) == (2, True)


def test_the_table_and_the_csv_file_say_the_same(command, root, tmp_path):
    ended = command("list", root, "--output", tmp_path / "list.csv")

    with (tmp_path / "list.csv").open() as file:
        written = list(csv.DictReader(file))
    assert (written[0]["experiment"], written[0]["value"]) == ("other/experiment_1", "0.625")
    assert re.search(r"other/experiment_1 +a test +other +\S+ \S+ +2 +per bin \(1\) +accuracy +0.625 +0.500 +done", ended.out)
    assert "3 experiments." in ended.out
    assert (
        "The score is that of the selected instance; of instances that differ only in their seed it is their mean." in ended.out
    )
    assert "rebuild" not in ended.out


def test_only_summaries_are_read(root, opened):
    read = opened(root, lambda: list_experiments(find_experiments(root)))

    assert read == ["demo/experiment_1/summary.json", "demo/experiment_2/summary.json", "other/experiment_1/summary.json"]


@pytest.mark.parametrize("damage", ["missing", "of another version", "cut short", "another form"])
def test_a_summary_that_cannot_be_used_is_none(rows, root, damage):
    path = root / "demo" / "experiment_2" / "summary.json"
    content = read_json(path)
    if damage == "missing":
        path.unlink()
    elif damage == "cut short":
        path.write_bytes(path.read_bytes()[:-20])
    else:
        write_json(path, content | ({"version": "1.0"} if damage == "of another version" else {"main": {"value": "0.9"}}))

    (row,) = [row for row in rows() if not row["is_current"]]

    assert (row["experiment"], row["value"], row["state"]) == ("demo/experiment_2", None, "unknown")


def test_the_state_is_that_of_status(rows, command, first, make_failure):
    first.add_instance(3)
    rebuild(first.folder)

    def state():
        (row,) = [row for row in rows() if row["experiment"] == "demo/experiment_1"]
        counted = json.loads(command("status", first.folder.path, "--format", "json").out)
        return row["state"], counted["failed"], counted["running"], counted["to_do"]

    assert state() == ("to do", 0, 0, 2)
    with first.folder.claim(3, 1):
        assert state() == ("running", 0, 1, 1)
    first.add_fold(3, 1, {"accuracy": 0.5}, status="failed", error="the loss is NaN")
    rebuild(first.folder)
    assert state() == ("failed", 1, 0, 1)


def test_folders_without_experiments_say_so(command, tmp_path):
    assert "no such folder" in command("list", tmp_path / "nowhere").err
    assert "there is no experiment in it" in command("list", tmp_path).err


def test_help_says_what_it_lists(command):
    assert list_command.SUMMARY in command("--help").out
