"""Ask saved models about the test clips of their folds, and compare what they say with what was stored of them.

As a script, for a process of one backend: folders of folds are the arguments, and what differs is printed as JSON.
"""

import json
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from preprocessing.corpus import open_corpus
from xval import load_model
from xval.reuse.inference import Segment

OUTPUTS = ("probability_", "predicted_", "squared_error")
SIDECARS = ("model.keras", "model.json", "model.skops", "network_1", "network_2")


def differences(fold, data_folder):
    """Return the largest differences of predictions and of times, of examples and of clips, after the model has moved."""
    stored = pd.read_parquet(fold / "predictions.parquet")
    stored = stored[stored["side"] == "test"].reset_index(drop=True)
    with tempfile.TemporaryDirectory() as folder:
        for path in fold.iterdir():
            if path.name in SIDECARS:
                (shutil.copytree if path.is_dir() else shutil.copy)(path, Path(folder) / path.name)
        model = load_model(folder)
    corpus = open_corpus(model.description.dataset, data_folder)
    rows = corpus.index.set_index("clip").loc[stored["clip"].unique()]
    clips = [Segment(corpus.audio_folder / path, start_s, end_s) for path, start_s, end_s in
             rows[["path", "start_s", "end_s"]].itertuples(index=False)]  # fmt: skip
    of_frames = model.task_type == "frame_classification"
    found = model.predict(clips, per="segment" if of_frames else "example")
    columns = [name for name in found if name.startswith(OUTPUTS)]
    assert columns
    assert set(columns) <= set(stored)
    result = {
        "n_rows": len(found) - len(stored),
        "values": largest(found[columns], stored[columns]),
        "times": largest(found[["start_s", "end_s"]], stored[["start_s", "end_s"]]),
    }
    if of_frames:
        events = pd.read_csv(fold / "events.csv").query("side == 'test' and source == 'found'")
        said = model.predict(clips)
        result["n_events"] = len(said) - len(events)
        result["events"] = largest(said[["start_s", "end_s"]], events[["start_s", "end_s"]]) if len(said) else 0.0
        assert said["label"].tolist() == events["label"].tolist()
    else:
        combined = stored.groupby("clip", sort=False)[columns].mean()
        if model.description.clip_average == "probabilities":
            result["clips"] = largest(model.predict(clips)[columns], combined)
    return result


def largest(found, expected):
    return float(np.abs(found.to_numpy(float) - expected.to_numpy(float)).max())


if __name__ == "__main__":
    sys.stdout.write(json.dumps({fold: differences(Path(fold), Path("data")) for fold in sys.argv[1:]}))
