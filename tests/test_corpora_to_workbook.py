"""From files in a corpus's own layout to a trained network and a workbook, by the two commands that a user types.

Where a script of experiments/ is made for the corpus, it runs, with networks that are narrow and one epoch. The sounds are
spoken digits where these are found, and tones elsewhere.
"""

import csv
import json
import os
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest
import soundfile

ROOT = Path(__file__).resolve().parents[1]
DIGITS = Path(os.environ.get("XVAL_FSDD", ROOT / "../shared/data/fsdd/recordings"))
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
RATE_HZ = 8000
SMALL = {"sample_rate_hz": RATE_HZ, "n_fft": 256, "win_length": 200, "hop_length": 160, "n_mels": 16}


def settings_arguments(settings: dict[str, object]) -> list[str]:
    return [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]


def sound(label: int, seed: int, duration_s: float = 0.6) -> np.ndarray:
    """Return a digit, its label, or a tone of its label's frequency with a little noise; another one for each seed."""
    if DIGITS.is_dir():
        samples, _ = soundfile.read(DIGITS / f"{label}_{SPEAKERS[seed % 6]}_{seed // 6 % 50}.wav", dtype="float32")
        return np.resize(samples, int(duration_s * RATE_HZ))
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
            write(folder / f"Actor_{actor:02}" / name, sound(emotion, actor))
    return ["ravdess", str(folder)]


def voxceleb(folder: Path) -> list[str]:
    for speaker in (1, 2):
        for video in "abcd":
            for number in (1, 2):
                path = folder / f"id1000{speaker}" / f"video_{video}___"[:11] / f"{number:05}.m4a"
                write_m4a(path, sound(speaker, ord(video) + 100 * number))
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
            write(folder / "fma_small" / "000" / f"{track:06}.mp3", sound(track % 2, track))
    return ["fma", str(folder)]


def events(folder: Path) -> list[str]:
    lines = ["path,start_s,end_s,label"]
    for number in range(6):
        path = f"site_{number}.wav"
        write(folder / path, np.concatenate([sound(0, number), sound(1, number), sound(2, number)]))
        lines += [f"{path},{0.6 * label + 0.05:g},{0.6 * label + 0.5:g},{name}" for label, name in enumerate(["a", "b", "c"])]
    (folder / "annotation.csv").write_text("\n".join(lines))
    return ["events", str(folder / "annotation.csv")]


def folders(folder: Path) -> list[str]:
    for label, name in enumerate(["dog", "cat"]):
        for speaker in range(6):
            write(folder / name / f"s{speaker}_take1.wav", sound(label, speaker))
    return ["folders", str(folder), "--item-pattern", r"s\d"]


