"""The whole job as a user would write it without this project: one side of whole_job.py.

python benchmarks/_plain_job.py FOLDER

FOLDER holds job.json: the folder of the recordings, parameters of the features, number of epochs, patience, and the items of
each fold. Features are computed by librosa, file by file, and kept in one array (features.npz); each fold is a `fit` on arrays
with early stopping and as many threads as TensorFlow takes; accuracies go into accuracies.csv. Written last is times.json: when
(s since 1970) imports, features, each fold and the table were done, and the epochs of each fold.
"""

import csv
import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import librosa
import numpy as np
from _plain_loop import train_and_test


def compute_features(recordings: Path, settings: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Return log-mel features of all recordings, of one length: predictors, targets and items, as `_plain_loop` reads them."""
    rate_hz, length_s = settings["sample_rate_hz"], settings["clip_length_s"]
    paths = sorted(recordings.glob("*.wav"))
    names = [path.stem.split("_") for path in paths]  # {label}_{item}_{take}
    clips = [librosa.load(path, sr=rate_hz)[0] for path in paths]
    n_samples = round(length_s * rate_hz) if length_s else max(map(len, clips))
    predictors = []
    for samples in clips:
        mel = librosa.feature.melspectrogram(
            y=librosa.util.fix_length(samples, size=n_samples),
            sr=rate_hz,
            n_fft=settings["n_fft"],
            win_length=settings["win_length"],
            hop_length=settings["hop_length"],
            n_mels=settings["n_mels"],
        )
        predictors.append(librosa.power_to_db(mel, top_db=settings["top_db"]).T)
    _, targets = np.unique([name[0] for name in names], return_inverse=True)
    items = np.array(["_".join(name[1:-1]) for name in names])
    return {"predictors": np.stack(predictors).astype(np.float32), "targets": targets, "items": items}


def main(folder: Path) -> None:
    """Go from the recordings to the table."""
    times: dict[str, Any] = {"imports": time.time(), "folds": []}
    job = json.loads((folder / "job.json").read_text())
    np.savez(folder / "features.npz", **compute_features(Path(job["recordings"]), job["features"]))
    with np.load(folder / "features.npz") as arrays:
        clips = dict(arrays)
    times["features"] = time.time()
    rows = []
    for fold in job["folds"]:
        found = train_and_test(fold, clips, folder, n_epochs=job["num_epochs"], form="arrays", patience=job["patience"])
        rows.append((fold["number"], found["test_accuracy"]))
        times["folds"].append({"fold": fold["number"], "ended": time.time(), "epochs": len(found["loss"])})
    with (folder / "accuracies.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("fold", "test_accuracy"), *rows, ("mean", np.mean([accuracy for _, accuracy in rows]))])
    times |= {"table": time.time(), "accuracies": [accuracy for _, accuracy in rows]}
    (folder / "times.json").write_text(json.dumps(times))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
