"""Metrics that are added after the training: figures by hand, what is refused, and what later rebuilds do."""

import sys

import numpy as np
import openpyxl
import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score

from xval import load_results
from xval.answers.comparison.choose import compare_instances
from xval.answers.read import read_instances
from xval.answers.summary import chance_level, direction
from xval.base.errors import ResultsError, SettingsError
from xval.measures import metrics
from xval.report.rebuild import rebuild
from xval.results import added_metrics
from xval.results.added_metrics import request_metrics
from xval.results.job_key import JobKey

KNOWN = ("accuracy", "macro_f1")
OWN = '''
from xval.measures.metrics import metric


@metric(higher_is_better=False, bounds=(0, 1), is_mean=True)
def mistakes(targets, predictions):
    """Return the share of wrong answers."""
    return (predictions.argmax(axis=1) != targets).mean()


def _guess(targets, weights):
    return weights[targets == 0].sum(), "always no"


@metric(higher_is_better=True, chance=_guess)
def share(targets, predictions):
    return (predictions.argmax(axis=1) == targets).mean()


@metric(higher_is_better=True)
def picky(targets, predictions):
    if len(set(targets)) < 2:
        raise ValueError("one class only")
    return 1.0


@metric(higher_is_better=True)
def upside_down(targets, predictions):
    return (predictions.argmax(axis=1) != targets).mean()


def silent(targets, predictions):
    return 1.0
'''


def table(item, targets, probabilities, validation=((0, 0.4), (1, 0.6))):
    """Return predictions.parquet of a fold that tests one item, a clip each example; probabilities of the class 'yes'."""
    rows = [(item, "test", *row) for row in zip(targets, probabilities, strict=True)]
    rows += [("y", "validation", *row) for row in validation]
    found = pd.DataFrame(rows, columns=["item", "side", "target", "probability_yes"])
    found["clip"] = [f"{item} {number}" for number in range(len(found))]
    found["probability_yes"] = found["probability_yes"].astype(np.float32)
    return found.assign(target=found["target"].map({0: "no", 1: "yes"}), probability_no=1 - found["probability_yes"])


def compute(predictions, side="test"):
    """Return all metrics of a side, as an evaluation does."""
    own = predictions[predictions["side"] == side]
    answers = own[["probability_no", "probability_yes"]].to_numpy(np.float32)
    return metrics.compute("classification", (own["target"] == "yes").to_numpy(np.int64), answers)


def add(results, instance, fold, predictions, names=KNOWN):
    """Publish a fold whose record has some metrics only."""
    item, n_clips = f"speaker {fold}", int((predictions["side"] == "test").sum())
    of = {side: {name: compute(predictions, side)[name] for name in names} for side in ("validation", "test")}
    results.add_fold(
        instance, fold, of["test"], predictions, metrics={"training": {"loss": 0.1}} | of, clip_metrics=of,
        item_metrics={"test": {item: {"n_clips": n_clips} | of["test"]}},
        n_examples={"training": 9, "validation": 2, "test": n_clips},
    )  # fmt: skip


# Recalls of no and yes: 2/3 and 1 in fold 1, 1 and 1/4 in fold 2, 1/2 and 1/2 in fold 3.
TABLES = [
    table("speaker 1", [0, 0, 0, 1], [0.1, 0.2, 0.7, 0.9]),
    table("speaker 2", [0, 1, 1, 1, 1], [0.1, 0.2, 0.3, 0.4, 0.9]),
    table("speaker 3", [0, 0, 1, 1], [0.4, 0.8, 0.8, 0.4], validation=((0, 0.9), (1, 0.6))),
]


@pytest.fixture
def experiment(make_results, tmp_path):
    """Three folds of two instances, whose records lack all metrics but two."""
    results = make_results(tmp_path, n_folds=3)
    for instance in (1, 2):
        results.add_instance(instance, clip_average="probabilities", batch_size=16 * instance)
        for fold, predictions in enumerate(TABLES, start=1):
            add(results, instance, fold, predictions)
    return results


