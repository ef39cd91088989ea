"""Derived files while a run goes on: what has changed is written, nothing else; and no job waits for it."""

import time

import openpyxl
import pytest

from xval.errors import ResultsError
from xval.json_files import read_json
from xval.results import folder as folder_module
from xval.results.background_rebuild import BackgroundRebuild
from xval.results.rebuild import DerivedFiles, is_stale, rebuild

WAIT_S = 20


@pytest.fixture
def results(make_results, tmp_path):
    return make_results(tmp_path, n_folds=3)


@pytest.fixture
def folder(results):
    return results.folder


@pytest.fixture
def end_fold(results):
    """Return a function that publishes a fold as a job does."""

    def end(instance, fold, accuracy):
        if results.folder.settings(instance) is None:
            results.add_instance(instance)
        results.add_fold(instance, fold, {"accuracy": accuracy})

    return end


def figures(folder):
    """Return what the workbook says of each fold."""
    rows = openpyxl.load_workbook(folder.workbook)["folds"].iter_rows(min_row=2, values_only=True)
    return {(row[0], row[2]): row[10] for row in rows}


def written(folder, instance):
    return (folder.instance_folder(instance) / "metrics.json").stat().st_mtime_ns


def test_only_what_has_changed_is_written_again(folder, end_fold):
    end_fold(1, 1, 0.5)
    end_fold(2, 1, 0.6)
    files = DerivedFiles(folder)
    assert files.rebuild() == []
    before = written(folder, 1), written(folder, 2)

    end_fold(2, 2, 0.75)
    files.rebuild()

    assert (written(folder, 1) == before[0], written(folder, 2) > before[1]) == (True, True)
    assert figures(folder) == {(1, 1): 0.5, (2, 1): 0.6, (2, 2): 0.75}
    assert read_json(folder.instance_folder(2) / "metrics.json")["folds_done"] == 2


def test_it_writes_what_a_rebuild_from_nothing_writes(folder, end_fold):
    files = DerivedFiles(folder)
    for fold, accuracy in ((1, 0.5), (2, 0.25)):
        end_fold(1, fold, accuracy)
        files.rebuild()
    found = figures(folder), (folder.instance_folder(1) / "metrics.json").read_bytes()
    (folder.instance_folder(1) / "metrics.json").unlink()

    rebuild(folder)

    assert (figures(folder), (folder.instance_folder(1) / "metrics.json").read_bytes()) == found


def test_a_changed_record_counts_and_a_damaged_one_is_named_each_time(folder, end_fold):
    end_fold(1, 1, 0.5)
    end_fold(1, 2, 0.5)
    files = DerivedFiles(folder)
    files.rebuild()
    (folder.fold_folder(1, 2) / "record.json").write_text("{")
    end_fold(1, 1, 0.875)

    named = [files.rebuild(), files.rebuild()]

    assert [len(lines) for lines in named] == [1, 1]
    assert "fold_2/record.json: not readable as JSON" in named[0][0]
    assert figures(folder) == {(1, 1): 0.875}


def test_derived_files_are_stale_once_a_fold_has_ended_after_they_were_begun(folder, end_fold):
    end_fold(1, 1, 0.5)
    rebuild(folder)
    assert not is_stale(folder)
    time.sleep(0.02)  # longer than a tick of the clock of file systems

    end_fold(1, 2, 0.5)

    assert is_stale(folder)


def test_derived_files_that_were_begun_before_a_fold_had_its_name_are_stale(folder, end_fold, monkeypatch):
    end_fold(1, 1, 0.5)
    flush_all, n_flushed = folder_module.flush_all, []

    def flush_slowly(paths):
        flush_all(paths)
        if not n_flushed:
            time.sleep(0.02)
            rebuild(folder)
            time.sleep(0.02)
        n_flushed.append(len(paths))

    monkeypatch.setattr(folder_module, "flush_all", flush_slowly)

    end_fold(1, 2, 0.5)

    assert figures(folder) == {(1, 1): 0.5}
    assert is_stale(folder)


def test_derived_files_follow_while_jobs_end_and_the_last_rebuild_has_them_all(folder, end_fold):
    derived = BackgroundRebuild(folder, seconds_between=0.05)
    end_fold(1, 1, 0.5)
    derived.update()
    assert not folder.workbook.exists()
    until = time.monotonic() + WAIT_S
    while not folder.workbook.exists() and time.monotonic() < until:
        time.sleep(0.02)
        derived.update()
    assert figures(folder) == {(1, 1): 0.5}

    end_fold(1, 2, 0.25)

    assert derived.close() == []
    assert figures(folder) == {(1, 1): 0.5, (1, 2): 0.25}


def test_what_the_thread_meets_reaches_the_run(folder, end_fold):
    end_fold(1, 1, 0.5)
    folder.folds_file.write_text("{")
    derived = BackgroundRebuild(folder, seconds_between=0.0)

    def keep_on():
        until = time.monotonic() + WAIT_S
        while time.monotonic() < until:
            derived.update()
            time.sleep(0.01)

    with pytest.raises(ResultsError, match=r"folds\.json: not readable"):
        keep_on()
