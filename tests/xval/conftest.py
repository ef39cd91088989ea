"""Fold records and instances as a run leaves them, for the tests of what is derived from them; and a saved model."""

import sys
import tempfile
import zipfile
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from preprocessing.corpus import make_corpus
from preprocessing.features.feature_settings import FeatureSettings
from preprocessing.store.make import make_store
from xval.base import json_files
from xval.base.json_files import write_json
from xval.results.folder import ExperimentFolder
from xval.results.instance import InstanceResults
from xval.results.job_key import JobKey
from xval.results.read import WrittenInstance
from xval.results.scores import scores_of_record, write_scores

RATE_HZ = 8000
FEATURES = {"sample_rate_hz": RATE_HZ, "n_fft": 128, "win_length": 128, "hop_length": 64, "n_mels": 12}
PARAMETERS = {
    "task_type": "classification",
    "monitor": "val_accuracy",
    "rank_by": "accuracy",
    "architecture": "cnn_small",
    "loss": "auto",
    "learning_rate": 0.001,
    "example_length_s": None,
    "example_overlap": 0.5,
    "gpu_ID": "0",
    "threads_per_job": 1,
    "comment_1": "",
    "comment_2": "",
}


SEARCH = {
    "trial": 1,
    "score": 0.5,
    "monitor": "val_accuracy",
    "maximised": True,
    "importance": {},
    "trials": [],
    "seconds": 1,
}
"""What a record says of the search of its fold."""
SCORE_PARTS = ("metrics", "clip_metrics", "item_metrics", "chance")


def _record(fold, metrics, /, **changes):
    """Return a done record with its scores in dicts, as earlier versions wrote it; `split_scores` makes one of today of it.

    `metrics` are those of the test side, validation lies 0.1 above and training 0.2.
    """
    raised = {
        side: {name: None if value is None else value + shift for name, value in metrics.items()}
        for side, shift in (("training", 0.2), ("validation", 0.1), ("test", 0.0))
    }
    item = f"speaker {fold}"
    return {
        "format_version": 1,
        "status": "done",
        "instance": 1,
        "fold": fold,
        "repeat": 1,
        "settings_hash": "s",
        "code_hash": "c",
        "folds_hash": "f",
        "store": "t",
        "seed": 7,
        "items": {"training": ["x"], "validation": ["y"], "test": [item]},
        "n_examples": {"training": 100, "validation": 20, "test": 10},
        "class_names": ["no", "yes"],
        "metrics": raised,
        "clip_metrics": {
            side: {name: value for name, value in raised[side].items() if name != "loss"} for side in ("validation", "test")
        },
        "item_metrics": {"test": {item: {"n_clips": 10, **metrics}}},
        "confusion_matrix": {"test": [[4, 1], [2, 3]]},
        "chance": {"test": dict.fromkeys(metrics, 0.5)},
        "best_epoch": 2,
        "epochs": 3,
        "seconds": 10.0,
        "peak_memory_mb": 900.0,
        "n_parameters": 12345,
        "device": "cpu",
        **changes,
    }


def split_scores(record):
    """Return a record as jobs write it, and the scores beside it; a failed job has none."""
    scores = scores_of_record(record) if record["status"] == "done" else None
    return {name: value for name, value in record.items() if name not in SCORE_PARTS}, scores


def _write_job(folder, record):
    """Write a record as a job does, with scores.parquet beside that of a finished one."""
    record, scores = split_scores(record)
    write_json(folder / "record.json", record)
    if scores is not None:
        write_scores(folder, scores)


def _failed(fold, error="the loss is NaN after epoch 3"):
    """Return the record of a failed fold."""
    items = {"training": ["x"], "validation": ["y"], "test": [f"speaker {fold}"]}
    return {
        "format_version": 1,
        "status": "failed",
        "fold": fold,
        "items": items,
        "error": error,
        "seconds": 5.0,
        "device": "cpu",
    }


