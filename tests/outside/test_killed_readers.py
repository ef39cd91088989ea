"""A process that reads audio dies, or Ctrl-C ends them all: no more is lost than the clip that killed it."""

import os
import signal
import time

import numpy as np
import pandas as pd
import psutil
import pytest
import soundfile

N_CLIPS = 208
"""So many that several processes read them."""

DECODER = """
import multiprocessing, os, signal, sys
from pathlib import Path

here = str(Path(__file__).parent)
before = sys.path
sys.path = [place for place in before if place not in ("", here)]
this = sys.modules.pop("soundfile")
import soundfile as real
sys.path = before
sys.modules["soundfile"] = this
globals().update({name: getattr(real, name) for name in dir(real) if not name.startswith("__")})


class SoundFile(real.SoundFile):
    def __init__(self, file, *arguments, **options):
        name = Path(os.fsdecode(getattr(file, "name", file))).name
        killed = Path(here, "killed", name)
        if multiprocessing.parent_process() is not None and killed.is_file():
            if killed.read_text() == "once":
                killed.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        super().__init__(file, *arguments, **options)
"""
"""A library whose code in C crashes at the files that are named in the folder ``killed``."""


@pytest.fixture
def many(empty):
    """Return a study with many short clips, and a decoder that can be told to crash."""
    rng, rows = np.random.default_rng(0), []
    (empty.folder / "audio").mkdir()
    (empty.folder / "killed").mkdir()
    for number in range(N_CLIPS):
        soundfile.write(empty.folder / "audio" / f"{number:03d}.wav", rng.normal(0, 0.1, 900), 4000)
        rows.append({"path": f"{number:03d}.wav", "item": f"s{number % 4}", "label": "ab"[number // 4 % 2]})
    pd.DataFrame(rows).to_csv(empty.folder / "clips.csv", index=False)
    empty.file("soundfile.py", DECODER)
    return empty


@pytest.fixture
def few(many):
    """Return the same study with only 16 clips, which one other process reads."""
    rows = pd.read_csv(many.folder / "clips.csv")
    rows.head(16).to_csv(many.folder / "clips.csv", index=False)
    return many


PREPARE = ("-m", "preprocessing", "table", "clips.csv", "--audio-folder", "audio", "--dataset", "small", "--workers", "2")
FEATURES = {"sample_rate_hz": 4000, "n_fft": 64, "win_length": 64, "hop_length": 32, "n_mels": 8}
SETTINGS = [word for name, value in FEATURES.items() for word in ("--set", f"{name}={value}")]


@pytest.mark.long
def test_a_clip_that_kills_its_reader_is_left_out_and_no_other(many):
    (many.folder / "killed" / "007.wav").write_text("always")
    (many.folder / "killed" / "130.wav").write_text("once")  # killed from outside: it can be read afterwards
    ended = many.python(*PREPARE, *SETTINGS, in_workers=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr

    assert not (many.folder / "killed" / "130.wav").exists()
    index = pd.read_parquet(many.folder / "data/small/corpus.parquet")
    by_speaker = sorted(range(N_CLIPS), key=lambda number: (number % 4, number))
    assert index["path"].tolist() == [f"{number:03d}.wav" for number in by_speaker if number != 7]
    (lost,) = pd.read_csv(many.folder / "data/small/left_out.csv").itertuples()
    assert lost.path == "007.wav"
    assert "the process that reads it died twice" in lost.reason


@pytest.mark.long
def test_a_clip_that_kills_its_reader_is_left_out_also_of_a_small_corpus(few):
    (few.folder / "killed" / "007.wav").write_text("always")
    ended = few.python(*PREPARE, *SETTINGS, in_workers=True)

    assert ended.returncode == 0, ended.stdout + ended.stderr
    index = pd.read_parquet(few.folder / "data/small/corpus.parquet")
    assert sorted(index["path"]) == [f"{number:03d}.wav" for number in range(16) if number != 7]
    (lost,) = pd.read_csv(few.folder / "data/small/left_out.csv").itertuples()
    assert "the process that reads it died twice" in lost.reason


ON_ONE_CORE = """
import os, runpy
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
if __name__ == "__main__":
    runpy.run_module("preprocessing", run_name="__main__", alter_sys=True)
"""


@pytest.mark.long
def test_a_clip_that_kills_its_reader_takes_no_command_with_it_where_there_is_one_core(few):
    (few.folder / "killed" / "007.wav").write_text("always")
    few.file("one_core.py", ON_ONE_CORE)
    ended = few.python("one_core.py", *PREPARE[2:-2], *SETTINGS, in_workers=True)

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert pd.read_csv(few.folder / "data/small/left_out.csv")["path"].to_list() == ["007.wav"]


def test_ctrl_c_ends_all_readers_and_leaves_nothing(many):
    with many.started(*PREPARE, *SETTINGS) as running:
        program, readers = psutil.Process(running.pid), []
        while len(readers) < 3:  # two, and what keeps track of them
            assert running.poll() is None, running.communicate()[0]
            readers = program.children(recursive=True)
            time.sleep(0.01)
        os.killpg(running.pid, signal.SIGINT)
        printed, _ = running.communicate(timeout=200)
        assert running.returncode == 130
        assert printed.splitlines()[-1] == "Interrupted. Nothing incomplete is left; run the same command again."
        assert "Traceback" not in printed
        assert psutil.wait_procs(readers, timeout=30)[1] == []
    assert not [path for path in many.folder.rglob("*") if path.suffix in (".part", ".tmp")]
