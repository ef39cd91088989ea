import shutil
import subprocess
from pathlib import Path

import pytest

from xval.base.code_hash import hash_code
from xval.experiment.snapshot import code_files, take_snapshot
from xval.settings.architectures import ROOT


def test_the_copy_has_the_code_the_settings_and_the_script(tmp_path):
    script = tmp_path / "mine.py"
    script.write_text("print('mine')")

    copy = take_snapshot(tmp_path / "code", script)

    assert (copy / "xval" / "jobs" / "job.py").read_bytes() == (ROOT / "xval" / "jobs" / "job.py").read_bytes()
    assert (copy / "config.ini").read_bytes() == (ROOT / "config.ini").read_bytes()
    assert (copy / "script" / "mine.py").read_text() == "print('mine')"
    assert (copy / "preprocessing" / "encoders" / "presets" / "praat.toml").is_file()  # a job judges encoders by them
    assert "numpy==" in (copy / "environment.txt").read_text()
    assert (copy / "git_commit.txt").read_text().strip()
    assert copy.name == hash_code(code_files(script))


def test_the_same_code_is_copied_once_and_changed_code_anew(tmp_path):
    script = tmp_path / "mine.py"
    script.write_text("1")
    first = take_snapshot(tmp_path / "code", script)
    assert take_snapshot(tmp_path / "code", script) == first

    script.write_text("2")

    assert take_snapshot(tmp_path / "code", script) != first
    assert len(list((tmp_path / "code").iterdir())) == 2


@pytest.mark.parametrize("script", [ROOT / "experiments" / "demo.py", Path()])
def test_a_script_of_the_project_or_none_is_copied_once_in_its_place_and_is_no_study(tmp_path, script):
    copy = take_snapshot(tmp_path / "code", script)

    assert (copy / "experiments" / "demo.py").is_file()
    assert not (copy / "script").exists()
    assert not (copy / "study_git_commit.txt").exists()


def test_the_commit_and_the_changes_of_the_folder_of_the_script_stand_beside_those_of_the_project(tmp_path):
    script = tmp_path / "study" / "mine.py"
    script.parent.mkdir()
    script.write_text("1\n")
    assert "not in a git" in (take_snapshot(tmp_path / "code", script) / "study_git_commit.txt").read_text()

    def git(*arguments):
        identity = ("-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false")
        return subprocess.run(["git", "-C", script.parent, *identity, *arguments], check=True, capture_output=True, text=True)

    script.write_text("2\n")
    for command in (("init",), ("add", "."), ("commit", "-m", "first")):
        git(*command)
    commit = git("rev-parse", "HEAD").stdout
    clean = take_snapshot(tmp_path / "code", script)
    assert (clean / "study_git_commit.txt").read_text() == f"{commit}without uncommitted changes or new files\n"
    assert not (clean / "study_uncommitted.diff").exists()
    script.write_text("3\n")
    changed = take_snapshot(tmp_path / "code", script)
    assert (changed / "study_git_commit.txt").read_text() == f"{commit}with uncommitted changes or new files\n"
    assert "+3" in (changed / "study_uncommitted.diff").read_text()


def test_ctrl_c_in_the_middle_leaves_nothing_behind(tmp_path, monkeypatch):
    def interrupt(path, target):
        target.write_text("")
        raise KeyboardInterrupt

    monkeypatch.setattr(shutil, "copyfile", interrupt)
    with pytest.raises(KeyboardInterrupt):
        take_snapshot(tmp_path / "code", tmp_path / "mine.py")

    assert not list((tmp_path / "code").iterdir())
