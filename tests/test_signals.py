"""SIGTERM and SIGHUP: every program ends as by Ctrl-C, and leaves nothing."""

import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import soundfile

from preprocessing.console import carry_out
from preprocessing.parallel import SMALLEST_PARALLEL
from xval.base.errors import JobError

RATE_HZ = 8000
pytestmark = pytest.mark.usefixtures("default_signals")


@pytest.fixture(scope="module")
def audio(tmp_path_factory):
    """A folder with so many clips that other processes read them."""
    folder = tmp_path_factory.mktemp("many") / "audio"
    folder.mkdir()
    rng, rows = np.random.default_rng(0), ["path,item,label"]
    for number in range(SMALLEST_PARALLEL + 100):
        soundfile.write(folder / f"{number}.wav", rng.normal(0, 0.1, RATE_HZ), RATE_HZ)
        rows.append(f"{number}.wav,s{number % 4},{'ab'[number % 2]}")
    (folder.parent / "clips.csv").write_text("\n".join(rows))
    return folder


PREPARE = ("preprocessing", "table", "clips.csv", "--audio-folder", "audio", "--workers", "2", "--dataset", "toy")
AUGMENT = ("augmentation", "audio", "out", "9", "--workers", "2")


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has no such signals")
@pytest.mark.parametrize(
    ("arguments", "begun", "number", "tell"),
    [
        (PREPARE, "data/**/*.tmp", signal.SIGTERM, os.kill),
        pytest.param(PREPARE, "data/**/*.tmp", signal.SIGHUP, os.killpg, marks=pytest.mark.slow),
        (AUGMENT, "out/*.augmented-1.wav", signal.SIGTERM, os.killpg),
        pytest.param(AUGMENT, "out/*.augmented-1.wav", signal.SIGHUP, os.kill, marks=pytest.mark.slow),
    ],
)
def test_a_signal_ends_the_reading_of_audio_as_ctrl_c_does(audio, arguments, begun, number, tell, request):
    folder = audio.parent
    for made in ("data", "out"):
        shutil.rmtree(folder / made, ignore_errors=True)
    # One that a shell started with nohup has SIGHUP ignored, and so would what this starts.
    running = subprocess.Popen(
        [sys.executable, "-m", *arguments],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
    )
    request.addfinalizer(running.kill)
    until = time.monotonic() + 200
    while not list(folder.glob(begun)) and running.poll() is None and time.monotonic() < until:
        time.sleep(0.01)
    tell(running.pid, number)
    _, errors = running.communicate(timeout=200)  # which every process that inherited the stream has closed then

    assert errors == "Interrupted. Nothing incomplete is left; run the same command again.\n"
    assert running.returncode == 128 + number
    assert not [path for path in folder.rglob("*") if path.suffix in (".part", ".tmp")]


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has no such signals")
def test_the_first_signal_stops_a_command_and_a_second_one_does_not_disturb_its_end(capsys):
    ends = []

    def command():
        try:
            signal.raise_signal(signal.SIGHUP)
        finally:
            signal.raise_signal(signal.SIGTERM)
            ends.append("cleared up")

    assert carry_out(command) == 129
    assert ends == ["cleared up"]
    assert capsys.readouterr().err.startswith("Interrupted. ")


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has no such signals")
def test_what_nohup_starts_goes_on_without_its_terminal():
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    assert carry_out(lambda: signal.raise_signal(signal.SIGHUP)) == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    "error", [OSError("caught"), RuntimeError("caught"), JobError("caught")], ids=lambda error: type(error).__name__
)
def test_an_error_that_a_signal_led_to_is_an_interruption(capsys, number, error):
    """As where a library catches everything and raises an error of its own."""

    def command():
        try:
            signal.raise_signal(number)
        except KeyboardInterrupt:
            raise error from None

    assert carry_out(command) == 128 + number
    assert capsys.readouterr().err == "Interrupted. Nothing incomplete is left; run the same command again.\n"


def test_an_error_after_a_signal_that_a_script_handles_itself_is_no_interruption(capsys):
    before = signal.signal(signal.SIGINT, lambda *_: None)

    def command():
        signal.raise_signal(signal.SIGINT)
        raise JobError("of the job")

    try:
        assert carry_out(command) == 1
    finally:
        signal.signal(signal.SIGINT, before)
    assert capsys.readouterr().err == "error: of the job\n"
