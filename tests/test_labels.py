"""Clips with several labels, from a table to a workbook, predictions, an evaluation, an ensemble and a final model."""

import json

import numpy as np
import openpyxl
import pandas as pd
import pytest
import soundfile

from preprocessing import store
from xval import load_model
from xval.results.scores import read_scores

TASK = "multilabel_classification"
RATE_HZ = 4000
TONES_HZ = {"bell": 1500, "drum": 200, "flute": 600}


def write_audio(folder):
    """Write clips in each of which some tones sound, or none, and their table."""
    rng = np.random.default_rng(0)
    folder.mkdir()
    lines = ["path,item,label"]
    for number in range(48):
        labels = [name for name, draw in zip(TONES_HZ, rng.random(3), strict=True) if draw < 0.45]
        time_s = np.arange(RATE_HZ // 4) / RATE_HZ
        samples = 0.01 * rng.normal(size=time_s.size)
        for name in labels:  # no two clips have the same tones, or they would be near-duplicates
            hz = TONES_HZ[name] * rng.uniform(0.95, 1.05)
            samples += 0.2 * np.sin(2 * np.pi * hz * time_s + rng.uniform(0, 6))
        soundfile.write(folder / f"{number}.wav", samples, RATE_HZ)
        lines.append(f"{number}.wav,s{number % 6},{';'.join(labels)}")
    (folder / "tones.csv").write_text("\n".join(lines))


def test_labels_of_a_table_are_learnt_predicted_and_evaluated(in_process, project):
    write_audio(project.folder / "audio")
    features = {"sample_rate_hz": RATE_HZ, "n_fft": 256, "win_length": 256, "hop_length": 128, "n_mels": 16, "fmax_hz": None}
    given = [f"--set={name}={'none' if value is None else value}" for name, value in features.items()]
    made = project.run_module("preprocessing", "table", "audio/tones.csv", "--task-type", TASK, "--workers", "1", *given)
    assert "clips have no label" in made.stdout, made.stderr
    network = {"architecture": "mlp", "n_units": (16,)}
    project.write_script(
        network, network | {"label_smoothing": 0.1, "augment_mixup": 0.3}, dataset="tones", task_type=TASK, num_epochs=12,
        learning_rate=0.02, num_folds=2, batch_size=8, page="without_audio", **features,
    )  # fmt: skip
    ended = project.run()
    assert ended.returncode == 0, ended.stdout + ended.stderr
    experiment = project.folder / "results" / "tones" / "experiment_1"
    fold = experiment / "instance_1" / "fold_1"

    record = json.loads((fold / "record.json").read_text())
    assert read_scores(fold, record).side("clip_test")["mean_average_precision"] > 0.9
    described = json.loads((fold / "model.json").read_text())
    assert described["thresholds"] == record["thresholds"]
    sheet = openpyxl.load_workbook(experiment / "results.xlsx")["labels"]
    rows = list(sheet.iter_rows(min_row=2, max_row=4, values_only=True))
    assert [row[:2] for row in rows] == [(1, "bell"), (1, "drum"), (1, "flute")]
    recalls = [row[7:10] for row in rows]  # each with its interval
    assert all(low is None or low <= recall <= high for recall, low, high in recalls)
    assert all(sum(row[11:15]) == 48 for row in rows)
    assert "Thresholds of labels maximise F1 on the validation clips of each fold." in (experiment / "report.html").read_text(
        encoding="utf-8"
    )

    model = load_model(experiment / "instance_1")
    table = pd.read_csv(project.folder / "audio" / "tones.csv", keep_default_na=False)
    found = model.predict([project.folder / "audio" / path for path in table["path"]])
    on = found[[f"probability_{name}" for name in model.class_names]].to_numpy() >= model.thresholds
    assert found["predicted"].tolist() == [
        ";".join(name for name, is_on in zip(model.class_names, row, strict=True) if is_on) for row in on
    ]
    assert np.mean(found["predicted"] == table["label"]) > 0.7
    printed = project.run_module("xval", "predict", str(fold), "audio/0.wav")
    assert printed.stdout.split()[:4] == ["path", "start_s", "end_s", "labels"]
    evaluated = project.run_module("xval", "evaluate", str(fold), "audio/tones.csv", "--output", "evaluated")
    assert evaluated.returncode == 0, evaluated.stderr
    scores = json.loads((project.folder / "evaluated" / "metrics.json").read_text())
    assert scores["metrics"]["tuned_macro_f1"] > 0.8
    assert scores["class_metrics"]["bell"]["threshold"] == pytest.approx(record["thresholds"]["bell"])

    combined = project.run_module("xval", "ensemble", str(experiment), "1,2")
    assert combined.returncode == 0, combined.stderr
    of_ensemble = json.loads((experiment / "instance_901" / "fold_2" / "model.json").read_text())
    assert set(of_ensemble["thresholds"]) == set(TONES_HZ)
    assert "21 rules: 21 ok" in project.run_module("xval", "audit", str(experiment)).stdout
    described["thresholds"]["bell"] /= 2
    (fold / "model.json").write_text(json.dumps(described))
    checked = project.run_module("xval", "audit", str(experiment)).stdout
    assert "21 rules: 20 ok, 1 FAILED" in checked
    assert "instance 1, fold 1: model.json has the threshold" in checked
    refitted = project.run_module("xval", "refit", f"{experiment}:1")
    assert refitted.returncode == 0, refitted.stderr
    final = json.loads((experiment / "instance_1" / "refit" / "model.json").read_text())
    chosen = [json.loads((experiment / "instance_1" / f"fold_{n}" / "record.json").read_text())["thresholds"] for n in (1, 2)]
    assert final["thresholds"] == {name: pytest.approx(np.median([each[name] for each in chosen])) for name in TONES_HZ}


def test_random_labels_are_at_chance(in_process, project):
    rng = np.random.default_rng(1)
    shares = np.array([0.2, 0.4, 0.6])
    predictors = {f"s{number}": rng.normal(size=(40, 4, 3)) for number in range(8)}
    targets = {item: (rng.random((40, 3)) < shares).astype(int) for item in predictors}
    store.write("noise", predictors, targets, task_type=TASK, class_names=("a", "b", "c"))
    project.write_script({"architecture": "mlp", "n_units": (8,)}, dataset="noise", task_type=TASK, num_folds=2, num_epochs=4)

    ended = project.run("--details")

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "Not above chance: the interval includes" in ended.stdout
    assert "Not above chance: mlp (1)" in ended.stdout
    written = json.loads((project.folder / "results" / "noise" / "experiment_1" / "instance_1" / "metrics.json").read_text())
    scores = written["over_items"]["figures"]["test"]
    occurring = np.concatenate(list(targets.values())).mean(axis=0)
    assert occurring.mean() < scores["mean_average_precision"]["chance"] < occurring.mean() + 0.02
    assert scores["mean_average_precision"]["pooled"] == pytest.approx(occurring.mean(), abs=0.08)
    assert scores["tuned_macro_f1"]["chance"] == pytest.approx(np.mean(2 * occurring / (1 + occurring)))
    assert scores["tuned_macro_f1"]["pooled"] == pytest.approx(scores["tuned_macro_f1"]["chance"], abs=0.05)
