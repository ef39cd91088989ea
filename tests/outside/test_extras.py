"""Features that not every experiment needs: each gives the numbers that anyone can compute from its files."""

import os
import re
import signal
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

import xval

pytestmark = pytest.mark.long

FOLD = "results/small/experiment_1/instance_1/fold_1"
RATE_HZ = 4000
PITCHES_HZ = {"low": 400, "high": 1200}
SPEAKER = ("--item-pattern", r"(s\d)_")
CONFIG = "[execution]\nexecutor = inline\n[experiment]\npage = none\n"


def tone(path: Path, label: str, seed: int, noise: float = 0.08) -> Path:
    """Write a short tone of a class."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(rng.integers(700, 1000)) / RATE_HZ
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = 0.1 * np.sin(2 * np.pi * (PITCHES_HZ[label] + rng.normal(0, 60)) * time_s)
    soundfile.write(path, samples + noise * rng.normal(size=len(time_s)), RATE_HZ)
    return path


def done(ended):
    """Hold a command to have succeeded, and return what it printed."""
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def predicted(study, model, *arguments):
    """Return what predict writes, by path."""
    done(study.xval("predict", model, *arguments, "--output", "predicted.csv"))
    return pd.read_csv(study.folder / "predicted.csv").set_index("path")


# live: a folder that is followed


def wait_for_rows(study, process, n_rows):
    """Wait until rows.csv has so many rows."""
    path = study.folder / "rows.csv"
    while not path.exists() or path.read_bytes().count(b"\n") < n_rows + 1:
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.05)


def end(process):
    """Press Ctrl-C, and return the exit code and what was printed."""
    process.send_signal(signal.SIGINT)
    printed, _ = process.communicate(timeout=100)
    return process.returncode, printed


def test_files_that_come_into_a_folder_get_a_row_each_and_none_twice(copied):
    incoming = copied.folder / "incoming"
    follow = ("-m", "xval", "predict", FOLD, "--follow", "incoming", "--output", "rows.csv")
    first = tone(incoming / "one.wav", "low", 1)

    with copied.started(*follow) as process:
        wait_for_rows(copied, process, 1)
        (incoming / "broken.wav").write_bytes(b"no sound at all")
        tone(incoming / "deep" / "two.wav", "high", 2)
        wait_for_rows(copied, process, 2)
        tone(incoming / "z.wav", "low", 3)  # is read later than the broken one
        wait_for_rows(copied, process, 3)
        code, printed = end(process)
    assert code == 1, printed
    assert "incoming/broken.wav" in printed
    assert "3 files answered, 1 skipped" in printed
    assert "Traceback" not in printed
    (incoming / "broken.wav").unlink()
    before = (copied.folder / "rows.csv").read_bytes()
    os.utime(first)  # what has a row is not read again

    with copied.started(*follow) as process:
        tone(incoming / "four.wav", "high", 4)
        wait_for_rows(copied, process, 4)
        code, printed = end(process)

    assert code == 0, printed
    assert "1 file answered" in printed
    after = (copied.folder / "rows.csv").read_bytes()
    assert after.startswith(before)
    rows = pd.read_csv(copied.folder / "rows.csv").set_index("path")
    at_once = predicted(copied, FOLD, "incoming")
    assert sorted(rows.index) == sorted(at_once.index)
    assert np.allclose(rows.loc[at_once.index, "probability_low"], at_once["probability_low"], atol=1e-5)


# quickstart


def end_of(printed):
    """Return the table and what follows."""
    return printed[printed.index("  instance   name") :]


def test_quickstart_goes_all_steps_and_a_second_call_trains_nothing(empty):
    empty.file("config.ini", CONFIG)
    for speaker in range(4):
        for take, label in enumerate(("low", "high") * 2):
            tone(empty.folder / "words" / label / f"s{speaker}_{take}.wav", label, 10 * speaker + take)
    command = ("quickstart", "words", *SPEAKER, "--minutes", "9")

    printed = done(empty.xval(*command))
    results = empty.folder / "results" / "words" / "experiment_1"
    times = {path: path.stat().st_mtime_ns for path in results.glob("instance_*/fold_*/record.json")}
    again = done(empty.xval(*command))

    steps = re.findall(r"^Step (\d+) of (\d+)", printed, re.MULTILINE)
    assert [int(number) for number, _ in steps] == list(range(1, int(steps[0][1]) + 1))
    jobs = xval.load_jobs(results)
    assert set(jobs["status"]) == {"done"}
    assert len(times) == len(jobs) == len(steps) * jobs["fold"].nunique()
    for line in ("Result: ", "Evidence: ", "Next: "):
        assert len(re.findall(f"^{line}", printed, re.MULTILINE)) == 1
    for number in range(1, len(steps) + 1):
        assert re.search(rf"^ +{number} [* ]", end_of(printed), re.MULTILINE)
    assert end_of(again) == end_of(printed)
    assert {path: path.stat().st_mtime_ns for path in results.glob("instance_*/fold_*/record.json")} == times


def test_quickstart_finds_labels_in_names(empty):
    empty.file("config.ini", CONFIG)
    labels = {}
    for speaker in range(4):
        for take, label in enumerate(("low", "high") * 2):
            labels[tone(empty.folder / "names" / f"s{speaker}_{label}_{take}.wav", label, 10 * speaker + take).name] = label

    done(empty.xval("quickstart", "names", *SPEAKER, "--label-pattern", "_(low|high)_", "--minutes", "0"))

    corpus = pd.read_parquet(empty.folder / "data" / "names" / "corpus.parquet")
    assert dict(zip(corpus["path"], corpus["label"], strict=True)) == labels
    assert (corpus["item"] == corpus["path"].str[:2]).all()
    assert "names" in (empty.folder / "experiments" / "start_names.py").read_text()
