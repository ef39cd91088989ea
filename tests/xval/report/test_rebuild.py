"""Derived files: what has changed is written, nothing else."""

import errno
import json
import os
import time

import openpyxl
import pytest

from xval.answers.read import read_instances
from xval.base.json_files import read_json, write_json
from xval.report.rebuild import is_page_stale, is_stale, rebuild, rebuild_if_stale
from xval.results import folder as folder_module


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


def scores(folder):
    """Return what the workbook says of each fold."""
    rows = openpyxl.load_workbook(folder.workbook)["folds"].iter_rows(min_row=2, values_only=True)
    return {(row[0], row[2]): row[10] for row in rows}


def written(folder, instance):
    return (folder.instance_folder(instance) / "metrics.json").stat().st_mtime_ns


def test_only_what_has_changed_is_written_again(folder, end_fold):
    end_fold(1, 1, 0.5)
    end_fold(2, 1, 0.6)
    assert rebuild(folder) == []
    before = written(folder, 1), written(folder, 2)

    end_fold(2, 2, 0.75)
    rebuild(folder)

    assert (written(folder, 1) == before[0], written(folder, 2) > before[1]) == (True, True)
    assert scores(folder) == {(1, 1): 0.5, (2, 1): 0.6, (2, 2): 0.75}
    assert read_json(folder.instance_folder(2) / "metrics.json")["folds_done"] == 2


def test_the_epochs_of_every_job_stand_in_its_metric_dict_as_long_as_they_are_worth_reading(folder, end_fold, monkeypatch):
    for fold in (1, 2):
        end_fold(1, fold, 0.5)
    history = folder.fold_folder(1, 2) / "history.csv"
    history.write_text("epoch,loss,val_loss\n1,0.123456789,nan\n2,1.5e-09,0.25\n")
    path = folder.instance_folder(1) / "metrics.json"

    rebuild(folder)

    assert read_json(path)["history"] == {
        "fold_1": {
            "epoch": [
                1,
            ],
            "loss": [0.5],
            "val_loss": [0.6],
        },
        "fold_2": {"epoch": [1, 2], "loss": [0.123457, 1.5e-09], "val_loss": [None, 0.25]},
    }
    monkeypatch.setattr("xval.report.rebuild._MOST_VALUES_OF_HISTORY", 8)
    rebuild(folder)
    assert "history" not in read_json(path)


def test_a_changed_record_counts_and_a_damaged_one_is_named_each_time(folder, end_fold):
    end_fold(1, 1, 0.5)
    end_fold(1, 2, 0.5)
    rebuild(folder)
    (folder.fold_folder(1, 2) / "record.json").write_text("{")
    end_fold(1, 1, 0.875)

    named = [rebuild(folder), rebuild(folder)]

    assert [len(lines) for lines in named] == [1, 1]
    assert "fold_2/record.json: not readable as JSON" in named[0][0]
    assert scores(folder) == {(1, 1): 0.875}


@pytest.mark.parametrize(
    ("content", "said"),
    [("nan,loss\n1,0.5\n", "no column 'epoch'"), ("epoch,loss\nnan,0.5\n", "its epochs are not 1, 2, 3 ...")],
)  # fmt: skip
def test_a_history_without_its_epochs_is_named_and_left_out(folder, end_fold, content, said):
    end_fold(1, 1, 0.5)
    path = folder.fold_folder(1, 1) / "history.csv"
    path.write_text(content)

    assert rebuild(folder) == [f"{path}: damaged ({said}). Its curves are missing from the workbook."]


@pytest.mark.parametrize("edit", [(b"0.5", b"0.9"), (b"}", b"} "), (b"{", b"["), (b'"mean": 0.5', b'"mean": "x"')])
def test_nothing_is_read_of_an_edited_metric_dict_and_a_rebuild_writes_it_again(folder, end_fold, edit):
    end_fold(1, 1, 0.5)
    rebuild(folder)
    path = folder.instance_folder(1) / "metrics.json"
    whole = path.read_bytes()
    path.write_bytes(whole.replace(*edit, 1))

    (found,) = read_instances(folder, [1])
    assert found.over_folds("test", "accuracy")["mean"] == 0.5

    rebuild(folder)
    assert json.loads(path.read_bytes()) == json.loads(whole)


