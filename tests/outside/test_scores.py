"""One table of scores: what a job writes, and what is shown of several jobs, are plain group-bys of predictions and scores."""

import shutil

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score

import xval
from preprocessing.store import write

LOGISTIC = {"architecture": "logistic", "C": (1.0,)}


def read_tested(study):
    """Return the test predictions of a fold, and the columns of its probabilities."""
    table = study.predictions().query("side == 'test'")
    return table, [name for name in table if name.startswith("probability_")]


def right(table, columns):
    """Return whether the most probable class of each row is its target."""
    chosen = table[columns].to_numpy().argmax(axis=1)
    return np.array([columns[place].removeprefix("probability_") for place in chosen]) == table["target"].to_numpy()


def test_windows_have_scores_of_their_own_beside_those_of_clips(study):
    study.recordings()
    prepared = study.prepare("table", "audio/clips.csv", "--dataset", "tones", example_length_s=0.1, example_overlap=0.5)
    assert prepared.returncode == 0, prepared.stderr

    study.train(LOGISTIC, dataset="tones", example_length_s=0.1, example_overlap=0.5, sample_rate_hz=4000, n_fft=64,
                win_length=64, hop_length=32, n_mels=8, clip_average="probabilities", num_experiment=1)  # fmt: skip

    study.EXPERIMENT = "results/tones/experiment_1"
    table, columns = read_tested(study)
    clips = table.groupby(["item", "clip", "target"])[columns].mean().reset_index()
    assert len(clips) < len(table)
    assert study.scores()["accuracy"] == pytest.approx(right(table, columns).mean())
    assert study.scores(side="clip_test")["accuracy"] == pytest.approx(right(clips, columns).mean())
    for item, rows in clips.groupby("item"):
        assert study.scores(item=item)["accuracy"] == pytest.approx(right(rows, columns).mean())
        assert study.scores(item=item)["n_clips"] == len(rows)


def test_an_item_with_one_decision_is_right_or_wrong(study):
    rng = np.random.default_rng(0)
    predictors = {f"p{n}": rng.normal(0.3 * (n % 2), 1, (4, 6, 4)).astype("float32") for n in range(8)}
    targets = {item: [("healthy", "ill")[int(item[1:]) % 2]] * 4 for item in predictors}
    write("small", predictors, targets, data_folder=study.folder / "data", task_type="classification")

    study.train(LOGISTIC, item_decision="mean")

    table, columns = read_tested(study)
    items = table.groupby(["item", "target"])[columns].mean().reset_index()
    assert study.scores(side="clip_test")["accuracy"] == pytest.approx(right(items, columns).mean())
    for item, rows in items.groupby("item"):
        assert study.scores(item=item)["accuracy"] == right(rows, columns).mean()


def test_scores_at_thresholds_are_those_of_the_decisions(study):
    study.corpus("multilabel_classification")

    study.train({"architecture": "mlp", "n_units": (8,)}, task_type="multilabel_classification")

    table, columns = read_tested(study)
    names = [name.removeprefix("probability_") for name in columns]
    thresholds = [study.record()["thresholds"][name] for name in names]
    true = np.array([[name in labels.split(";") for name in names] for labels in table["target"]])
    decided = table[columns].to_numpy() >= np.array(thresholds, "float32")
    assert study.scores()["tuned_macro_f1"] == pytest.approx(f1_score(true, decided, average="macro"))
    value = xval.load_scores(study.results).set_index(["side", "metric"]).loc[("test", "tuned_macro_f1"), "n_folds"]
    assert value == 2


@pytest.mark.long
def test_seeds_are_averaged_before_folds_and_a_missing_fold_has_no_part(study):
    """Two seeds of two folds, dealt twice; one of the folds is gone."""
    study.train({"architecture": "mlp", "n_units": (4,)}, fold_repeats=2, repeats=2, num_epochs=1)
    for folder in study.results.glob("instance_1/fold_4*"):
        shutil.rmtree(folder)

    with pytest.warns(UserWarning, match="2 folds not in the table"):
        rows = xval.load_results(study.results, items=True)
    with pytest.warns(UserWarning, match="2 folds not in the table"):
        scores = xval.load_scores(study.results).set_index(["side", "metric"])

    folds = rows.query("side == 'test'").groupby(["metric", "fold"])["value"].mean()
    items = rows.query("side == 'item_test'").groupby(["metric", "item", "fold"])["value"].mean()
    of_items = items.groupby(["metric", "item"]).mean()
    for metric in ("accuracy", "balanced_accuracy", "macro_f1"):
        shown = scores.loc[("test", metric)]
        assert shown["n_folds"] == len(folds[metric]) == 3
        assert (shown["mean"], shown["std"]) == pytest.approx((folds[metric].mean(), folds[metric].std()))
        assert shown["items"] == pytest.approx(of_items[metric].mean())
    accuracy = scores.loc[("test", "accuracy")]
    assert accuracy["low"] < accuracy["items"] < accuracy["high"]
    written = [pd.read_parquet(path) for path in study.results.glob("instance_1/fold_*/scores.parquet")]
    assert sum(map(len, written)) == len(rows)


@pytest.mark.long
def test_frames_are_pooled_over_folds_and_events_have_scores(study):
    labels = np.array(["background", "low", "high"])[np.arange(40) // 5 % 3]
    levels = np.array([{"background": 0.0, "low": 0.3, "high": 1.5}[label] for label in labels])
    rng = np.random.default_rng(0)
    tones = {f"s{n}": [np.sin(levels[:, None] * np.arange(80)) + 0.1 * rng.normal(size=(40, 80))] for n in range(6)}
    predictors = {item: [of_item[0].astype("float32")] for item, of_item in tones.items()}
    targets = {item: [labels.tolist()] for item in tones}
    write("small", predictors, targets, data_folder=study.folder / "data", task_type="frame_classification", frame_s=0.02)
    small = {"n_filters": 4, "kernel_length": 15, "n_conv_filters": (4,), "n_units": (8,)}
    settings = {"features": "waveform", "label_frame_s": 0.02, "sample_rate_hz": 4000, "sequence_frames": 10}

    study.train({"architecture": "sincnet", **small}, task_type="frame_classification", num_epochs=1, **settings)

    scores = xval.load_scores(study.results).set_index(["side", "metric"])
    frames = pd.concat([study.predictions(fold=fold).query("side == 'test' and weight > 0") for fold in (1, 2)])
    assert scores.loc[("test", "accuracy"), "pooled"] == pytest.approx((frames["target"] == frames["predicted"]).mean())
    assert set(study.scores()) >= {"segment_f1", "event_f1", "psds1"}
    folds = [study.scores(fold=fold)["segment_f1"] for fold in (1, 2)]
    assert scores.loc[("test", "segment_f1"), "mean"] == pytest.approx(np.mean(folds))
