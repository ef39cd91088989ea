"""`events` and ``augmentation mix`` read the tables that the reader of bats reads: FileInfo.csv and annotation.csv."""

import numpy as np
import pandas as pd
import pytest
import soundfile

RATE_HZ = 4000
CALLS = {1: [(400, 900), (2000, 2600)], 2: [(800, 1500)], 3: []}


@pytest.fixture
def bats(empty):
    """Three recordings in a folder of their own, named by numbers, and both tables."""
    rng = np.random.default_rng(0)
    for number in CALLS:
        path = empty.folder / f"bats/files1/r{number}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, 0.1 * rng.normal(size=2 * RATE_HZ), RATE_HZ)
    lines = ["FileID,File name,File folder,Voice start sample (1),Voice end sample (1)"]
    for number, calls in CALLS.items():
        lines.append(",".join(map(str, [number, f"r{number}.WAV", "files1", *np.ravel(calls).astype(int)])))
    empty.file("bats/FileInfo.csv", "\n".join(lines) + "\n")
    rows = [(number, 7 + number, *call) for number, calls in CALLS.items() for call in calls]
    table = pd.DataFrame(rows, columns=["FileID", "Context", "Start sample", "End sample"])
    table.to_csv(empty.folder / "bats/annotation.csv", index=False)
    for number in range(3):
        path = empty.folder / f"quiet/b{number}.wav"
        path.parent.mkdir(exist_ok=True)
        soundfile.write(path, 0.01 * rng.normal(size=12 * RATE_HZ), RATE_HZ)
    return empty


def clips(study):
    table = pd.read_parquet(study.folder / "data/e/corpus.parquet")
    return sorted(zip(table["path"], table["start_s"], table["end_s"], strict=True))


@pytest.mark.parametrize(
    ("table", "options"), [("FileInfo.csv", ()), ("annotation.csv", ()), ("annotation.csv", ("--label", "Context"))]
)
def test_events_reads_both_tables_as_bats_does(bats, table, options):
    ended = bats.prepare("events", f"bats/{table}", "--dataset", "e", *options)
    assert ended.returncode == 0, ended.stderr
    wanted = [(f"files1/r{n}.wav", first / RATE_HZ, stop / RATE_HZ) for n, calls in CALLS.items() for first, stop in calls]
    assert clips(bats) == wanted
    assert bats.prepare("bats", "bats", "--dataset", "e").returncode == 0
    assert clips(bats) == wanted


def test_events_takes_the_recordings_whole_for_frames(bats):
    table = bats.folder / "bats/FileInfo.csv"
    table.write_text("".join(table.read_text().splitlines(keepends=True)[:-1]))
    ended = bats.prepare(
        "events", "bats/FileInfo.csv", "--dataset", "e", "--task-type", "frame_classification", features="waveform"
    )
    assert ended.returncode == 0, ended.stderr
    assert len(pd.read_parquet(bats.folder / "data/e/corpus.parquet")) == 2


@pytest.mark.parametrize("table", ["FileInfo.csv", "annotation.csv"])
def test_mix_reads_both_tables(bats, table):
    arguments = [
        "-m",
        "augmentation",
        "mix",
        "bats",
        "quiet",
        f"mixed_{table}",
        "--annotation",
        f"bats/{table}",
        "--workers",
        "1",
    ]
    ended = bats.python(*arguments)
    assert ended.returncode == 0, ended.stderr
    made = pd.read_csv(bats.folder / f"mixed_{table}" / "annotation.csv")
    assert set(made["source"].dropna()) == {"files1/r1.wav", "files1/r2.wav"}


def test_mix_finds_the_tables_of_bats_without_being_told(bats):
    ended = bats.python("-m", "augmentation", "mix", "bats", "quiet", "mixed", "--workers", "1")
    assert ended.returncode == 0, ended.stderr


def test_a_table_that_has_number_and_name_needs_no_other(bats):
    table = pd.read_csv(bats.folder / "bats/annotation.csv")
    table.insert(1, "File name", [f"r{number}.wav" for number in table["FileID"]])
    table.to_csv(bats.folder / "bats/calls.csv", index=False)
    (bats.folder / "bats/FileInfo.csv").unlink()
    assert bats.prepare("events", "bats/calls.csv", "--dataset", "e").returncode == 0
    assert len(clips(bats)) == 3


def test_numbers_that_nothing_explains_are_told(bats):
    (bats.folder / "bats/FileInfo.csv").unlink()
    said = bats.mistake("-m", "preprocessing", "events", "bats/annotation.csv", "--dataset", "e")
    assert "no recording '1'" in said
    assert "FileInfo.csv next to it must list the recording (File name) of each number (FileID)" in said


def test_other_columns_are_told(bats):
    bats.file("bats/odd.csv", "FileID,Voice begin,Voice stop\n1,2,3\n")
    said = bats.mistake("-m", "preprocessing", "events", "bats/odd.csv", "--dataset", "e")
    assert "Start sample" in said
    assert "Voice start sample (1)" in said