@pytest.fixture
def write_own(tmp_path, monkeypatch):
    """Return a function that writes a module of the user's where Python looks; what an earlier one left is forgotten."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def write(text):
        if text:
            (tmp_path / "own_metrics.py").write_text(text)
        else:
            (tmp_path / "own_metrics.py").unlink()
        sys.modules.pop("own_metrics", None)
        added_metrics.load_metric.cache_clear()

    write(OWN)
    yield write
    sys.modules.pop("own_metrics", None)
    added_metrics.load_metric.cache_clear()


def scores_of(results, metric, instance=1):
    """Return mean over folds, pooled figure and chance."""
    (instance,) = read_instances(results.folder, [instance])
    found = instance.item_score("test", metric)
    return instance.over_folds("test", metric)["mean"], found["pooled"], found["chance"]


def records(folder):
    return {path: path.read_bytes() for path in folder.path.glob("instance_*/fold_*/*") if path.name != "scores.parquet"}


def test_uar_of_finished_folds_is_what_the_stored_predictions_give_by_hand(experiment):
    assert rebuild(experiment.folder) == []
    before = records(experiment.folder)

    assert request_metrics(experiment.folder, ["uar"]) == {"uar (balanced_accuracy)": "balanced_accuracy"}
    assert rebuild(experiment.folder) == []

    assert records(experiment.folder) == before
    pooled = (4 / 6 + 3 / 7) / 2
    assert scores_of(experiment, "balanced_accuracy") == pytest.approx(((5 / 6 + 5 / 8 + 1 / 2) / 3, pooled, 0.5))
    rows = load_results(experiment.folder.path, items=True).query("instance == 1 and metric == 'balanced_accuracy'")
    by_side = {side: of["value"].tolist() for side, of in rows.groupby("side")}
    assert by_side["test"] == by_side["clip_test"] == by_side["item_test"] == pytest.approx([5 / 6, 5 / 8, 1 / 2])
    assert by_side["validation"] == by_side["clip_validation"] == [1, 1, 0.5]
    instances = read_instances(experiment.folder, [1, 2])
    assert chance_level(instances, "balanced_accuracy").lowest == 0.5
    summary = openpyxl.load_workbook(experiment.folder.workbook)["intervals"]
    assert pooled in [cell.value for column in summary.iter_cols() for cell in column]
    compared = compare_instances(experiment.folder.path, metric="uar", baseline=1)
    assert (compared.metric, compared.pairs[0].baseline_mean) == ("balanced_accuracy", pytest.approx(np.mean(by_side["test"])))


def test_a_metric_of_scikit_learn_is_added_and_compared_by_its_name(experiment):
    name = "sklearn:cohen_kappa_score"

    assert request_metrics(experiment.folder, [name]) == {f"{name} (cohen_kappa_score)": "cohen_kappa_score"}
    assert rebuild(experiment.folder) == []

    tests = [of[of["side"] == "test"] for of in TABLES]
    wanted = [cohen_kappa_score(of["target"] == "yes", of["probability_yes"] > 0.5) for of in tests]
    assert scores_of(experiment, "cohen_kappa_score")[0] == pytest.approx(np.mean(wanted))
    assert compare_instances(experiment.folder.path, metric=name, baseline=1).metric == "cohen_kappa_score"
    assert request_metrics(experiment.folder, ["cohen_kappa_score", "ACC"]) == {
        "cohen_kappa_score": "cohen_kappa_score", "ACC (accuracy)": "accuracy",
    }  # fmt: skip


@pytest.mark.parametrize("name", [name for name in metrics.metric_names("classification") if name != "top_5_accuracy"])
def test_scores_are_those_that_the_record_would_have(make_results, tmp_path, name):
    """Two experiments, one with the metric in its records and one to which it is added, have the same figures bit for bit."""
    trained, added = (make_results(tmp_path / place, n_folds=3) for place in ("trained", "added"))
    for results, names in ((trained, {name, "recall"}), (added, {"recall", "accuracy"} - {name} or {"recall"})):
        results.add_instance(1, clip_average="probabilities")
        for fold, predictions in enumerate(TABLES, start=1):
            add(results, 1, fold, predictions, sorted(names))
    request_metrics(added.folder, [name])
    assert [rebuild(each.folder) for each in (trained, added)] == [[], []]
    first, second = (read_instances(each.folder, [1])[0] for each in (trained, added))
    for side in ("test", "validation", "clip_test", "clip_validation"):
        assert second.over_folds(side, name) == first.over_folds(side, name)
    assert second.item_score("test", name) == first.item_score("test", name)


def test_clips_have_the_figures_of_their_combined_windows(make_results, tmp_path):
    """Each clip is two windows; of the second clip one is right, and surer than the other is wrong."""
    results = make_results(tmp_path, n_folds=1)
    results.add_instance(1, clip_average="probabilities")
    windows = table("speaker 1", [0, 0, 1, 1], [0.1, 0.2, 0.4, 0.9]).assign(clip=["a", "a", "b", "b", "c", "d"])
    counts = {"training": 9, "validation": 2, "test": 4}
    of_items = {"test": {"speaker 1": {"n_clips": 2, "accuracy": 1.0}}}
    results.add_fold(1, 1, {"accuracy": 0.75}, windows, item_metrics=of_items, n_examples=counts)

    request_metrics(results.folder, ["uar"])
    assert rebuild(results.folder) == []

    (instance,) = read_instances(results.folder, [1])
    found = {side: instance.over_folds(side, "balanced_accuracy")["mean"] for side in ("test", "clip_test")}
    assert found == {"test": 0.75, "clip_test": 1.0}
    assert instance.scores[JobKey(1, 1)].items["speaker 1"]["balanced_accuracy"] == 1.0
    pooled = {side: instance.item_score(side, "balanced_accuracy")["pooled"] for side in found}
    assert pooled == found


def test_frames_that_do_not_count_are_left_out(make_results, tmp_path):
    results = make_results(tmp_path, n_folds=1)
    results.add_instance(1, task_type="frame_classification", label_form="multi_class")
    frames = table("speaker 1", [0, 0, 1, 1], [0.1, 0.9, 0.2, 0.9]).assign(weight=[1.0, 0.0, 1.0, 1.0, 1.0, 1.0])
    results.add_fold(1, 1, {"accuracy": 0.5}, frames)

    request_metrics(results.folder, ["uar"])
    rebuild(results.folder)  # without events.csv there are no pooled figures

    (instance,) = read_instances(results.folder, [1])
    assert instance.over_folds("test", "balanced_accuracy")["mean"] == 0.75
    with pytest.raises(SettingsError, match="finished experiment"):
        request_metrics(results.folder, ["event_macro_precision"])


def test_what_all_records_have_is_not_computed_again(experiment):
    assert request_metrics(experiment.folder, ["accuracy", "war"]) == {"accuracy": "accuracy", "war (accuracy)": "accuracy"}
    assert not experiment.folder.added_metrics.exists()


def test_a_metric_of_the_users_own_has_direction_interval_and_chance(experiment, write_own):
    request_metrics(experiment.folder, ["own_metrics.mistakes"])
    assert rebuild(experiment.folder) == []
    assert request_metrics(experiment.folder, ["mistakes"]) == {"mistakes": "mistakes"}
    # Of the mean over items: 'no' has a share of 0.48, so that the shares of the classes answer 'yes'.
    of_no = (3 / 4 + 1 / 5 + 2 / 4) / 3
    assert scores_of(experiment, "mistakes") == pytest.approx(((1 / 4 + 3 / 5 + 2 / 4) / 3, 6 / 13, of_no))
    instances = read_instances(experiment.folder, [1, 2])
    assert direction(instances, "mistakes") is False
    found = instances[0].item_score("test", "mistakes")
    assert (found["of"], found["strategy"]) == ("items", "always the shares of the classes")
    assert 0 < found["low"] < found["items"] < found["high"] < 1


def train_with(make_results, folder, metrics, name, values):
    """Return results of one instance whose records have a metric of the user's own, as folds that trained with it write."""
    results = make_results(folder, n_folds=3)
    results.add_instance(1, clip_average="probabilities", metrics=metrics)
    for fold, (predictions, value) in enumerate(zip(TABLES, values, strict=True), start=1):
        own = {side: {"accuracy": compute(predictions, side)["accuracy"], name: value} for side in ("validation", "test")}
        counts = {"training": 9, "validation": 2, "test": len(predictions) - 2}
        results.add_fold(
            1, fold, own["test"], predictions, metrics={"training": {"loss": 0.1}} | own, clip_metrics=own,
            item_metrics={"test": {f"speaker {fold}": {"n_clips": counts["test"]} | own["test"]}},
            n_examples=counts, further_metrics={name: False},
        )  # fmt: skip
    return results


