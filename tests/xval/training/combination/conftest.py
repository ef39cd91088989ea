"""A small custom corpus with trained-looking networks, and one of tones, for everything that combines features."""

import json

import numpy as np
import pytest
import soundfile

from preprocessing import corpus, store
from preprocessing.features.feature_settings import FeatureSettings
from preprocessing.store import make as extraction
from xval.folds.plan import Fold
from xval.jobs.job import Job
from xval.settings.resolve import Declaration, resolve
from xval.training.classical import estimators

ITEMS = tuple(f"s{number}" for number in range(6))
FOLD = Fold(1, ITEMS[:3], ITEMS[3:4], ITEMS[4:])
N_EXAMPLES, SHAPE, RATE_HZ = 9, (8, 6), 8000
AUDIO_FEATURES = {"sample_rate_hz": RATE_HZ, "n_fft": 256, "win_length": 200, "hop_length": 80, "n_mels": 8}


@pytest.fixture(autouse=True)
def small_search(monkeypatch):
    """Search few settings, and grow few trees; whole runs search them all."""
    monkeypatch.setattr(estimators, "_N_TREES", 10)
    few = {
        "svm": ("svm", {"C": (1.0, 100.0), "gamma": ("scale", 1e-2)}),
        "random_forest": ("forest", {"min_samples_leaf": (2, 1)}),
        "logistic_regression": ("logistic", {"C": (1e-2, 1.0, 10.0)}),
    }
    monkeypatch.setattr(estimators, "_COMBINED", few)


@pytest.fixture
def arrays():
    """Return predictors and targets of six items with three classes; each class is louder in two bins."""
    rng = np.random.default_rng(0)
    predictors, targets = {}, {}
    for item in ITEMS:
        classes = np.arange(N_EXAMPLES) % 3
        values = rng.normal(size=(N_EXAMPLES, *SHAPE)).astype(np.float32)
        for example, label in enumerate(classes):
            values[example, :, 2 * label : 2 * label + 2] += 1.5
        predictors[item], targets[item] = values, np.array(["a", "b", "c"])[classes]
    return predictors, targets


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "fold"
    made.mkdir()
    return made


@pytest.fixture
def custom_store(tmp_path, arrays):
    return store.write("toy", *arrays, data_folder=tmp_path / "data")


@pytest.fixture
def tones(tmp_path):
    """Return a corpus of tones (low and high, some long enough for two windows), and its feature settings."""
    import pandas as pd

    rng = np.random.default_rng(0)
    audio = tmp_path / "audio"
    audio.mkdir()
    rows = []
    for item in ITEMS:
        for take in range(4):
            label = ("low", "high")[take % 2]
            time_s = np.arange(rng.integers(3500, 6000)) / RATE_HZ
            samples = 0.3 * np.sin(2 * np.pi * {"low": 500, "high": 1500}[label] * time_s)
            soundfile.write(audio / f"{item}_{take}.wav", samples + 0.05 * rng.normal(size=time_s.size), RATE_HZ)
            rows.append({"path": f"{item}_{take}.wav", "item": item, "label": label})
    made, _ = corpus.make_corpus(
        pd.DataFrame(rows), audio, dataset="tones", data_folder=tmp_path / "data", corpus="table", task_type="classification"
    )
    return made, FeatureSettings(**AUDIO_FEATURES | {"example_length_s": 0.4})


@pytest.fixture
def tone_store(tones):
    return extraction.make_store(*tones)[0]


@pytest.fixture
def make_job(tmp_path, monkeypatch):
    """Return a function that makes the job of fold 1 of an instance that combines features.

    The backend of the test process has started, and its threads cannot be set any more.
    """
    monkeypatch.setattr("xval.jobs.prepare_backend_for_job.prepare_backend", lambda **_: None)

    def make(opened, fold=FOLD, parameters=None, **own):
        own = {"architecture": "feature_combination", **own}
        shared = {"dataset": opened.folder.parents[1].name} | (parameters or {})
        (instance,) = resolve(Declaration("exp.py", "exp.py", "a test", shared, {1: own}))
        folder = str(tmp_path / "results")
        return Job(
            folder, "code", str(opened.folder), 1, fold, instance.settings, instance.options, "hash", "folds", seed=1
        )  # fmt: skip

    return make


@pytest.fixture
def make_network(tmp_path):
    """Return a function that trains nothing, but leaves a network as a run does, and returns its path."""
    import keras

    from xval.base.json_files import write_json
    from xval.data.fold import load_fold
    from xval.jobs.model_files import describe_model
    from xval.models.build import build_model
    from xval.models.saved.provenance import write_seen_audio

    def make(opened, name="cnn", fold=FOLD, parameters=None, **own):
        own = {"architecture": "cnn_small", "n_filters": (4, 6), **own}
        shared = {"dataset": opened.folder.parents[1].name} | (parameters or {})
        (instance,) = resolve(Declaration("exp.py", "exp.py", "a test", shared, {1: own}))
        folder = tmp_path / name / f"fold_{fold.number}"
        folder.mkdir(parents=True)
        keras.utils.set_random_seed(3)
        model = build_model(instance.settings, instance.options, opened, fold.training)
        job = Job("r", "code", str(opened.folder), 1, fold, instance.settings, instance.options, "h", "f", seed=1)
        model.save(folder / "model.keras")
        data = load_fold(opened, fold, instance.settings.feature_settings(), in_memory=False)
        write_json(folder / "model.json", describe_model(job, data, [], {"class_names": opened.class_names}))
        write_seen_audio(folder, data)
        items = {side: list(getattr(fold, side)) for side in ("training", "validation", "test")}
        (folder / "record.json").write_text(json.dumps({"format_version": 1, "items": items}))
        return folder / "model.keras"

    return make
