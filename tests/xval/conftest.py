"""Fold records and metric dicts as a run leaves them, for the tests of what is derived from them."""

import sys
import tempfile
import zipfile

import pytest

from xval.summary import make_metric_dict

PARAMETERS = {
    "task_type": "classification",
    "monitor": "val_accuracy",
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


def _record(fold, metrics, **changes):
    """Return a done record; `metrics` are those of the test side, validation lies 0.1 above and training 0.2."""
    raised = {
        side: {name: None if value is None else value + shift for name, value in metrics.items()}
        for side, shift in (("training", 0.2), ("validation", 0.1), ("test", 0.0))
    }
    item = f"speaker {fold}"
    return {
        "format_version": 1,
        "status": "done",
        "fold": fold,
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
def make_instance():
    """Return a function that makes a metric dict from test metrics (dicts, or accuracies) or whole records, one per fold."""

    def make(number, folds, *, folds_total=None, sources=None, **parameters):
        records = []
        for fold, given in enumerate(folds, start=1):
            if isinstance(given, dict) and "status" in given:
                records.append(given)
            else:
                records.append(_record(fold, given if isinstance(given, dict) else {"accuracy": given}))
        settings = {
            "instance": number,
            "description": "a test",
            "parameters": PARAMETERS | parameters,
            "sources": dict.fromkeys(PARAMETERS | parameters, "config.ini") | (sources or {}),
        }
        return make_metric_dict(settings, records, folds_total=folds_total or len(records))

    return make


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
    assert written <= {"temporary", "model.keras", "model.json", "seen_audio.npy", "model.skops", "elsewhere.h5"}
    assert not (tmp_path.parent / "escaped").exists()
