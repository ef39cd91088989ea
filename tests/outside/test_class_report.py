"""Precision, recall, F1 score and support of each class, as scikit-learn reports them, and the confusion matrix in a file."""

import re

import numpy as np
import pandas as pd
import pytest
import soundfile
from sklearn.metrics import classification_report

pytestmark = pytest.mark.long

SVM = {"architecture": "svm", "C": (1.0,)}
NETWORK = {"architecture": "mlp", "n_units": (4,)}


def answers(study):
    """Return the test predictions of both folds of the first instance, one table."""
    return pd.concat([table[table["side"] == "test"] for table in (study.predictions(fold=fold) for fold in (1, 2))])


def rows_of(printed):
    """Return the rows of the printed report: the numbers behind each name."""
    lines = printed[printed.index("Classes of ") :].splitlines()
    begin = next(number for number, line in enumerate(lines) if line.split()[:1] == ["class"])
    assert lines[begin].split() == ["class", "precision", "recall", "F1", "support"]
    cells = [line.rsplit(maxsplit=4) for line in lines[begin + 2 :] if line.strip()]
    return {words[0].strip(): words[1:] for words in cells if len(words) == 5}, lines


def expected(report, name):
    scores = report[name]
    return [*(f"{scores[part]:.3f}" for part in ("precision", "recall", "f1-score")), f"{scores['support']:g}"]


def test_details_print_the_report_of_scikit_learn(study):
    study.script(SVM | {"C": (0.001,)}, item_name="speaker")
    printed = study.run("--details").stdout
    rows, lines = rows_of(printed)
    table = answers(study)
    report = classification_report(table["target"], table["predicted"], output_dict=True, zero_division=0)

    for name in ("a", "b", "c", "macro avg", "weighted avg"):
        assert rows[name] == expected(report, name), name
    assert lines[0] == "Classes of svm (instance 1): test clips of all folds"
    (accuracy,) = [line.split() for line in lines if line.split()[:1] == ["accuracy"]]
    assert accuracy == ["accuracy", f"{report['accuracy']:.3f}", "72"]
    again = study.xval("report", study.EXPERIMENT, "--details", "--no-audio", "--no-audit").stdout
    assert rows_of(again)[0] == rows


def test_labels_of_which_a_clip_has_several_have_a_micro_average(study):
    study.corpus("multilabel_classification")
    study.train(NETWORK, task_type="multilabel_classification")
    rows, _ = rows_of(study.xval("report", study.EXPERIMENT, "--details", "--no-audio", "--no-audit").stdout)
    table, names = answers(study), ["a", "b", "c"]
    thresholds = {fold: study.record(fold=fold)["thresholds"] for fold in (1, 2)}
    parts = [study.predictions(fold=fold).query("side == 'test'") for fold in (1, 2)]
    answered = np.concatenate(
        [
            np.stack([part[f"probability_{name}"] >= thresholds[fold][name] for name in names], axis=1)
            for fold, part in enumerate(parts, start=1)
        ]
    )
    true = np.stack([table[f"target_{name}"] > 0.5 for name in names], axis=1)
    report = classification_report(true, answered, target_names=names, output_dict=True, zero_division=0)

    for name in (*names, "micro avg", "macro avg", "weighted avg"):
        assert rows[name] == expected(report, name), name


@pytest.mark.parametrize("task", ["regression", "representation"])
def test_what_predicts_no_classes_has_no_report(study, task):
    study.corpus(task)
    network = NETWORK if task == "regression" else {"architecture": "daf_autoencoder"}
    study.train(network, task_type=task)

    ended = study.xval("report", study.EXPERIMENT, "--details", "--no-audio", "--no-audit")

    assert ended.returncode == 0, ended.stderr
    assert "Classes of" not in ended.stdout
    assert "predicts no classes" in study.mistake("-m", "xval", "report", study.EXPERIMENT, "--confusion", "matrix.png")


