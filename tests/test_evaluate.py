"""``xval evaluate``: the figures of an experiment again, and what it says of data that the model has seen."""

import json

import numpy as np
import pandas as pd
import pytest
import soundfile

RATE_HZ = 8000
SMALL = {"sample_rate_hz": RATE_HZ, "n_fft": 256, "win_length": 200, "hop_length": 160, "n_mels": 16}


def settings_arguments(settings):
    return [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]


def tone(label, seed, duration_s=0.5):
    rng = np.random.default_rng([label, seed])
    time_s = np.arange(int(duration_s * RATE_HZ)) / RATE_HZ
    return (0.1 * np.sin(2 * np.pi * (400 + 300 * label) * time_s) + 0.1 * rng.normal(size=time_s.size)).astype(np.float32)


def write(path, samples):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, RATE_HZ)


def prepare(project, *arguments):
    ended = project.run_module("preprocessing", *arguments, "--dataset", "toy", "--workers", "1", *settings_arguments(SMALL))
    assert ended.returncode == 0, ended.stderr


@pytest.mark.usefixtures("in_process", "eagerly")
def test_frames_and_events_of_a_fold_are_those_of_its_experiment(project):
    lines = ["path,start_s,end_s,label"]
    for number in range(4):
        silence = (0.02 * np.random.default_rng(number).normal(size=RATE_HZ // 2)).astype(np.float32)
        write(project.folder / "audio" / f"{number}.wav", np.concatenate([silence, tone(1, number), silence, tone(5, number)]))
        lines += [f"{number}.wav,0.5,1.0,call", f"{number}.wav,1.5,2.0,song"]
    (project.folder / "audio" / "annotation.csv").write_text("\n".join(lines))
    table = str(project.folder / "audio" / "annotation.csv")
    prepare(project, "events", table, "--task-type", "frame_classification")
    network = {"architecture": "crnn", "n_filters": (4, 4), "n_units": 4}
    spectrum = {"frontend": "logmel", "n_fft": 256, "win_length": 200, "hop_length": 100, "n_mels": 16}
    project.write_script(
        network, num_folds=2, debug_mode=True, workers=1, task_type="frame_classification", features="waveform",
        **spectrum, sample_rate_hz=RATE_HZ, num_epochs=3, segment_s=0.4, event_min_duration_s=0.1,
    )  # fmt: skip
    ended = project.run("--folds", "1")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    record, fold = project.records()[1, 1], project.results / "instance_1" / "fold_1"

    items = ",".join(record["items"]["test"])
    ended = project.run_module("xval", "evaluate", fold, "toy", "--items", items, "--output", "out")

    assert ended.returncode == 0, ended.stdout + ended.stderr
    folder = project.folder / "out"
    found = json.loads((folder / "metrics.json").read_text())
    wanted = {name: value for name, value in record["clip_metrics"]["test"].items() if name != "loss"}
    assert found["metrics"] == pytest.approx(wanted, abs=1e-6)
    assert found["confusion_matrix"] == record["confusion_matrix"]["test"]
    events = pd.read_csv(fold / "events.csv").query("side == 'test'").drop(columns="side").reset_index(drop=True)
    pd.testing.assert_frame_equal(pd.read_csv(folder / "events.csv"), events)
