import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from xval.base.errors import ResultsError, UsageError
from xval.base.json_files import write_json
from xval.results.folder import ExperimentFolder, find_experiment, neighbour_folder
from xval.results.job_key import JobKey


@pytest.fixture
def folder(tmp_path):
    folder = ExperimentFolder(tmp_path / "results" / "demo" / "experiment_1")
    folder.prepare("a test")
    return folder


def publish(folder, instance, fold, **record):
    temporary = folder.begin_fold(instance, fold)
    write_json(temporary / "record.json", {"status": "done", "settings_hash": "a"} | record)
    folder.publish(temporary, instance, fold)


def be_refused(folder, begin_another=lambda: None):
    """Begin a run in a folder, and another one while this one makes its features; this one is refused then."""
    with folder.removed_if_refused():
        folder.prepare("a test")
        begin_another()
        raise UsageError("refused")


def test_a_refused_run_removes_the_folders_that_it_has_made(tmp_path):
    with pytest.raises(UsageError, match="refused"):
        be_refused(ExperimentFolder(tmp_path / "results" / "demo" / "experiment_1"))
    assert not list(tmp_path.iterdir())


def test_a_refused_run_keeps_a_folder_in_which_another_has_begun(tmp_path):
    path = tmp_path / "results" / "demo" / "experiment_1"
    with ExitStack() as other_run:

        def begin_another():
            other = ExperimentFolder(path)
            other_run.enter_context(other.removed_if_refused())
            other.prepare("a test")

        with pytest.raises(UsageError, match="refused"):
            be_refused(ExperimentFolder(path), begin_another)
        assert (path / "description.txt").read_text() == "a test\n"


def test_a_refused_run_makes_no_folder_in_the_place_of_one_that_was_moved(tmp_path):
    folder = ExperimentFolder(tmp_path / "results" / "demo" / "experiment_1")
    with pytest.raises(UsageError, match="refused"):
        be_refused(folder, lambda: folder.path.rename(folder.path.with_name("moved")))
    assert [path.name for path in folder.path.parent.iterdir()] == ["moved"]


def test_a_refused_run_keeps_a_folder_that_was_there(folder):
    with pytest.raises(UsageError, match="refused"):
        be_refused(folder)
    assert (folder.path / "description.txt").is_file()


def test_a_mistyped_path_is_answered_with_the_experiments_that_there_are(folder, monkeypatch):
    (folder.path / "folds.json").write_text("{}")
    monkeypatch.chdir(folder.path.parents[2])
    for mistyped in ("results/demo/experimnt_1", "results/dmo/experiment_1"):
        with pytest.raises(ResultsError, match=r"no such folder.* Available: results/demo/experiment_1\.$"):
            find_experiment(Path(mistyped))
    with pytest.raises(ResultsError, match=r"experiment_<n>\.$"):
        find_experiment(Path("elsewhere"))


def test_a_fold_is_not_there_before_it_is_published_and_whole_after(folder):
    temporary = folder.begin_fold(3, 1)
    write_json(temporary / "record.json", {"status": "done"})
    assert folder.record(3, 1) is None
    assert folder.jobs(3) == []

    folder.publish(temporary, 3, 1)

    assert folder.record(3, 1) == {"status": "done"}
    assert (folder.instances(), folder.jobs(3)) == ([3], [JobKey(3, 1)])
    assert not temporary.exists()


def test_a_published_fold_replaces_the_record_of_a_failure(folder):
    publish(folder, 1, 1, status="failed")

    publish(folder, 1, 1, status="done")

    assert folder.record(1, 1)["status"] == "done"
    assert sorted(path.name for path in folder.instance_folder(1).iterdir()) == ["fold_1"]


def test_a_job_is_claimed_by_one_process_at_a_time(folder):
    program = (
        "import sys; from pathlib import Path; from xval.results.folder import ExperimentFolder\n"
        "with ExperimentFolder(Path(sys.argv[1])).claim(1, 1) as ours: print(ours)"
    )
    other = [sys.executable, "-c", program, str(folder.path)]

    with folder.claim(1, 1) as ours:
        held = subprocess.run(other, capture_output=True, text=True, check=True).stdout.strip()
    free = subprocess.run(other, capture_output=True, text=True, check=True).stdout.strip()

    assert (ours, held, free) == (True, "False", "True")


def test_no_job_is_claimed_in_a_folder_that_is_gone_and_none_is_made_in_its_place(folder):
    folder.path.rename(folder.path.with_name("moved"))

    with (
        pytest.raises(ResultsError, match="was moved, renamed or removed while the experiment was running"),
        folder.claim(1, 1),
    ):
        pass

    assert not folder.path.exists()


