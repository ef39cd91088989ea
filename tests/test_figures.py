"""What the systems reach on corpora where their tasks can be learned: the figures of the README, on fewer folds."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

ROOT = Path(__file__).resolve().parents[1]
DIGITS = Path(os.environ.get("XVAL_FSDD", ROOT / "../shared/data/fsdd/recordings"))
RATE_HZ = 8000
SPECTROGRAM = {"sample_rate_hz": RATE_HZ, "n_fft": 256, "win_length": 200, "hop_length": 80}
needs_digits = pytest.mark.skipif(not DIGITS.is_dir(), reason="needs the digits, XVAL_FSDD")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def settings_arguments(settings: dict[str, object]) -> list[str]:
    return [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]


def prepare(project, *arguments):
    ended = project.run_module("preprocessing", *map(str, arguments))
    assert ended.returncode == 0, ended.stderr


def run_system(project, name, dataset, first, last, *arguments, **settings):
    """Run instances of a script; return the records by instance and fold."""
    command = [sys.executable, str(ROOT / "experiments" / f"{name}.py"), str(first), str(last), *arguments]
    command += settings_arguments({"dataset": dataset, "num_experiment": 1, **settings})
    ended = subprocess.run(command, cwd=project.folder, capture_output=True, text=True, env=project.environment(), check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    project.results = project.folder / "results" / dataset / "experiment_1"
    return project.records()


@needs_digits
def test_a_vgg_identifies_known_speakers_from_other_takes(project):
    prepare(
        project, "fsdd", DIGITS, "--item", "take", "--label", "speaker", "--dataset", "speakers", "--set", "features=waveform"
    )
    small = {"crop_s": 0.4, "n_filters": "(32, 64)", "num_epochs": 8, "batch_size": 32, "fold_strategy": "holdout"}

    record = run_system(project, "voxceleb", "speakers", 3, 3, **SPECTROGRAM, **small)[3, 1]

    assert record["metrics"]["test"]["accuracy"] >= 0.9
    assert record["metrics"]["test"]["eer"] <= 0.05


@needs_digits
def test_averaged_windows_are_better_than_single_ones(project):
    prepare(project, "fsdd", DIGITS, "--item", "take", "--label", "speaker", "--dataset", "speakers")
    windows = {"n_mels": 40, "clip_length_s": 0.8, "example_length_s": 0.2, "normalization": "per_bin"}
    training = {"num_epochs": 3, "batch_size": 64, "fold_strategy": "holdout", "tensorboard": "false"}

    record = run_system(project, "fma", "speakers", 1, 1, **SPECTROGRAM, **windows, **training)[1, 1]

    assert record["clip_metrics"]["test"]["accuracy"] > record["metrics"]["test"]["accuracy"] + 0.02


def test_an_autoencoder_beats_the_mean_by_far_on_unseen_speakers(project):
    prepare(project, "demo", "--dataset", "folders")
    small = {"n_filters": "(16, 32, 64)", "num_epochs": 15}

    record = run_system(project, "folders_representation", "folders", 1, 1, "--folds", "1", **small)[1, 1]

    assert record["metrics"]["test"]["mse"] < 0.5 * record["chance"]["test"]["mse"]


@needs_digits
def test_events_are_found_in_noise_by_a_network_that_never_heard_the_speaker(project):
    """Words of six speakers in coloured noise at 0 to 20 dB; two folds of six."""
    rows = [["path", "start_s", "end_s", "label", "item"]]
    events, noise = project.folder / "events", project.folder / "noise"
    events.mkdir()
    noise.mkdir()
    for path in sorted(DIGITS.glob("*_[0-5].wav")):
        samples, rate_hz = soundfile.read(path)
        soundfile.write(events / path.name, samples, rate_hz)
        rows.append([path.name, 0, len(samples) / rate_hz, "speech", path.stem.split("_")[1]])
    with (events / "events.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    rng = np.random.default_rng(0)
    n_bins = RATE_HZ * 40 // 2 + 1
    for number in range(60):
        spectrum = (rng.normal(size=n_bins) + 1j * rng.normal(size=n_bins)) / np.arange(1, n_bins + 1) ** rng.uniform(0, 1)
        samples = np.fft.irfft(spectrum)
        soundfile.write(noise / f"noise_{number:02}.wav", 0.1 * samples / np.abs(samples).max(), RATE_HZ)
    levels = {"mixture_min_snr_db": 0, "mixture_max_snr_db": 20, "mixture_max_events": 5}
    mixed = project.folder / "mixed"
    ended = project.run_module("augmentation", "mix", str(events), str(noise), str(mixed), *settings_arguments(levels))
    assert ended.returncode == 0, ended.stderr
    task = ("--task-type", "frame_classification", "--set", f"sample_rate_hz={RATE_HZ}")
    prepare(project, "events", mixed / "annotation.csv", "--item", "item", "--dataset", "words", *task)
    small = {"sample_rate_hz": RATE_HZ, "n_filters": 20, "num_folds": 6, "num_epochs": 8}

    found = run_system(project, "bats", "words", 3, 3, "--folds", "1,2", **small)

    assert np.mean([record["metrics"]["test"]["event_f1"] for record in found.values()]) >= 0.6
