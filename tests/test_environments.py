"""A part of the tests where users sit: streams in ASCII, a user without rights and a read-only clone, a path with odd letters.

The part has each of the three programs from its command line to its files, with processes of their own, and all that prints,
names files and reads settings: what an environment can spoil. Networks, features and statistics see none of it.
"""

import ctypes
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CHOSEN = (
    "tests/test_bad_input.py",
    "tests/test_exp1.py",
    "tests/test_signals.py",
    "tests/augmentation/test_folder.py",
    "tests/preprocessing/test_main.py",
    "tests/xval/commands/test_new.py",
    "tests/xval/commands/test_predict.py",
    "tests/xval/commands/test_rebuild.py",
    "tests/xval/commands/test_refused_disk.py",
    "tests/xval/settings/test_resolve.py",
    "tests/xval/base/test_config_file.py",
    "tests/xval/base/test_csv_text.py",
    "tests/xval/base/test_json_files.py",
    "tests/xval/base/test_missing_keys.py",
    "tests/xval/base/test_terminal.py",
)
ASCII = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
PR_SET_SECUREBITS, NO_RIGHTS_OF_ROOT = 28, 0b11  # SECBIT_NOROOT, and locked


def run_tests(clone, folder, *, variables, chosen, begin=None):
    """Run tests of a clone; fail with their failures."""
    # Also what they start elsewhere imports the clone, which is not installed.
    environment = (
        os.environ | {"PYTHONPATH": str(clone), "HYPOTHESIS_STORAGE_DIRECTORY": str(folder / "hypothesis")} | variables
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--basetemp", str(folder / "temporary"), chosen]
    for name in ("PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT", "PYTEST_CURRENT_TEST"):
        environment.pop(name, None)
    ended = subprocess.run(command, cwd=clone, env=environment, capture_output=True, preexec_fn=begin)
    printed = ended.stdout.decode(errors="replace")
    assert ended.returncode == 0, printed[-20_000:] + ended.stderr.decode(errors="replace")[-5000:]
    assert " passed" in printed


def make_clone(folder):
    """Copy what git has of the project."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


def without_rights():
    """Take from this process, and what it starts, what root may do with files that forbid it."""
    if os.getuid() == 0:
        system = ctypes.CDLL(None)
        assert system.prctl(PR_SET_SECUREBITS, NO_RIGHTS_OF_ROOT, 0, 0, 0) == 0


@pytest.fixture(scope="session")
def odd_clone(make_once):
    """Return a clone in a path with spaces and umlauts."""
    return make_once("Müllers Experimente (neu) 100 %", lambda folder: make_clone(folder / "x val")) / "x val"


@pytest.fixture(scope="session")
def read_only_clone(make_once):
    """Return a clone that its owner must not change."""

    def make(folder):
        clone = make_clone(folder / "clone")
        for path in (clone, *(path for path in clone.rglob("*") if path.is_dir())):
            path.chmod(0o555)

    return make_once("read_only", make) / "clone"


@pytest.mark.slow
@pytest.mark.parametrize("chosen", CHOSEN)
def test_streams_in_ascii_and_the_c_locale(tmp_path, chosen):
    run_tests(ROOT, tmp_path, variables=ASCII, chosen=chosen)


@pytest.mark.slow
@pytest.mark.parametrize("chosen", CHOSEN)
def test_a_path_with_spaces_and_umlauts(odd_clone, tmp_path, chosen):
    folder = tmp_path / "Müllers Experimente (neu) 100 %"
    folder.mkdir()
    run_tests(odd_clone, folder, variables={}, chosen=chosen)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the rights are those of Linux")
@pytest.mark.parametrize("chosen", CHOSEN)
def test_a_user_without_rights_and_a_clone_that_is_read_only(read_only_clone, tmp_path, chosen):
    written = [sys.executable, "-c", "open('written', 'w')"]
    assert subprocess.run(written, cwd=read_only_clone, capture_output=True, preexec_fn=without_rights).returncode == 1
    run_tests(read_only_clone, tmp_path, variables={"PYTHONDONTWRITEBYTECODE": "1"}, chosen=chosen, begin=without_rights)
