"""A disk that is full or may not be written: one line that names the file, nothing half-written, what was there is whole."""

import ctypes
import hashlib
import os
import resource
import shutil
import signal
import sys
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import pytest

RESULTS = "results/tones/experiment_1"
MODEL = f"{RESULTS}/instance_1/fold_1/model.keras"
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the limits are those of Linux")

COMMANDS = {
    "rebuild": (["rebuild", RESULTS], None, f"{RESULTS}/results.xlsx"),
    "report": (["report", RESULTS, "--no-audio", "--no-audit"], None, f"{RESULTS}/report.html"),
    "compare": (["compare", RESULTS, "--output", "c.csv"], None, "c.csv"),
    "predict csv": (["predict", MODEL, "audio", "--output", "p.csv"], "xval.report.text_tables.replace_file", "p.csv"),
    "predict xlsx": (["predict", MODEL, "audio", "--output", "p.xlsx"], "xval.report.text_tables.replace_file", "p.xlsx"),
    "evaluate": (["evaluate", MODEL, "tones", "--output", "seen"], "xval.report.new_data.folder.write_report", "seen"),
    "evaluate's folder": (["evaluate", MODEL, "tones", "--output", "seen"], "xval.report.new_data.folder.only_writer", "seen"),
    "explain": (
        ["explain", MODEL, "audio/speaker_0_0.wav"],
        "xval.extras.explanations.picture.draw_explanation",
        "explanations",
    ),
    "ensemble": (["ensemble", RESULTS, "1,3"], None, f"{RESULTS}/instance_901"),
    "ensemble's fold": (["ensemble", RESULTS, "1,3"], "xval.reuse.ensembles.make.run_fold", f"{RESULTS}/instance_901"),
    "export": (["export", MODEL, "--format", "weights_h5"], "xval.extras.export.write._write_and_check", ".weights.h5"),
    "refit": (["refit", f"{RESULTS}:1", "--gpu", "cpu"], None, "/instance_1/"),
    "new": (["new", "study"], None, "study"),
}


MOMENTS = {
    "rebuild": "xval.report.rebuild.flush",
    "report": "xval.base.json_files.replace",
    "compare": "preprocessing.file_replacement.flush",
    "predict csv": "preprocessing.file_replacement.flush",
    "evaluate": "xval.report.new_data.folder.write_json",
    "explain": "preprocessing.file_replacement.flush",
    "ensemble": "xval.reuse.ensembles.make.run_fold",
    "export": "xval.extras.export.write._publish",
    "refit": "xval.results.folder.flush_all",
}


SLOW = ("refit", "explain")


def marked(*values):
    """Return a case of a test, marked where it takes seconds."""
    return pytest.param(*values, marks=[pytest.mark.slow] if values[0] in SLOW else [])


@contextmanager
def full():
    """Let no file grow; what is empty can be made, as on a disk whose blocks are used up."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        yield lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("process", ctypes.c_int))


class _Rights(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


@contextmanager
def read_only():
    """Take the right to write from the folders below this one, also from root, who has it in spite of them otherwise."""
    system, header, rights = ctypes.CDLL(None), _Header(0x20080522, 0), (_Rights * 2)()
    assert system.capget(ctypes.byref(header), rights) == 0
    before, folders = rights[0].effective, [folder for folder, _, _ in os.walk(".")]

    def begin():
        for folder in folders:
            Path(folder).chmod(0o555)
        rights[0].effective = before & ~0b110  # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH
        assert system.capset(ctypes.byref(header), rights) == 0

    try:
        yield begin
    finally:
        rights[0].effective = before
        assert system.capset(ctypes.byref(header), rights) == 0
        for folder in folders:
            Path(folder).chmod(0o755)


def tree(folder):
    """Return the hash of each file, and each folder that is half-written; locks are empty and stay."""
    files = [path for path in sorted(folder.rglob("*")) if path.suffix in (".part", ".replaced") or path.is_file()]
    return {
        path: hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "a folder"
        for path in files
        if path.suffix != ".lock"
    }


@pytest.mark.parametrize(
    ("name", "refused"),
    [
        *(marked(name, full) for name in COMMANDS if name != "evaluate's folder"),  # the model is read first
        *(
            marked(name, read_only) for name in COMMANDS if name not in ("ensemble's fold", "export", "evaluate")
        ),  # begun within what they made
    ],
)
def test_a_command_says_which_file_cannot_be_written_and_leaves_everything_as_it_was(
    command, finished, tmp_path, monkeypatch, name, refused
):
    arguments, begins_with, named = COMMANDS[name]
    folder = shutil.copytree(finished.folder, tmp_path / "copy")
    monkeypatch.chdir(folder)
    monkeypatch.setattr("xval.jobs.prepare_backend_for_job.prepare_backend", lambda **_: None)
    before = tree(folder)
    with refused() as begin:
        if begins_with is None:
            begin()
        else:
            module, _, function = begins_with.rpartition(".")
            carry_out = getattr(import_module(module), function)
            monkeypatch.setattr(begins_with, lambda *given, **named: (begin(), carry_out(*given, **named))[1])
        ended = command(*arguments)

    assert ended.code in (1, 2)
    assert ended.err.startswith("error: ")
    assert ended.err.count("\n") == 1
    assert named in ended.err
    assert ".part" not in ended.err
    assert ("File too large" if refused is full else "Permission denied") in ended.err
    assert tree(folder) == before


@pytest.mark.usefixtures("default_signals")
@pytest.mark.parametrize("name", [marked(name) for name in MOMENTS])
def test_a_signal_while_a_command_writes_ends_it_and_leaves_everything_as_it_was(
    command, finished, tmp_path, monkeypatch, name
):
    folder = shutil.copytree(finished.folder, tmp_path / "copy")
    monkeypatch.chdir(folder)
    monkeypatch.setattr("xval.jobs.prepare_backend_for_job.prepare_backend", lambda **_: None)
    monkeypatch.setattr(MOMENTS[name], lambda *_, **__: signal.raise_signal(signal.SIGTERM))
    before = tree(folder)
    ended = command(*COMMANDS[name][0])

    assert ended.code == 143, ended
    has_checkpoints = name == "refit"
    left = "Finished work is kept; the same command continues from there."
    nothing_left = "Nothing incomplete is left; run the same command again."
    assert ended.err == f"Interrupted. {left if has_checkpoints else nothing_left}\n"
    assert tree(folder) == before
