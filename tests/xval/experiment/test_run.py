"""What a run settles before anything is trained: whose results these are, and on which backend they go on."""

import json
from types import SimpleNamespace

import pytest
from rich.console import Console

from preprocessing import store
from xval.base import keras_backends
from xval.base.errors import UsageError
from xval.experiment.run import RunRequest, results_folder, run_experiment
from xval.jobs.folds_file import load_folds, write_folds
from xval.jobs.plan import write_settings
from xval.settings.resolve import Declaration, resolve


@pytest.fixture
def written(tmp_path, monkeypatch, make_record, write_job):
    """An experiment that the script a.py has begun on torch: fold 1 of its instance is done."""
    values = {f"s{number}": [[1.0, number], [4.0, number]] for number in range(6)}
    store.write("toy", values, {item: ["a", "b"] for item in values}, data_folder=tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    installed(monkeypatch, "torch")
    declaration = declared("a.py")
    (instance,) = resolve(declaration)
    folder = results_folder(instance.settings)
    folder.prepare("a test")
    folds = load_folds(folder, instance.settings)
    write_folds(folder, folds, "toy", tmp_path / "data")
    write_settings(folder, instance, "a test", "a.py")
    fold = folder.begin_fold(1, 1)
    hashes = {"settings_hash": instance.settings_hash, "folds_hash": folds.hash, "own_code": dict(instance.own_code)}
    write_job(fold, make_record(1, {"accuracy": 0.5}, instance=1, **hashes))
    folder.publish(fold, 1, 1)
    return folder


def installed(monkeypatch, *names):
    monkeypatch.setattr(keras_backends, "find_spec", lambda name: SimpleNamespace(origin=name) if name in names else None)


def declared(script, **instance):
    shared = {
        "dataset": "toy",
        "num_folds": 3,
        "fold_repeats": 1,
        "architecture": "mlp",
        "experiment_folder": "results",
        "data_folder": "data",
    }
    return Declaration(script, script, "a test", shared, {1: instance})


def script_of(folder):
    return json.loads((folder.instance_folder(1) / "settings.json").read_text())["script"]


def dry_run(declaration, **request):
    return run_experiment(declaration, RunRequest(dry_run=True, **request), Console(quiet=True))


def test_results_are_taken_over_when_everything_is_checked(written):
    with pytest.raises(UsageError, match=r"results of another script, a\.py \(instance 1\)"):
        dry_run(declared("b.py"))
    with pytest.raises(UsageError, match="made with other settings"):
        run_experiment(declared("b.py", learning_rate=0.5), RunRequest(take_over=True), Console(quiet=True))
    dry_run(declared("b.py"), take_over=True)
    assert script_of(written) == "a.py"


def test_a_backend_that_is_installed_later_changes_nothing_of_what_was_begun(written, monkeypatch):
    installed(monkeypatch, "tensorflow", "torch")
    assert dry_run(declared("a.py")) == 0
    with pytest.raises(
        UsageError, match=r"backend was 'torch', now 'tensorflow'; --set backend=torch continues with the former one\."
    ):
        dry_run(declared("a.py"), overrides={"backend": "tensorflow"})
    installed(monkeypatch, "tensorflow")
    with pytest.raises(UsageError, match=r"--set backend=torch continues with the former one, once torch is installed again"):
        dry_run(declared("a.py"))