@pytest.fixture
def make_record():
    return _record


@pytest.fixture
def make_failure():
    return _failed


@pytest.fixture
def write_job():
    return _write_job


@pytest.fixture
def make_instance():
    """Return a function that makes an instance from test metrics (dicts, or accuracies) or whole records, one per fold.

    `drawn` are the settings that a search has chosen in each fold.
    """

    def make(number, folds, *, folds_total=None, sources=None, drawn=(), **parameters):
        records = []
        for fold, given in enumerate(folds, start=1):
            if isinstance(given, dict) and "status" in given:
                records.append(given)
            else:
                records.append(_record(fold, given if isinstance(given, dict) else {"accuracy": given}))
        for record, values in zip(records, drawn, strict=False):
            record["search"] = SEARCH | {"values": values}
        written = WrittenInstance(
            path=Path("settings.json"),
            instance=number,
            description="a test",
            settings_hash="s",
            parameters=PARAMETERS | parameters,
            sources=dict.fromkeys(PARAMETERS | parameters, "config.ini") | (sources or {}),
        )
        halves = {JobKey(number, record["fold"], record.get("repeat", 1)): split_scores(record) for record in records}
        jobs = {key: record for key, (record, _) in halves.items()}
        scores = {key: job_scores for key, (_, job_scores) in halves.items() if job_scores is not None}
        return InstanceResults(
            ExperimentFolder(Path("results")), written, dict(sorted(jobs.items())), folds_total or len(records), scores=scores
        )

    return make


@pytest.fixture(scope="session")
def make_description():
    """Return a function that gives the content of a model.json; `features` are changes of the feature settings in it."""
    settings = FeatureSettings().model_dump(mode="json")

    def make(features=None, **changes):
        return {
            "format_version": 1,
            "task_type": "classification",
            "architecture": "mlp",
            "class_names": ["a", "b"],
            "target_names": [],
            "feature_settings": settings | (features or {}),
            "clip_samples": None,
            "is_custom": False,
            "example_s": 1.0,
            "clip_average": "probabilities",
            "backend": "tensorflow",
            "dataset": "toy",
            "instance": 1,
            "fold": 1,
            "seen_items": {},
            **changes,
        }

    return make


@pytest.fixture(scope="session")
def save_untrained(tmp_path_factory):
    """Return a function that leaves a model of tones as a run does, with random weights, and returns its fold folder."""
    import keras
    import pandas as pd

    from xval.base.json_files import write_json
    from xval.data.fold import load_fold
    from xval.folds.plan import Fold
    from xval.jobs.job import Job
    from xval.jobs.model_files import describe_model
    from xval.models.build import build_model
    from xval.models.saved.provenance import write_seen_audio
    from xval.settings.resolve import Declaration, resolve

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
        model = build_model(instance.settings, instance.options, store, fold.training)
        job = Job("r", "code", str(store.folder), 1, fold, instance.settings, instance.options, "h", "f", seed=number)
        model.save(target / "model.keras")
        data = load_fold(store, fold, instance.settings.feature_settings(), in_memory=False)
        write_json(target / "model.json", describe_model(job, data, [], {"class_names": store.class_names}))
        write_seen_audio(target, data)
        return target

    return SimpleNamespace(save=save, audio=folder, corpus=corpus)


@pytest.fixture(scope="session")
def tiny_parts(tmp_path_factory):
    """Return the members of a small .keras file, bytes by name; tests make doctored files of them."""
    import keras

    path = tmp_path_factory.mktemp("tiny") / "tiny.keras"
    layers = [keras.Input((3,)), keras.layers.Dense(2, name="outputs"), keras.layers.Activation("softmax", name="prediction")]
    keras.Sequential(layers, name="tiny").save(path)
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture
def write_model(tmp_path):
    """Return a function that writes the members of a .keras file, and gives its path."""

    def write(parts, name="model.keras", compression=zipfile.ZIP_STORED):
        path = tmp_path / name
        with zipfile.ZipFile(path, "w", compression) as archive:
            for member, content in parts.items():
                archive.writestr(member, content)
        return path

    return write