def bats(folder: Path) -> list[str]:
    """Two calls in each recording; the second annotator lets the first of them end a tenth of a second later."""
    file_info = ["FileID,File name,Voice start sample (1),Voice end sample (1),Voice start sample (2),Voice end sample (2)"]
    annotation = ["FileID,Context,Start sample,End sample"]
    for number in range(6):
        silence = (0.01 * np.random.default_rng(number).normal(size=RATE_HZ // 2)).astype(np.float32)
        parts = [silence, sound(3, number), silence, sound(7, number), silence]
        write(folder / "files" / f"{number}.wav", np.concatenate(parts))
        edges = np.cumsum([len(part) for part in parts])
        file_info.append(f"{number},{number}.wav,{edges[0]},{edges[1]},{edges[2]},{edges[3]}")
        annotation += [f"{number},1,{edges[0]},{edges[1] + 800}", f"{number},1,{edges[2]},{edges[3]}"]
    (folder / "FileInfo.csv").write_text("\n".join(file_info))
    (folder / "annotation.csv").write_text("\n".join(annotation))
    return ["bats", str(folder), "--task-type", "frame_classification"]


def run_and_check(project, prepared, items, classes, n_folds, arguments, architecture, instance="1") -> dict:
    """Run the script on the prepared corpus; return the records of an instance, the last of the run."""
    assert prepared.returncode == 0, prepared.stderr
    ended = project.run_script(*arguments, "--fold-repeats", "1")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    records = project.records()
    assert {item for record in records.values() for item in record["items"]["test"]} <= items
    records = {job: record for job, record in records.items() if job[0] == int(instance)}
    assert len(records) == n_folds
    for record in records.values():
        assert set().union(*record["items"].values()) == items
        assert record["class_names"] == classes
    sheet = openpyxl.load_workbook(project.results / "results.xlsx")["settings"]
    assert any(cell.value == architecture for row in sheet.iter_rows() for cell in row)
    assert json.loads((project.results / f"instance_{instance}" / "metrics.json").read_text())["summary"]
    return records


@pytest.mark.usefixtures("in_process", "eagerly")
@pytest.mark.parametrize(
    ("lay_out", "items", "classes"),
    [
        (ravdess, {"01", "02", "03", "04"}, ["angry", "happy", "neutral"]),
        (events, {f"site_{n}.wav" for n in range(6)}, ["a", "b", "c"]),
    ],
    ids=lambda value: value.__name__ if callable(value) else None,
)
def test_files_become_a_workbook(project, lay_out, items, classes) -> None:
    prepared = project.run_module(
        "preprocessing", *lay_out(project.folder / "audio"), "--dataset", "toy", "--workers", "1", *settings_arguments(SMALL)
    )
    project.write_script({"architecture": "mlp", "n_units": (8,)}, num_epochs=1, num_folds=2, debug_mode=True, **SMALL)
    run_and_check(project, prepared, items, classes, 2, ["exp.py"], "mlp")


# For each system its corpus, and the instance of its script with what makes it small.
SYSTEMS = {
    "voxceleb": (
        voxceleb, {f"id1000{s}/video_{v}___" for s in (1, 2) for v in "abcd"}, ["id10001", "id10002"], 2, "vgg_pool", "4",
        {"crop_s": 0.5, "hop_length": 80, "n_filters": "(4, 8)", "fold_strategy": "balanced", "num_folds": 2},
    ),
    "fma": (
        fma, {str(track) for track in range(1, 9)}, ["Folk", "Rock"], 1, "fma_cnn", "1",
        {"clip_length_s": 0.6, "example_length_s": 0.3, "n_filters": "(4, 4)", "n_units": 8},
    ),
    "folders": (
        folders, {f"s{speaker}" for speaker in range(6)}, ["cat", "dog"], 2, "feature_combination", "3",
        {"num_folds": 2},
    ),
    "folders_representation": (
        folders, {f"s{speaker}" for speaker in range(6)}, [], 2, "daf_autoencoder", "2",
        {"num_folds": 2, "n_filters": "(4, 4)"},
    ),
    "bats": (
        bats, {f"files/{number}.wav" for number in range(6)}, ["background", "call"], 2, "sincnet", "3",
        {"num_folds": 2, "n_filters": 4, "kernel_length": 51, "n_conv_filters": "(4,)", "n_units": "(8,)"},
    ),
}  # fmt: skip


@pytest.mark.usefixtures("in_process", "eagerly")
@pytest.mark.parametrize(
    "system",
    [pytest.param(name, marks=pytest.mark.slow if name == "folders_representation" else ()) for name in SYSTEMS],
)
def test_each_system_runs_from_files_in_its_own_layout(project, differences, system) -> None:
    lay_out, items, classes, n_folds, architecture, instance, settings = SYSTEMS[system]
    dataset = system.split("_")[0]
    prepared = project.run_module(
        "preprocessing", *lay_out(project.folder / "audio"), "--dataset", dataset, "--workers", "1", *settings_arguments(SMALL)
    )
    small = SMALL if system != "bats" else {"sample_rate_hz": RATE_HZ}
    chosen = {"num_epochs": 1, "num_experiment": 1, "batch_size": 8, **small, **settings}
    project.results = project.folder / "results" / dataset / "experiment_1"
    arguments = [str(ROOT / "experiments" / f"{system}.py"), "1" if system == "folders" else instance, instance]
    records = run_and_check(
        project, prepared, items, classes, n_folds, [*arguments, *settings_arguments(chosen)], architecture, instance
    )
    for (number, fold), record in records.items():
        folder = project.results / f"instance_{number}" / f"fold_{fold}"
        differing = differences(folder, project.folder / "data")
        assert all(abs(value) < 1e-5 for value in differing.values()), differing
        if system == "bats":
            assert "7.2 s agreed, 0.6 s disputed" in prepared.stdout
            assert "event_f1" in record["metrics"]["test"]
            assert (folder / "events.csv").read_text().count("annotated") >= 2
        if system == "folders_representation":
            assert len(pd.read_parquet(folder / "embeddings.parquet")) == 12
        if system == "fma":
            assert record["n_examples"]["test"] == 2 * sum(each["n_clips"] for each in record["item_metrics"]["test"].values())
            assert list((project.results / "tensorboard" / f"instance_{number}" / f"fold_{fold}").rglob("events*"))
