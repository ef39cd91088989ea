"""What choosing reaches, measured from the predictions of the jobs that each fold chooses."""

import shutil
from dataclasses import replace

import pandas as pd
import pytest

from xval.answers.nested_selection import choose_nested, describe_nested, selection_bias
from xval.answers.ranking import rank_instances
from xval.answers.read import read_instances
from xval.measures import metrics
from xval.report.rebuild import rebuild
from xval.results.folder import ExperimentFolder


@pytest.fixture
def experiment(finished, tmp_path):
    return ExperimentFolder(shutil.copytree(finished.results, tmp_path / "experiment_1"))


def choose(experiment):
    instances = read_instances(experiment, experiment.instances())
    return instances, choose_nested(instances, rank_instances(instances))


def test_the_figure_and_its_interval_are_of_the_predictions_of_the_chosen_jobs(experiment):
    instances, nested = choose(experiment)

    def scores(instance, fold):  # equal ones are told apart by the loss
        accuracy, loss = (instance.fold_values("validation", name)[fold] for name in ("balanced_accuracy", "loss"))
        return -accuracy, loss

    best = {fold: min(instances, key=lambda instance: scores(instance, fold)).number for fold in (1, 2)}
    assert {key.fold: key.instance for key in nested.originals.values()} == best
    tables = [pd.read_parquet(experiment.fold_folder(number, fold) / "predictions.parquet") for fold, number in best.items()]
    tested = pd.concat(tables).query("side == 'test'")
    names = nested.folds[1]["class_names"]
    targets = tested["target"].map(names.index).to_numpy()
    answers = tested[[f"probability_{name}" for name in names]].to_numpy()
    score = nested.item_score("test", "balanced_accuracy")
    assert score["pooled"] == pytest.approx(metrics.compute("classification", targets, answers)["balanced_accuracy"])
    assert score["low"] <= score[score["of"]] <= score["high"]
    assert f"[{score['low']:.3f}, {score['high']:.3f}]" in describe_nested(instances, rank_instances(instances))[0]


def test_the_bias_is_the_figure_of_the_selected_instance_minus_the_nested_one(experiment):
    instances, nested = choose(experiment)
    selected = next(instance for instance in instances if instance.number == rank_instances(instances).selected)

    def bias(metric, **changes):
        return selection_bias(replace(selected, **changes), nested, "test", metric)

    ours, theirs = (instance.item_score("test", "balanced_accuracy") for instance in (selected, nested))
    assert bias("balanced_accuracy") == ours[ours["of"]] - theirs[theirs["of"]]
    folds = [instance.over_folds("test", "loss")["mean"] for instance in (selected, nested)]
    assert bias("loss") == folds[1] - folds[0]  # a loss is better where it is smaller
    folds = [instance.over_folds("test", "balanced_accuracy")["mean"] for instance in (selected, nested)]
    assert bias("balanced_accuracy", over_items=None) == folds[0] - folds[1]
    assert bias("no_such_metric") is None


def test_only_instances_with_the_most_folds_compete(experiment):
    shutil.rmtree(experiment.fold_folder(3, 2))

    instances, nested = choose(experiment)

    assert (nested.n_competing, nested.left_out) == (2, (3,))
    assert "(without 3: folds missing)" in describe_nested(instances, rank_instances(instances))[0]
    assert {key.instance for key in nested.originals.values()} <= {1, 2}


def test_what_is_computed_is_kept_and_computed_anew_for_other_predictions(experiment, monkeypatch):
    rebuild(experiment)
    _, before = choose(experiment)
    with monkeypatch.context() as patch:
        patch.setattr("xval.answers.over_items.measure_over_items", lambda *_: pytest.fail("it is kept"))
        _, again = choose(ExperimentFolder(experiment.path))
    assert again.over_items == before.over_items

    (first, *_) = before.originals.values()
    path = experiment.fold_folder(*first) / "predictions.parquet"
    table = pd.read_parquet(path)
    probabilities = [name for name in table if name.startswith("probability_")]
    table[probabilities] = table[probabilities[::-1]].to_numpy()
    table.to_parquet(path)

    _, changed = choose(ExperimentFolder(experiment.path))
    assert changed.over_items["figures"] != before.over_items["figures"]


def test_without_predictions_there_is_no_pooled_figure(experiment):
    _, nested = choose(experiment)
    experiment.nested_estimates_file.unlink(missing_ok=True)
    for key in nested.originals.values():
        (experiment.fold_folder(*key) / "predictions.parquet").unlink()

    instances, nested = choose(ExperimentFolder(experiment.path))

    assert "no predictions.parquet" in nested.over_items["missing"]
    assert nested.over_folds("test", "accuracy")["n"] == 2
    assert describe_nested(instances, rank_instances(instances))