def test_a_metric_that_a_run_trained_with_has_pooled_figure_bounds_and_chance_too(make_results, tmp_path, write_own):
    results = train_with(make_results, tmp_path, "own_metrics.mistakes, kl_divergence", "mistakes", [1 / 4, 3 / 5, 2 / 4])

    assert rebuild(results.folder) == []

    found = read_instances(results.folder, [1])[0].item_score("test", "mistakes")
    assert (found["method"], found["strategy"]) == ("t on the logit scale", "always the shares of the classes")
    assert found["pooled"] == pytest.approx(6 / 13)


@pytest.mark.parametrize(
    ("text", "fault"), [("", "no module 'own_metrics'"), (OWN.replace("(0, 1)", "(0, 0.5)"), "expected 0 to 0.5")]
)
def test_a_fault_of_a_metric_of_a_run_costs_its_own_pooled_figure_alone(make_results, tmp_path, write_own, text, fault):
    results = train_with(make_results, tmp_path, "own_metrics.mistakes", "mistakes", [1 / 4, 3 / 5, 2 / 4])
    write_own(text)

    (line,) = rebuild(results.folder)

    assert fault in line
    (instance,) = read_instances(results.folder, [1])
    found = instance.item_score("test", "mistakes")
    assert (found["items"], found["pooled"]) == (pytest.approx(9 / 20), None)
    assert instance.item_score("test", "accuracy")["pooled"] is not None