def test_a_claim_removes_what_a_dead_process_left(folder):
    left = folder.begin_fold(1, 1)
    other = folder.begin_fold(1, 11)
    (left / "model.keras").write_bytes(b"half")

    with folder.claim(1, 1):
        pass

    assert not left.exists()
    assert other.exists()


def test_a_broken_record_is_named(folder):
    publish(folder, 1, 2)
    (folder.fold_folder(1, 2) / "record.json").write_text("{")

    with pytest.raises(ResultsError, match=r"fold_2/record\.json: not readable as JSON"):
        folder.record(1, 2)


def test_a_record_of_a_newer_format_is_refused(folder):
    publish(folder, 1, 1, format_version=99)

    with pytest.raises(ResultsError, match="newer version"):
        folder.record(1, 1)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_an_unwritable_folder_is_an_error_of_usage(tmp_path):
    tmp_path.chmod(0o500)

    with pytest.raises(ResultsError, match="cannot be written"):
        ExperimentFolder(tmp_path / "x").prepare("a test")


def test_a_file_in_the_way_of_the_folder_is_an_error_of_usage(tmp_path):
    (tmp_path / "results").write_text("a file")

    with pytest.raises(ResultsError, match=r"cannot be written .*experiment_folder="):
        ExperimentFolder(tmp_path / "results" / "demo" / "experiment_1").prepare("a test")


def test_replacing_moves_the_named_folds_away_and_keeps_the_others(folder):
    for fold in (1, 2, 3):
        publish(folder, 1, fold)

    folder.replace(1, {JobKey(1, 1), JobKey(1, 3)})

    assert folder.jobs(1) == [JobKey(1, 2)]
    assert sorted(path.name for path in folder.replaced_folder(1).glob("fold_*")) == ["fold_1", "fold_3"]


def test_replacing_is_resumed_and_not_begun_again(folder):
    publish(folder, 1, 1, settings_hash="old")
    publish(folder, 1, 2, settings_hash="old")
    folder.replace(1, {JobKey(1, 1)})
    publish(folder, 1, 1, settings_hash="new")

    folder.replace(1, {JobKey(1, 1), JobKey(1, 2)})

    assert folder.record(1, 1)["settings_hash"] == "new"
    assert (folder.is_replacement(1, 1), folder.jobs(1)) == (True, [JobKey(1, 1)])
    assert sorted(path.name for path in folder.replaced_folder(1).glob("fold_*")) == ["fold_1", "fold_2"]


def test_replaced_results_go_only_when_each_has_a_successor(folder):
    for fold in (1, 2, 5):
        publish(folder, 1, fold)
    folder.replace(1, {JobKey(1, 1), JobKey(1, 2), JobKey(1, 5)})

    available = [JobKey(1, 1), JobKey(1, 2), JobKey(1, 3)]
    folder.end_replacing(1, done=available[:1], available=available)
    assert folder.replaced_folder(1).exists()
    folder.end_replacing(1, done=available[:2], available=available)
    assert not folder.replaced_folder(1).exists()


def test_a_running_job_is_not_replaced(folder):
    publish(folder, 1, 1)
    program = (
        "import sys; from pathlib import Path; from xval.results.folder import ExperimentFolder\n"
        "with ExperimentFolder(Path(sys.argv[1])).claim(1, 1): print('claimed', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", program, str(folder.path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        with pytest.raises(ResultsError, match="another process is running it"):
            folder.replace(1, {JobKey(1, 1)})
        other.stdin.close()
        other.wait()
        other.stdout.close()

    assert folder.jobs(1) == [JobKey(1, 1)]


@pytest.fixture
def experiment(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fold = Path("results/toy/experiment_1/instance_1/fold_1")
    fold.mkdir(parents=True)
    (fold / "model.keras").touch()
    (fold.parents[1] / "folds.json").touch()
    return fold.parents[1]


@pytest.mark.parametrize("model", ["", "instance_1", "instance_1/fold_1", "instance_1/fold_1/model.keras"])
def test_what_is_made_of_a_model_goes_into_the_folder_of_its_experiment(experiment, model):
    assert neighbour_folder(experiment / model) == experiment


def test_a_model_that_lies_elsewhere_keeps_it_beside_itself(experiment, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    moved = (experiment / "instance_1" / "fold_1" / "model.keras").rename(elsewhere / "best.keras")

    assert neighbour_folder(moved) == Path("elsewhere")
    assert neighbour_folder(elsewhere) == Path("elsewhere")
