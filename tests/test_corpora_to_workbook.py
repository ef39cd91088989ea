"""From files in a corpus's own layout to a trained network and a workbook, by the two commands that a user types."""

import csv
import json
from pathlib import Path

import numpy as np
import openpyxl
import pytest
import soundfile

RATE_HZ = 8000
SMALL = (
    "--set",
    "sample_rate_hz=8000",
    "--set",
    "n_fft=256",
    "--set",
    "win_length=200",
    "--set",
    "hop_length=160",
    "--set",
    "n_mels=16",
)


def tone(label: int, seed: int, duration_s: float = 0.6) -> np.ndarray:
    """Return a tone whose frequency is its label's, with a little noise, so that no two are identical."""
    rng = np.random.default_rng([label, seed])
    time_s = np.arange(int(duration_s * RATE_HZ)) / RATE_HZ
    return (0.3 * np.sin(2 * np.pi * (400 + 500 * label) * time_s) + 0.01 * rng.normal(size=time_s.size)).astype(np.float32)


def write(path: Path, samples: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, RATE_HZ)


def write_m4a(path: Path, samples: np.ndarray) -> None:
    """Write AAC in an MPEG-4 container."""
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=RATE_HZ, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples[np.newaxis], format="fltp", layout="mono")
        frame.sample_rate = RATE_HZ
        for packet in (*stream.encode(frame), *stream.encode(None)):
            container.mux(packet)


def ravdess(folder: Path) -> list[str]:
    for actor in range(1, 5):
        for emotion in (1, 3, 5):
            name = f"03-01-{emotion:02}-01-01-01-{actor:02}.wav"
            write(folder / f"Actor_{actor:02}" / name, tone(emotion, actor))
    return ["ravdess", str(folder)]


def voxceleb(folder: Path) -> list[str]:
    for speaker in (1, 2):
        for video in "abcd":
            for number in (1, 2):
                path = folder / f"id1000{speaker}" / f"video_{video}___"[:11] / f"{number:05}.m4a"
                write_m4a(path, tone(speaker, ord(video) + 100 * number))
    return ["voxceleb", str(folder)]


def fma(folder: Path) -> list[str]:
    header = [
        ("", "album", "artist", "set", "set", "track"),
        ("", "id", "id", "split", "subset", "genre_top"),
        ("track_id", "", "", "", "", ""),
    ]
    splits = ["training", "training", "training", "training", "validation", "validation", "test", "test"]
    (folder / "fma_metadata").mkdir(parents=True)
    with (folder / "fma_metadata" / "tracks.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerows(header)
        for track, split in enumerate(splits, start=1):
            table.writerow([track, track, track, split, "small", ["Rock", "Folk"][track % 2]])
            write(folder / "fma_small" / "000" / f"{track:06}.mp3", tone(track % 2, track))
    return ["fma", str(folder)]


def events(folder: Path) -> list[str]:
    lines = ["path,start_s,end_s,label"]
    for number in range(6):
        path = f"site_{number}.wav"
        write(folder / path, np.concatenate([tone(0, number), tone(1, number), tone(2, number)]))
        lines += [f"{path},{0.6 * label + 0.05:g},{0.6 * label + 0.5:g},{name}" for label, name in enumerate(["a", "b", "c"])]
    (folder / "annotation.csv").write_text("\n".join(lines))
    return ["events", str(folder / "annotation.csv")]


def folders(folder: Path) -> list[str]:
    for label, name in enumerate(["dog", "cat"]):
        for speaker in range(4):
            write(folder / name / f"s{speaker}_take1.wav", tone(label, speaker))
    return ["folders", str(folder), "--item-pattern", r"s\d"]


@pytest.mark.parametrize(
    ("lay_out", "items", "classes", "strategy"),
    [
        (ravdess, {"01", "02", "03", "04"}, ["angry", "happy", "neutral"], "balanced"),
        (voxceleb, {f"id1000{s}/video_{v}___" for s in (1, 2) for v in "abcd"}, ["id10001", "id10002"], "balanced"),
        (fma, {"1", "2", "3", "4", "5", "6", "7", "8"}, ["Folk", "Rock"], "predefined"),
        (events, {f"site_{n}.wav" for n in range(6)}, ["a", "b", "c"], "balanced"),
        (folders, {"s0", "s1", "s2", "s3"}, ["cat", "dog"], "balanced"),
    ],
    ids=lambda value: value.__name__ if callable(value) else None,
)
def test_files_become_a_workbook(project, lay_out, items, classes, strategy) -> None:
    prepared = project.run_module(
        "preprocessing", *lay_out(project.folder / "audio"), "--dataset", "toy", "--workers", "1", *SMALL
    )
    assert prepared.returncode == 0, prepared.stderr
    project.write_script(
        {"architecture": "mlp", "n_units": (8,)},
        num_epochs=1,
        num_folds=2,
        fold_strategy=strategy,
        debug_mode=True,
        sample_rate_hz=RATE_HZ,
        n_fft=256,
        win_length=200,
        hop_length=160,
        n_mels=16,
    )
    ended = project.run()
    assert ended.returncode == 0, ended.stdout + ended.stderr
    records = project.records()
    assert {item for record in records.values() for item in record["items"]["test"]} <= items
    assert len(records) == (1 if strategy == "predefined" else 2)
    for record in records.values():
        assert set().union(*record["items"].values()) == items
        assert record["class_names"] == classes
    sheet = openpyxl.load_workbook(project.results / "results.xlsx")["summary"]
    assert any(cell.value == "mlp" for row in sheet.iter_rows() for cell in row)
    assert json.loads((project.results / "instance_1" / "metrics.json").read_text())["summary"]
