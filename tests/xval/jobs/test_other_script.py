"""Two scripts in one folder of results are refused; one that was moved is known, one that was renamed may take over."""

import json
import os

import pytest

from xval.base import json_files
from xval.base.errors import ResultsError
from xval.jobs import other_script
from xval.jobs.other_script import OF_ANY_SCRIPT, refuse_other_script, take_over, working_in
from xval.results.folder import ExperimentFolder
from xval.settings.resolve import Declaration


@pytest.fixture
def folder(results, tmp_path, monkeypatch):
    """Results of instances 1 to 3 by experiments/a.py, and of the fourth by a version that did not say which script it was."""
    for number in (1, 2, 3, 4):
        results.add_instance(number)
        path = results.folder.instance_folder(number) / "settings.json"
        script = {"script": "experiments/a.py"} if number < 4 else {}
        path.write_text(json.dumps(json.loads(path.read_text()) | script))
    (tmp_path / "experiments").mkdir()
    for name in ("a.py", "b.py"):
        (tmp_path / "experiments" / name).touch()
    monkeypatch.chdir(tmp_path)
    return results.folder


def declared(script):
    return Declaration(script, script if script.endswith(".py") else "", "a test")


def scripts_of(folder):
    return [folder.settings(number).get("script") for number in folder.instances()]


def test_another_script_is_refused_with_the_number_that_is_free(folder):
    folder.path.with_name("experiment_2").mkdir()
    with pytest.raises(
        ResultsError,
        match=r"experiments/a\.py \(instances 1-3\)\. This is experiments/b\.py.*num_experiment=3.*--take-over once",
    ):
        refuse_other_script(folder, declared("experiments/b.py"))
    assert scripts_of(folder) == [*["experiments/a.py"] * 3, None]
    with pytest.raises(ResultsError, match=r"\(instance 3\)"):
        refuse_other_script(folder, declared("experiments/b.py"), replaced=(1, 2))
    refuse_other_script(folder, declared("experiments/b.py"), replaced=(1, 2, 3))


def test_a_script_that_is_refused_in_a_process_leaves_the_note_of_the_one_that_runs_there(folder):
    with working_in(folder, declared("experiments/a.py")):
        with pytest.raises(ResultsError, match="another script"), working_in(folder, declared("experiments/b.py")):
            pass
        assert [run.script for run in folder.at_work()] == ["experiments/a.py"]


def test_the_same_script_goes_on_from_any_folder_and_where_it_was_moved(folder, tmp_path):
    refuse_other_script(folder, declared("experiments/a.py"))
    refuse_other_script(folder, declared(str(tmp_path / "experiments" / "a.py")))
    refuse_other_script(folder, declared("notebook"))
    (tmp_path / "a.py").touch()
    with pytest.raises(ResultsError, match=r"another script, experiments/a\.py"):
        refuse_other_script(folder, declared("a.py"))  # both are there
    (tmp_path / "experiments" / "a.py").unlink()
    refuse_other_script(folder, declared("a.py"))


def test_a_renamed_script_takes_over_once(folder):
    take_over(folder, declared("experiments/b.py"))
    assert scripts_of(folder) == [*["experiments/b.py"] * 3, None]
    refuse_other_script(folder, declared("experiments/b.py"))
    with pytest.raises(ResultsError, match=r"experiments/b\.py"):
        refuse_other_script(folder, declared("experiments/a.py"))


@pytest.fixture
def empty(tmp_path):
    """The folder of an experiment without results."""
    folder = ExperimentFolder(tmp_path / "experiment_1")
    folder.make()
    return folder


def test_of_two_scripts_that_begin_at_once_in_an_empty_folder_one_is_refused(empty, monkeypatch):
    with working_in(empty, declared("a.py")):
        refuse_other_script(empty, declared("b.py"))  # of this very process, which runs one after the other
        monkeypatch.setattr(other_script, "process_name", lambda: "another")
        for refused in (refuse_other_script, lambda *given: working_in(*given).__enter__()):
            with pytest.raises(ResultsError, match=r"another script, a\.py \(running now\). This is b\.py.*num_experiment=2"):
                refused(empty, declared("b.py"))
        for welcome in (declared("a.py"), declared("notebook")):
            with working_in(empty, welcome):
                pass
        monkeypatch.undo()
    assert not empty.at_work()


def test_a_script_that_died_or_is_taken_over_holds_no_folder(empty, monkeypatch):
    name = json_files.process_name()
    dead = f"{name.rpartition('-')[0]}-1"  # the process of this number began at another time
    for process, takes_over in ((dead, False), ("elsewhere", True)):
        note = {"format_version": 1, "script": "a.py", "process": process}
        empty.script_note(process).write_text(json.dumps(note))
        with working_in(empty, declared("b.py"), takes_over=takes_over):
            assert "b.py" in [run.script for run in empty.at_work()]


def test_the_note_of_a_run_that_nobody_can_see_counts_for_its_first_minutes(empty):
    note = {"format_version": 1, "script": "a.py", "process": "another_machine-boot-12-34"}
    path = empty.script_note("another_machine-boot-12-34")
    path.write_text(json.dumps(note))
    assert [run.script for run in empty.at_work()] == ["a.py"]

    long_ago = path.stat().st_mtime - 3600
    os.utime(path, (long_ago, long_ago))

    assert not empty.at_work()
    refuse_other_script(empty, declared("b.py"))
    empty.remove_stale_parts()
    assert not path.exists()


def test_what_any_script_adds_is_of_none(empty, folder):
    of_any = Declaration("experiments/b.py", "experiments/b.py", OF_ANY_SCRIPT)
    refuse_other_script(folder, of_any)
    with working_in(empty, of_any):
        assert [run.script for run in empty.at_work()] == [OF_ANY_SCRIPT]
        refuse_other_script(empty, declared("experiments/a.py"))
