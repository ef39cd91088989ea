"""The runs that trackers get, read from MLflow's store of files and from an offline run of wandb."""

import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from xval.base.errors import SettingsError
from xval.extras.tracking import trackers
from xval.extras.tracking.observer import Tracking, observe, read_fold
from xval.extras.tracking.trackers import MlflowTracker, TrackedRun, WandbTracker, find_tracker
from xval.jobs.outcome import JobOutcome
from xval.results.folder import ExperimentFolder
from xval.results.job_key import JobKey
from xval.results.read import read_history
from xval.results.scores import read_scores

FAILED = TrackedRun(
    "instance 1, fold 2", "fold", 1, "hash", {"learning_rate": 1e30}, {"seconds": 2.0},
    {"epoch": [1, 2], "loss": [0.5, 0.25]}, error="DivergenceError: loss is NaN",
)  # fmt: skip


@pytest.fixture
def settings(make_settings, tmp_path, monkeypatch):
    """Return a function that makes the settings of the finished experiment with a tracker that writes to a temporary folder."""
    for name in ("MLFLOW_TRACKING_URI", "WANDB_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("WANDB_MODE", "offline")
    for name in ("MLFLOW_ALLOW_FILE_STORE", "MLFLOW_DISABLE_TELEMETRY", "WANDB_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "data") if name == "WANDB_DATA_DIR" else "true")
    return lambda tracking: make_settings(dataset="tones", experiment_folder=str(tmp_path / "results"), tracking=tracking)


@pytest.fixture
def folder(finished):
    return ExperimentFolder(finished.results)


def track(folder, settings, folds):
    """Track some finished folds of the first instance, as a run does."""
    with observe(folder, settings, [1], Console(file=io.StringIO())) as tracking:
        for fold in folds:
            tracking.end(JobOutcome(1, fold, "done"))
        tracking.end(JobOutcome(3, 1, "elsewhere"))


def read_runs(tmp_path):
    """Return a client of MLflow's store, its runs by their names, and the number of runs."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=(tmp_path / "results" / "mlflow").as_uri())
    runs = client.search_runs([client.get_experiment_by_name("tones/experiment_1").experiment_id])
    return client, {run.info.run_name: run for run in runs}, len(runs)


def test_mlflow_gets_parameters_curves_metrics_and_files_of_each_fold_and_the_metrics_of_the_instance(
    folder, settings, tmp_path
):
    track(folder, settings("mlflow"), [1])
    track(folder, settings("mlflow"), [2])

    client, runs, n_runs = read_runs(tmp_path)
    assert n_runs == 4, "the second run completes what the first one began"
    assert set(runs) == {"instance 1, fold 1", "instance 1, fold 2", "instance 1", "results"}
    fold_run, instance_run = runs["instance 1, fold 2"], runs["instance 1"]
    scores, found = read_scores(folder.fold_folder(1, 2), {}), fold_run.data.metrics
    assert (fold_run.info.status, fold_run.data.tags["mlflow.parentRunId"]) == ("FINISHED", instance_run.info.run_id)
    assert fold_run.data.params["n_units"] == "[4]"
    assert fold_run.data.params["fold"] == "2"
    assert found["test_balanced_accuracy"] == scores.side("test")["balanced_accuracy"]
    history = read_history(folder.fold_folder(1, 2) / "history.csv")
    curve = client.get_metric_history(fold_run.info.run_id, "val_loss")
    assert [(each.step, each.value) for each in curve] == list(zip(history["epoch"], history["val_loss"], strict=True))
    names = {each.path for at in (None, "fold_2") for each in client.list_artifacts(fold_run.info.run_id, at)}
    assert {"confusion_matrix.png", "fold_2/model.keras", "fold_2/record.json", "fold_2/history.csv"} <= names
    summary = json.loads((folder.instance_folder(1) / "metrics.json").read_text())["summary"]["test"]["accuracy"]
    assert instance_run.data.metrics["test_accuracy"] == summary["mean"]
    assert "results.xlsx" in {each.path for each in client.list_artifacts(runs["results"].info.run_id)}


def test_a_failed_fold_keeps_its_epochs_so_far_in_mlflow(settings, tmp_path):
    MlflowTracker(settings("mlflow")).log(FAILED)

    client, runs, _ = read_runs(tmp_path)
    run = runs[FAILED.name]
    assert (run.info.status, run.data.tags["xval.error"]) == ("FAILED", FAILED.error)
    assert [each.value for each in client.get_metric_history(run.info.run_id, "loss")] == [0.5, 0.25]


def read_records(path):
    """Yield the messages in the file of an offline run of wandb: a header of 7 bytes, then blocks in LevelDB's log format."""
    from wandb.proto.wandb_internal_pb2 import Record

    content, place, message = path.read_bytes(), 7, b""
    while place + 7 <= len(content):
        if (room := 32768 - place % 32768) < 7:
            place += room
            continue
        length, kind = int.from_bytes(content[place + 4 : place + 6], "little"), content[place + 6]
        message += content[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield Record.FromString(message)
            message = b""


@pytest.mark.slow
def test_wandb_keeps_a_run_offline(folder, settings, tmp_path):
    import wandb

    (entry,) = read_fold(folder, JobKey(1, 1))
    try:
        WandbTracker(settings("wandb")).log(replace(entry, error="the disk is full", history=FAILED.history))
    finally:
        wandb.teardown()

    (path,) = (tmp_path / "results" / "wandb").glob("offline-run-*/*.wandb")
    records = list(read_records(path))
    (run,) = (each.run for each in records if each.HasField("run"))
    assert (run.display_name, run.run_group, run.job_type) == ("instance 1, fold 1", "instance 1", "fold")
    assert {item.key: item.value_json for item in run.config.update}["n_units"] == "[4]"
    rows = [{"".join(item.nested_key): item.value_json for item in each.history.item} for each in records if each.history.item]
    assert [row["loss"] for row in rows] == ["0.5", "0.25"]
    metrics = {"".join(item.nested_key) or item.key: item.value_json for each in records for item in each.summary.update}
    assert float(metrics["test_accuracy"]) == read_scores(folder.fold_folder(1, 1), {}).side("test")["accuracy"]
    assert list(path.parent.rglob("confusion_matrix*.png"))
    (files,) = (each.artifact.manifest.contents for each in records if each.HasField("artifact"))
    assert {"model.keras", "record.json", "history.csv"} <= {each.path for each in files}
    assert [each.exit.exit_code for each in records if each.HasField("exit")] == [1]


def test_an_interrupted_run_does_not_wait_for_the_tracker(folder, settings, tmp_path, monkeypatch):
    begun = []
    monkeypatch.setattr(Tracking, "stop", lambda self: begun.append(self))
    with pytest.raises(KeyboardInterrupt), observe(folder, settings("mlflow"), [1], Console(file=io.StringIO())):
        raise KeyboardInterrupt
    assert len(begun) == 1
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("tracking", "spec", "match"),
    [
        ("mlflow", None, "mlflow is not installed: pip install -e '.\\[tracking\\]'"),
        ("wandb", "found", "there is no API key. Run `wandb login`"),
    ],
)
def test_a_tracker_without_library_or_key_is_reported_before_anything_is_trained(settings, monkeypatch, tracking, spec, match):
    monkeypatch.delenv("WANDB_MODE")
    monkeypatch.setattr(trackers, "find_spec", lambda name: spec)

    with pytest.raises(SettingsError, match=match):
        find_tracker(settings(tracking))
