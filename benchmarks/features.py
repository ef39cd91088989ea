"""Log-mel features of a folder of wav files: this project, one process, against a loop with librosa. Prints the ratio last.

python benchmarks/features.py [--quick] [FOLDER]      the demo corpus by default

Both sides decode and compute the same features in turn, in one process and one thread; the medians of the runs are compared.
"""

import argparse
import tempfile
import time
from pathlib import Path
from statistics import median

import librosa
import numpy as np
import soundfile
from threadpoolctl import threadpool_limits

from preprocessing.audio.read import read_audio
from preprocessing.corpora._demo_speech import write_demo_speech
from preprocessing.features.extract import extract
from preprocessing.features.feature_settings import FeatureSettings

N_RUNS = 5
N_SPEAKERS = 12


def with_xval(paths: list[Path], settings: FeatureSettings) -> list[np.ndarray]:
    """Return the features of each file as the feature store gets them."""
    return [extract(read_audio(path, sample_rate_hz=settings.sample_rate_hz)[0], settings) for path in paths]


def with_librosa(paths: list[Path], settings: FeatureSettings) -> list[np.ndarray]:
    """Return the same features, file by file, as a script with librosa computes them."""
    features = []
    for path in paths:
        samples, _ = librosa.load(path, sr=settings.sample_rate_hz)
        mel = librosa.feature.melspectrogram(
            y=samples,
            sr=settings.sample_rate_hz,
            n_fft=settings.n_fft,
            win_length=settings.win_length,
            hop_length=settings.hop_length,
            n_mels=settings.n_mels,
        )
        features.append(librosa.power_to_db(mel, top_db=settings.top_db).T)
    return features


def main(folder: Path, n_runs: int) -> None:
    """Time both sides in turn and print the results."""
    paths = sorted(folder.rglob("*.wav"))
    rate_hz = soundfile.info(paths[0]).samplerate
    settings = FeatureSettings.model_validate({"sample_rate_hz": rate_hz})
    seconds: dict[str, list[float]] = {"xval": [], "librosa": []}
    with threadpool_limits(1):
        for _ in range(n_runs):
            for name, function in (("xval", with_xval), ("librosa", with_librosa)):
                started = time.perf_counter()
                found = function(paths, settings)
                seconds[name].append(time.perf_counter() - started)
                n_frames = sum(len(features) for features in found)
    print(f"{len(paths)} files, {n_frames} frames of {settings.n_mels} bins, {rate_hz} Hz; median of {n_runs} runs")
    for name, runs in seconds.items():
        print(f"{name:8} {median(runs):7.2f} s  (from {min(runs):.2f} to {max(runs):.2f})")
    print(f"ratio    {median(seconds['xval']) / median(seconds['librosa']):7.3f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Features by this project and by librosa.")
    parser.add_argument("--quick", action="store_true", help="a demo corpus of one speaker, once")
    parser.add_argument("folder", type=Path, nargs="?", help="wav files (default: the demo corpus)")
    given = parser.parse_args()
    runs = 1 if given.quick else N_RUNS
    if given.folder:
        main(given.folder, runs)
    else:
        with tempfile.TemporaryDirectory() as place:
            write_demo_speech(Path(place), n_speakers=1 if given.quick else N_SPEAKERS, seed=1)
            main(Path(place), runs)
