"""Open models as a user does: by xval, and by plain Keras; ``read_models.py FOLDS TASK`` prints what came of it as JSON.

FOLDS is a dict in JSON of fold folders by a name.
"""

import json
import sys
from pathlib import Path

import keras
import networks  # noqa: F401 - it registers its layers
import numpy as np
import pandas as pd
import soundfile

import xval

CLIPS = [f"tones/s{speaker}_0.wav" for speaker in range(3)]
ANSWERS = ("probability_", "predicted_", "squared_error", "novelty")


def numbers(table):
    """Return the columns of answers."""
    return table[[name for name in table if name.startswith(ANSWERS)]].to_numpy(float)


def predict_plainly(network, clip):
    """Return what a Keras model makes of a file: its samples, as many examples as they are."""
    samples, _ = soundfile.read(Path("tones", Path(clip).name), dtype="float32")
    answers = network(samples.reshape(-1, *network.input_shape[1:]), training=False)
    values = keras.ops.convert_to_numpy(answers)
    return values.reshape(-1, values.shape[-1])


def read(fold, task):
    """Return how far answers of one model are apart that should be equal, and the widths of its embeddings."""
    model, network = xval.load_model(fold), keras.models.load_model(Path(fold, "model.keras"))
    frames = {"per": "segment"} if task == "frame_classification" else {}
    many, one = model.predict(CLIPS, **frames), model.predict(CLIPS[:1], **frames)
    same = many[many["path"] == one["path"].iloc[0]]
    found = {"alone": float(np.abs(numbers(same) - numbers(one)).max())}
    if task != "representation":  # its predictions are errors, not what it answers
        table = pd.read_parquet(Path(fold, "predictions.parquet"))
        names = [name for name in table if name.startswith(ANSWERS[:2])]
        clip, rows = next(iter(table.groupby("clip", sort=False)))
        found["plain"] = float(np.abs(predict_plainly(network, clip)[: len(rows)] - rows[names].to_numpy(float)).max())
    widths = [model.embed(CLIPS, layers_dropped=0).filter(like="embedding_").shape[1]]
    found["widths"] = widths
    try:
        found["n_layers"] = model.n_layers
        widths += [
            model.embed(CLIPS, layers_dropped=n).filter(like="embedding_").shape[1] for n in range(1, model.n_layers + 1)
        ]
    except xval.XvalError as error:
        found["refused"] = str(error)
    return found


folds, task = json.loads(sys.argv[1]), sys.argv[2]
print(json.dumps({name: read(fold, task) for name, fold in folds.items()}))
