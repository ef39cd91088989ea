"""Ensembles of the repeats of one instance, which predicts numbers, or labels frames."""

import json

import numpy as np
import pandas as pd
import pytest
import soundfile

from xval.results.scores import read_scores

RATE_HZ = 8000


def record_of(project, instance, fold=1):
    return json.loads((project.results / f"instance_{instance}" / f"fold_{fold}" / "record.json").read_text())


def scores_of(project, instance, fold=1):
    return read_scores(project.results / f"instance_{instance}" / f"fold_{fold}", {}).side("test")


def predictions_of(project, instance, job="fold_1"):
    return pd.read_parquet(project.results / f"instance_{instance}" / job / "predictions.parquet")


@pytest.mark.usefixtures("in_process", "eagerly")
def test_numbers_are_averaged_and_stacked(project):
    project.write_corpus(task_type="regression")
    network = {"architecture": "mlp", "n_units": (8,)}
    project.write_script(network, task_type="regression", fold_strategy="holdout", num_epochs=1, repeats=2)
    ended = project.run("--quiet")
    assert ended.returncode == 0, ended.stdout + ended.stderr

    for method, number in (("mean", 901), ("stack", 902)):
        ended = project.run_module("xval", "ensemble", project.results, "1", "--method", method)
        assert ended.returncode == 0, ended.stderr
        table = predictions_of(project, number).query("side == 'test'")
        error = float(np.sqrt(((table["predicted_0"] - table["target_0"]) ** 2).mean()))
        assert scores_of(project, number)["rmse"] == pytest.approx(error, rel=1e-5)
    mean = sum(predictions_of(project, 1, job)["predicted_0"] for job in ("fold_1", "fold_1_repeat_2")) / 2
    np.testing.assert_allclose(predictions_of(project, 901)["predicted_0"], mean, atol=1e-6)


@pytest.mark.usefixtures("in_process", "eagerly")
def test_frames_are_averaged_and_their_events_found_anew(project):
    rng = np.random.default_rng(0)
    (project.folder / "audio").mkdir()
    lines = ["path,start_s,end_s,label"]
    for number in range(6):
        samples = 0.02 * rng.normal(size=2 * RATE_HZ - 100 * number)
        samples[4000:8000] += 0.2 * np.sin(np.arange(4000) * 0.5)
        soundfile.write(project.folder / "audio" / f"{number}.wav", samples, RATE_HZ)
        lines.append(f"{number}.wav,0.5,1.0,call")
    (project.folder / "audio" / "annotation.csv").write_text("\n".join(lines))
    words = ("events", "audio/annotation.csv", "--task-type", "frame_classification", "--dataset", "toy", "--workers", "1")
    assert project.run_module("preprocessing", *words, "--set", f"sample_rate_hz={RATE_HZ}").returncode == 0
    network = {"architecture": "crnn", "n_filters": (4, 4), "n_units": 4, "features": "waveform", "frontend": "logmel"}
    network |= project.settings | {"hop_length": 100}
    project.write_script(
        network,
        task_type="frame_classification",
        fold_strategy="holdout",
        num_epochs=1,
        repeats=2,
        segment_s=0.4,
        validation_fraction=0.6,
    )
    ended = project.run("--quiet")
    assert ended.returncode == 0, ended.stdout + ended.stderr

    for method in ("mean", "stack"):
        ended = project.run_module("xval", "ensemble", project.results, "1", "--method", method)
        assert ended.returncode == 0, ended.stderr
    ours, of_jobs = predictions_of(project, 901), [predictions_of(project, 1, job) for job in ("fold_1", "fold_1_repeat_2")]
    mean = sum(each["probability_call"] for each in of_jobs) / 2
    np.testing.assert_allclose(ours["probability_call"], mean, atol=1e-6)
    assert ours["clip"].tolist() == of_jobs[0]["clip"].tolist()
    events = pd.read_csv(project.results / "instance_901" / "fold_1" / "events.csv")
    assert set(events["source"]) >= {"annotated"}
    assert scores_of(project, 901).keys() == scores_of(project, 1).keys()
    file = project.folder / "audio" / record_of(project, 902)["items"]["test"][0]
    ended = project.run_module(
        "xval", "predict", project.results / "instance_902" / "fold_1", file, "--segments", "--format", "json"
    )
    assert ended.returncode == 0, ended.stderr
    heard = [row["probability_call"] for row in json.loads(ended.stdout)]
    stored = predictions_of(project, 902).query("side == 'test'").query("clip == @file.name")["probability_call"]
    np.testing.assert_allclose(heard, stored, atol=1e-4)