@pytest.mark.parametrize("name", ["matrix.png", "matrix.svg", "matrix.pdf"])
def test_the_confusion_matrix_is_written_as_a_picture(finished, tmp_path, name):
    beginnings = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}
    page = (finished.results / "report.html").read_bytes()

    ended = finished.xval("report", finished.EXPERIMENT, "2", "--confusion", tmp_path / name)

    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / name).read_bytes().startswith(beginnings[name[-3:]])
    assert ended.stdout == f"{tmp_path / name}: scaled per clip (instance 2)\n"
    assert (finished.results / "report.html").read_bytes() == page


def test_the_confusion_matrix_is_of_one_instance(finished, tmp_path):
    picture = tmp_path / "matrix.svg"
    said = finished.mistake("-m", "xval", "report", finished.EXPERIMENT, "1-2", "--confusion", picture)
    chosen = finished.xval("report", finished.EXPERIMENT, "--confusion", picture).stdout

    assert "--confusion: received 2 instances; expected one" in said
    assert re.fullmatch(rf"{re.escape(str(picture))}: .+ \(instance [123]\)\n", chosen)


def test_a_picture_that_cannot_be_written_is_refused_before_anything_is_read(finished):
    said = finished.mistake("-m", "xval", "report", finished.EXPERIMENT, "--confusion", "matrix.jpg")

    assert "--confusion matrix.jpg: received the ending '.jpg'; expected .png, .svg or .pdf." in said


@pytest.mark.parametrize("form", ["multi_class", "multi_label"])
def test_frames_with_one_class_each_are_counted_like_clips(empty, form):
    rng = np.random.default_rng(0)
    rows = []
    for number in range(6):
        soundfile.write(empty.folder / f"n{number}.wav", 0.1 * rng.normal(size=8000), 4000)
        rows += [
            {"path": f"n{number}.wav", "item": f"s{number}", "start_s": begin, "end_s": begin + 0.5, "label": label}
            for begin, label in ((0.5, "call"), (1.2, "song"))
        ]
    pd.DataFrame(rows).to_csv(empty.folder / "e.csv", index=False)
    task = {"dataset": "frames", "task_type": "frame_classification"}
    prepared = empty.prepare("events", "e.csv", "--dataset", "frames", "--task-type", task["task_type"])
    assert prepared.returncode == 0, prepared.stderr
    network = {"architecture": "sincnet", "n_filters": 4, "kernel_length": 7, "n_conv_filters": (4,), "n_units": (8,)}
    empty.script(network, **task, label_form=form, num_epochs=1, sequence_frames=4, sample_rate_hz=4000, features="waveform")

    printed = empty.run("--details").stdout

    if form == "multi_label":
        assert "labels of frames have none in a run; xval evaluate prints those of their events." in printed
        refused = empty.mistake("-m", "xval", "report", "results/frames/experiment_1", "--confusion", "matrix.png")
        assert "instance 1 has no confusion matrix: an example may have several labels." in refused
        return
    rows, lines = rows_of(printed)
    assert lines[0] == "Classes of sincnet (instance 1): test frames of all folds"
    assert {"call", "song", "macro avg", "weighted avg"} <= rows.keys()


def test_the_confusion_matrix_has_a_title_that_says_what_it_counts(study):
    study.train({"architecture": "knn", "n_neighbors": (1,)}, page="none")
    study.xval("report", study.EXPERIMENT, "--confusion", "once.svg")
    study.run("--fold-repeats", "2")
    study.xval("report", study.EXPERIMENT, "--confusion", "twice.svg")
    once, twice = (title_of(study.folder / name) for name in ("once.svg", "twice.svg"))
    assert "Test examples of knn (instance 1)" in once or "Test clips of knn (instance 1)" in once
    assert re.search(r"\b72 (clips|examples)\b", once)
    assert re.search(r"\b144 predictions: each of the (clips|examples) counts in all 2 repeats\b", twice)


def title_of(path):
    """Return the texts of a picture, which matplotlib writes as comments beside their outlines, or as text."""
    found = re.findall(r"<!-- (.*?) -->|<text[^>]*>(.*?)</text>", path.read_text())
    return " ".join(comment or text for comment, text in found)