class Payload:
    """Writes a file when it is read by pickle."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.fixture
def payload():
    """Return the class of objects that write a file of a path when they are read by pickle."""
    return Payload


@pytest.fixture
def trap(tmp_path, monkeypatch):
    """Return the path of a file that payloads write; after the test, nothing has been written anywhere but where it said.

    Beside the model lie modules that Python would find; importing one of them writes the file too.
    """
    marker, temporary = tmp_path / "marker", tmp_path / "temporary"
    temporary.mkdir()
    modules = ("evil_module", "keras_hub", "keras_cv", "keras_nlp")
    for name in modules:
        (tmp_path / f"{name}.py").write_text(f"open({str(marker)!r}, 'w').close()\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    yield marker
    assert not marker.exists(), "a payload has run"
    assert not set(modules) & set(sys.modules)
    assert not list(temporary.iterdir())
    written = {path.name for path in tmp_path.iterdir()} - {f"{name}.py" for name in modules}
    assert written <= {
        "temporary",
        "model.keras",
        "model.json",
        "seen_audio.npy",
        "trained_audio.npy",
        "model.skops",
        "elsewhere.h5",
    }
    assert not (tmp_path.parent / "escaped").exists()


def deal(fold):
    return {"number": fold, "training": ["x"], "validation": ["y"], "test": [f"speaker {fold}"]}


class Results:
    """An experiment of which nothing has run, until folds are added."""

    def __init__(self, make_record, root, *, dataset="demo", number=1, n_folds=2):
        self.folder = ExperimentFolder(root / dataset / f"experiment_{number}")
        self.folder.prepare("a test")
        self.parameters = {"task_type": "classification", "monitor": "val_accuracy", "rank_by": "accuracy", "dataset": dataset}
        self.parameters |= {"num_experiment": number, "comment_1": "", "comment_2": "", "architecture": "mlp", "batch_size": 32}
        self.make_record = make_record
        folds = {"hash": "f", "index_hash": "i", "settings": {}, "folds": [deal(fold) for fold in range(1, n_folds + 1)]}
        write_json(self.folder.folds_file, folds)

    def add_instance(self, number, **parameters):
        content = {"instance": number, "description": "a test", "settings_hash": f"s{number}", "sources": {}}
        content |= {"parameters": self.parameters | parameters}
        self.folder.instance_folder(number).mkdir(exist_ok=True)
        write_json(self.folder.instance_folder(number) / "settings.json", content)

    def add_fold(self, number, fold, metrics, predictions=None, /, **changes):
        """Publish a fold as a job does, and return its folder."""
        temporary = self.folder.begin_fold(number, fold)
        hashes = {"instance": number, "settings_hash": f"s{number}", "folds_hash": "f", "code_hash": "c", "store": "x"}
        _write_job(temporary, self.make_record(fold, metrics, **hashes | changes))
        (temporary / "history.csv").write_text("epoch,loss,val_loss\n1,0.5,0.6\n")
        if predictions is not None:
            predictions.to_parquet(temporary / "predictions.parquet", index=False)
        self.folder.publish(temporary, number, fold)
        return self.folder.fold_folder(number, fold)


@pytest.fixture
def count_reads(monkeypatch):
    """Return a function that says how often each JSON file of a name was read so far."""
    paths, read_regular = [], json_files.read_regular

    def read(path, *limits):
        paths.append(path)
        return read_regular(path, *limits)

    monkeypatch.setattr(json_files, "read_regular", read)
    return lambda name: {path: paths.count(path) for path in paths if path.name == name and path.exists()}


@pytest.fixture
def make_results(make_record):
    return partial(Results, make_record)


@pytest.fixture
def results(make_results, tmp_path):
    return make_results(tmp_path)