def test_chance_is_what_the_users_metric_says_or_a_fault_of_the_users(experiment, write_own):
    request_metrics(experiment.folder, ["own_metrics.share"])
    assert rebuild(experiment.folder) == []
    assert scores_of(experiment, "share")[2] == pytest.approx((3 / 4 + 1 / 5 + 2 / 4) / 3)  # each item counts once
    write_own(OWN.replace('return weights[targets == 0].sum(), "always no"', "return 0.5"))
    lines = rebuild(experiment.folder)
    assert [line for line in lines if "metric 'own_metrics.share, chance' fails" in line] == lines
    assert len(lines) == 2


def test_a_module_that_cannot_be_imported_is_not_noted(experiment, write_own):
    write_own(f"import no_such_module\n{OWN}")
    with pytest.raises(ResultsError, match=r"cannot be imported.*no_such_module"):
        request_metrics(experiment.folder, ["own_metrics.mistakes"])
    assert not experiment.folder.added_metrics.exists()


def test_later_folds_and_instances_have_the_added_figures_too(experiment, write_own):
    request_metrics(experiment.folder, ["uar", "own_metrics.mistakes"])
    rebuild(experiment.folder)
    add(experiment, 1, 2, TABLES[2].replace("speaker 3", "speaker 2"))  # a fold that ran again
    experiment.add_instance(3, clip_average="probabilities", batch_size=1)
    add(experiment, 3, 1, TABLES[0])

    assert rebuild(experiment.folder) == []

    assert scores_of(experiment, "balanced_accuracy")[0] == pytest.approx((5 / 6 + 1 / 2 + 1 / 2) / 3)
    assert scores_of(experiment, "balanced_accuracy", 2)[0] == pytest.approx((5 / 6 + 5 / 8 + 1 / 2) / 3)
    assert scores_of(experiment, "mistakes", 3)[:2] == (0.25, 0.25)