def test_a_history_that_the_system_cannot_read_is_named(folder, end_fold, monkeypatch):
    end_fold(1, 1, 0.5)

    def refuse(path):
        raise OSError(errno.EIO, "Input/output error")  # as of a bad disk: without a name

    monkeypatch.setattr("xval.results.open.read_history", refuse)

    (line,) = rebuild(folder)

    assert line == f"{folder.fold_folder(1, 1) / 'history.csv'}: Input/output error. Its curves are missing from the workbook."


def test_derived_files_are_stale_once_a_fold_has_ended_after_they_were_begun(folder, end_fold):
    end_fold(1, 1, 0.5)
    rebuild(folder)
    assert not is_stale(folder)
    time.sleep(0.02)  # longer than a tick of the clock of file systems

    end_fold(1, 2, 0.5)

    assert is_stale(folder)


def test_derived_files_from_the_future_are_made_anew(folder, end_fold):
    end_fold(1, 1, 0.5)
    rebuild(folder)
    folder.page.write_text("a page")
    ahead = time.time() + 3600
    for path in (folder.workbook, folder.page):
        assert not is_stale(folder)
        assert not is_page_stale(folder)
        before = path.stat()
        os.utime(path, (ahead, ahead))  # the clock has gone back since
        assert is_stale(folder) or is_page_stale(folder)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    os.utime(folder.workbook, (ahead, ahead))
    rebuild_if_stale(folder)
    assert not is_stale(folder)


def test_derived_files_are_stale_where_the_metric_dict_of_an_instance_is_gone(folder, end_fold):
    end_fold(1, 1, 0.5)
    end_fold(2, 1, 0.5)
    rebuild(folder)

    (folder.instance_folder(2) / "metrics.json").unlink()

    assert is_stale(folder)
    rebuild(folder)
    assert not is_stale(folder)


def test_what_reads_derived_files_follows_folds_that_are_moved_away_and_put_back(folder, end_fold):
    end_fold(1, 1, 0.5)
    end_fold(1, 2, 0.75)
    rebuild(folder)
    fold, elsewhere = folder.fold_folder(1, 2), folder.path / "elsewhere"
    fold.rename(elsewhere)

    assert rebuild_if_stale(folder) == []
    assert scores(folder) == {(1, 1): 0.5}
    time.sleep(0.02)  # longer than a tick of the clock of file systems

    elsewhere.rename(fold)
    assert rebuild_if_stale(folder) == []
    assert scores(folder) == {(1, 1): 0.5, (1, 2): 0.75}


@pytest.mark.parametrize("name", ["record.json", "predictions.parquet"])
def test_derived_files_are_stale_where_a_file_of_a_fold_was_edited_whatever_its_folder_says(folder, end_fold, name):
    end_fold(1, 1, 0.5)
    rebuild(folder)
    time.sleep(0.02)

    path = folder.fold_folder(1, 1) / name
    path.write_bytes(path.read_bytes() + b" " if path.exists() else b"PAR1")

    assert is_stale(folder)


def test_a_note_that_cannot_be_read_makes_derived_files_stale(folder, end_fold):
    end_fold(1, 1, 0.5)
    rebuild(folder)
    folder.summary_file.write_text("{")

    assert is_stale(folder)
    assert rebuild_if_stale(folder) == []
    assert not is_stale(folder)


def test_derived_files_are_stale_where_metrics_were_added_since(folder, end_fold):
    end_fold(1, 1, 0.5)
    rebuild(folder)
    time.sleep(0.02)

    write_json(folder.added_metrics, {"metrics": []})  # as add-metrics does before it begins

    assert is_stale(folder)


def test_settings_that_are_damaged_before_the_first_fold_are_named_and_the_others_written(folder, end_fold):
    end_fold(1, 1, 0.5)
    (folder.instance_folder(2)).mkdir()
    (folder.instance_folder(2) / "settings.json").write_text("{")

    (line,) = rebuild(folder)

    assert "instance_2/settings.json: not readable as JSON" in line
    assert scores(folder) == {(1, 1): 0.5}


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

    assert scores(folder) == {(1, 1): 0.5}
    assert is_stale(folder)
