"""A saved model of tones that has learned nothing, and the commands called in this process."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from preprocessing.corpus import make_corpus
from preprocessing.extraction import make_store

RATE_HZ = 8000
FEATURES = {"sample_rate_hz": RATE_HZ, "n_fft": 128, "win_length": 128, "hop_length": 64, "n_mels": 12}


@pytest.fixture(scope="session")
def save_untrained(tmp_path_factory):
    """Return a function that leaves a model of tones as a run does, with random weights, and returns its fold folder."""
    import keras
    import pandas as pd

    from xval.fold_files import save_model
    from xval.folds import Fold
    from xval.model import build_model
    from xval.plan import Job
    from xval.settings import Declaration, resolve

    folder = tmp_path_factory.mktemp("tones")
    rng = np.random.default_rng(0)
    rows = []
    for speaker in range(4):
        for take in range(2):
            time_s = np.arange(2000 + 400 * take) / RATE_HZ
            samples = 0.3 * np.sin(2 * np.pi * (500, 1500)[take] * time_s) + 0.01 * rng.normal(size=time_s.size)
            soundfile.write(folder / f"{speaker}_{take}.wav", samples, RATE_HZ)
            rows.append((f"{speaker}_{take}.wav", f"s{speaker}", ("low", "high")[take]))
    clips = pd.DataFrame(rows, columns=["path", "item", "label"])
    made = {"dataset": "tones", "data_folder": folder / "data", "corpus": "table"}
    corpus, _ = make_corpus(clips, folder, task_type="classification", **made)

    def save(number=1, **own):
        own = {"architecture": "cnn_small", "n_filters": (4, 4), **FEATURES, **own}
        shared = {"dataset": "tones", "data_folder": str(folder / "data")}
        (instance,) = resolve(Declaration("exp.py", "exp.py", "a test", shared, {1: own}))
        store, _ = make_store(corpus, instance.settings.feature_settings())
        fold = Fold(number, ("s0", "s1"), ("s2",), ("s3",))
        target = tmp_path_factory.mktemp("instance") / f"fold_{number}"
        target.mkdir()
        keras.utils.set_random_seed(number)
        model = build_model(instance.parameters, tuple(instance.options), store, fold.training)
        names = tuple(instance.options)
        job = Job("r", "code", str(store.folder), 1, fold, instance.parameters, names, "h", "f", seed=number)
        save_model(model, target, job, store, store.class_names)
        return target

    return SimpleNamespace(save=save, audio=folder, corpus=corpus)


@pytest.fixture
def command(monkeypatch, capsys):
    """Return a function that runs ``python -m xval`` here, where Keras is loaded; it gives exit code, output and errors."""
    from xval import inference
    from xval.__main__ import main

    monkeypatch.setattr(inference, "_bind", lambda *_: None)

    def run(*arguments):
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return SimpleNamespace(code=code, out=captured.out, err=captured.err, rows=lambda: json.loads(captured.out))

    return run