def test_another_source_is_another_metric_and_a_lost_one_keeps_its_figures(experiment, write_own):
    request_metrics(experiment.folder, ["own_metrics.mistakes"])
    rebuild(experiment.folder)
    write_own(OWN.replace(".mean()", ".sum()").replace("bounds=(0, 1), ", ""))
    assert rebuild(experiment.folder) == []
    assert scores_of(experiment, "mistakes")[0] == pytest.approx((1 + 3 + 2) / 3)

    write_own("")
    lines = rebuild(experiment.folder)
    assert len(lines) == 2
    assert "no module 'own_metrics'" in lines[0]
    assert scores_of(experiment, "mistakes")[0] == pytest.approx((1 + 3 + 2) / 3)

    experiment.folder.added_metrics.unlink()
    assert rebuild(experiment.folder) == []
    assert "mistakes" not in read_instances(experiment.folder, [1])[0].metrics("test")
    assert "mistakes" not in set(load_results(experiment.folder.path)["metric"])


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("balanced_acuracy", r"unknown metric of classification\. .*Did you mean 'balanced_accuracy'\?"),
        ("uarr", r"Did you mean 'uar'\?"),
        ("top_5_accuracy", r"it needs at least 6 classes\. Your own functions"),
        ("loss", "the loss is"),
        (
            "MeanSquaredError",
            r"a metric of Keras, which this command does not load.*Available: acc, accuracy, auc, balanced_accuracy",
        ),
        ("own_metrics.mistake", r"has no 'mistake'\. .*Did you mean 'mistakes'\?"),
        ("own_metrics.upside_down", r"metric 'upside_down': a perfect .* write @metric\(higher_is_better=False\)"),
        ("own_metrics.silent", "does not define whether higher is better"),
        ("own_metric.mistakes", "no module 'own_metric'"),
    ],
)
def test_what_cannot_be_computed_is_refused_with_the_reason(experiment, write_own, name, reason):
    with pytest.raises(SettingsError, match=reason):
        request_metrics(experiment.folder, ["uar", name])
    assert not experiment.folder.added_metrics.exists()


def test_an_error_in_the_users_code_is_named_and_costs_this_metric_alone(experiment, write_own):
    one_class = table("speaker 2", [1, 1], [0.2, 0.9])
    add(experiment, 1, 2, one_class)
    request_metrics(experiment.folder, ["uar", "own_metrics.picky"])

    (line,) = rebuild(experiment.folder)

    assert "metric 'own_metrics.picky' fails" in line
    assert "one class" in line
    assert "picky of instance 1, fold 2 is missing" in line
    (instance,) = read_instances(experiment.folder, [1])
    assert {name: instance.over_folds("test", name)["n"] for name in ("picky", "balanced_accuracy")} == {
        "picky": 2, "balanced_accuracy": 3,
    }  # fmt: skip
    assert instance.item_score("test", "balanced_accuracy")["pooled"] is not None


@pytest.mark.parametrize("damage", ["cut off", "missing"])
def test_damaged_predictions_are_named_and_computed_when_they_are_whole_again(experiment, damage):
    path = experiment.folder.fold_folder(1, 3) / "predictions.parquet"
    whole = path.read_bytes()
    path.unlink() if damage == "missing" else path.write_bytes(whole[:50])
    request_metrics(experiment.folder, ["uar"])

    lines = rebuild(experiment.folder)

    assert any(f"{path}: {'missing' if damage == 'missing' else 'damaged'}" in line for line in lines)
    (instance,) = read_instances(experiment.folder, [1])
    assert instance.over_folds("test", "balanced_accuracy")["n"] == 2
    path.write_bytes(whole)
    assert rebuild(experiment.folder) == []
    assert scores_of(experiment, "balanced_accuracy")[0] == pytest.approx((5 / 6 + 5 / 8 + 1 / 2) / 3)


@pytest.mark.parametrize("content", [b"PAR1", b"", b"{}"])
def test_damaged_scores_are_named(experiment, content):
    request_metrics(experiment.folder, ["uar"])
    rebuild(experiment.folder)
    path = experiment.folder.fold_folder(1, 2) / "scores.parquet"
    path.write_bytes(content)

    with pytest.raises(ResultsError, match=r"fold_2/scores\.parquet: damaged \("):
        load_results(experiment.folder.path)
    assert any(f"{path}: damaged" in line for line in rebuild(experiment.folder))


def test_nothing_is_added_where_no_fold_is_finished(results):
    results.add_instance(1)
    with pytest.raises(ResultsError, match="no fold is finished"):
        request_metrics(results.folder, ["uar"])


def test_a_representation_takes_none(results):
    results.add_instance(1, task_type="representation")
    results.add_fold(1, 1, {"mse": 0.5})
    with pytest.raises(SettingsError, match="and no predictions of them are stored"):
        request_metrics(results.folder, ["explained_variance"])
