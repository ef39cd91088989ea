"""Training and testing a model that labels frames: what a user asks for besides is followed, computed or refused."""

import keras
import numpy as np
import pandas as pd
import pytest

from preprocessing.store import open_store
from preprocessing.store.writer import Example, StoreWriter
from xval.data.fold import load_fold
from xval.engine.worker.check_metrics import check_metrics
from xval.engine.worker.check_parts import check_parts
from xval.folds.plan import Fold
from xval.models.predict import predict
from xval.training.compiled import compile_model
from xval.training.evaluation.fold import evaluate_model
from xval.training.fit import train_model

RATE_HZ, FRAME_SAMPLES, N_FRAMES = 1000, 10, 23
BASE = {
    "task_type": "frame_classification", "architecture": "sincnet", "dataset": "toy", "num_experiment": 1,
    "features": "waveform", "frontend": "none", "sample_rate_hz": RATE_HZ, "label_frame_s": FRAME_SAMPLES / RATE_HZ,
    "sequence_frames": 4, "num_epochs": 2, "threads_per_job": 1,
}  # fmt: skip


def load(folder, chosen, events):
    """Return the fold of four recordings, each with the same events (frames); a rest of half a frame follows the frames."""
    frame_s = FRAME_SAMPLES / RATE_HZ
    rows = [(f"{item}0", first * frame_s, stop * frame_s, label, "") for item in "abcd" for first, stop, label in events]
    annotations = pd.DataFrame(rows, columns=["clip", "start_s", "end_s", "label", "annotator"])
    n_samples = N_FRAMES * FRAME_SAMPLES + FRAME_SAMPLES // 2
    with StoreWriter(
        folder, task_type="frame_classification", class_names=("call", "song"), is_waveform=True, annotations=annotations
    ) as writer:
        for item in "abcd":
            samples = np.random.default_rng(ord(item)).normal(size=(1, n_samples)).astype(np.float32)
            writer.append(item, samples, [0], [Example(f"{item}0", 0.0, n_samples / RATE_HZ)])
        writer.publish(index_hash="x")
    return load_fold(
        open_store(folder),
        Fold(1, ("a", "b"), ("c",), ("d",)),
        chosen.feature_settings(),
        in_memory=True,
        frames=chosen.frame_settings(),
    )


def model_of(n_classes, activation):
    inputs = keras.Input((4, FRAME_SAMPLES))
    return keras.Model(inputs, keras.layers.Dense(n_classes, activation=activation)(inputs))


def test_metrics_of_ones_own_stand_beside_those_of_frames_with_their_directions(tmp_path, own_package, make_settings):
    chosen = make_settings(**BASE, metrics="own_package.parts.worst")
    data = load(tmp_path / "store", chosen, [(3, 7, "call"), (10, 12, "song")])
    model = model_of(3, "softmax")
    model.compile()

    found = evaluate_model(model, data, chosen)

    test, predictions = data.sides["test"], predict(model, data.sides["test"], 6)
    counted = test.weights > 0
    worst = 1 - np.take_along_axis(predictions[counted], test.targets[counted][:, np.newaxis], axis=1).min()
    assert found.scores.side("test")["worst"] == pytest.approx(worst, abs=1e-6)
    assert found.scores.items["d"]["worst"] == pytest.approx(worst, abs=1e-6)
    assert "worst" in found.scores.side("clip_validation")
    assert "worst" in found.scores.side("chance")
    assert found.facts["further_metrics"]["worst"] is False
    assert found.facts["further_metrics"]["event_f1"] is True
    sides = (found.scores.side("test"), found.scores.items["d"], found.scores.side("chance"))
    assert all(0 <= of["psds1"] <= of["psds2"] <= 1 for of in sides)


def test_what_is_annotated_behind_the_last_frame_is_not_missed(tmp_path, make_settings):
    chosen = make_settings(**BASE, label_form="multi_label")
    data = load(tmp_path / "store", chosen, [(20, 23.4, "call"), (23.1, 23.5, "song")])
    model = model_of(2, "sigmoid")
    model.compile()
    kernel = np.zeros((FRAME_SAMPLES, 2), np.float32)
    model.layers[-1].set_weights([kernel, np.float32([-9, -9])])

    evaluation = evaluate_model(model, data, chosen)

    events = evaluation.tables["events.csv"]
    annotated = events[(events["source"] == "annotated") & (events["side"] == "test")]
    assert annotated[["start_s", "end_s", "label"]].to_numpy().tolist() == [[0.2, 0.23, "call"]]
    assert len(events[events["source"] == "found"]) == 0
    assert evaluation.scores.side("test")["event_recall"] == 0
    assert np.isnan(evaluation.scores.side("test")["event_precision"])


@pytest.mark.parametrize(
    ("form", "loss"),
    [("multi_class", "keras.losses.sparse_categorical_crossentropy"), ("multi_label", "keras.losses.binary_crossentropy")],
)
def test_a_loss_by_dotted_path_trains_as_the_same_loss_by_name_and_is_that_of_the_frames_that_count(
    tmp_path, form, loss, make_settings
):
    histories = []
    for name in ("auto", loss):
        chosen = make_settings(**BASE, label_form=form, loss=name)
        data = load(tmp_path / name, chosen, [(3, 7, "call"), (5, 12, "song")])
        keras.utils.set_random_seed(1)
        model = model_of(len(data.class_names), "softmax" if form == "multi_class" else "sigmoid")
        check_parts(chosen, len(data.class_names))
        history = train_model(compile_model(model, chosen, seed=1), data, chosen, seed=1)
        histories.append(history.epochs)
    assert histories[0] == histories[1]

    found = evaluate_model(model, data, chosen).scores.side("validation")

    best = history.epochs[history.best_epoch - 1]
    assert best["val_loss"] == pytest.approx(found["loss"], rel=1e-5)  # although the last sequence is one frame short
    assert best["val_accuracy"] == pytest.approx(found["accuracy"], rel=1e-5)


def test_metrics_of_labels_are_tried_with_labels(tmp_path, monkeypatch, make_settings):
    source = """
from xval.measures.metrics import metric

@metric(higher_is_better=True)
def share(targets, predictions):
    assert set(targets.ravel()) == {0, 1} and (targets.min(axis=0) < targets.max(axis=0)).all()
    return float(targets.mean())
"""
    (tmp_path / "metrics_of_labels.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)

    for n_labels in (1, 2, 5):
        check_metrics(make_settings(**BASE, label_form="multi_label", metrics="metrics_of_labels.share"), n_labels)
