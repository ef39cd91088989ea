"""Validation that lacks a class selects nothing by a metric of classes: a constant would have 1.0 there."""

import json

import numpy as np
import pandas as pd
import pytest

pytestmark = pytest.mark.long

BOTH = [{"architecture": "logistic", "C": (0.1,)}, {"architecture": "constant"}]


def patients(study, n_items=12, n_ill=4, *, seed=5, effect=1.5):
    """Write a corpus of patients with one class each, and return the class of each."""
    from preprocessing.store import write

    rng = np.random.default_rng(seed)
    of = {f"p{number:02d}": "ill" if number % 3 == 1 and number // 3 < n_ill else "healthy" for number in range(n_items)}
    predictors, targets = {}, {}
    for number, (item, label) in enumerate(of.items()):
        n_clips = 2 + number % 3
        own = rng.normal(size=(1, 6)) * 0.6 + effect * (label == "ill")
        predictors[item] = (rng.normal(size=(n_clips, 6)) + own).astype("float32")
        targets[item] = [label] * n_clips
    write("small", predictors, targets, data_folder=study.folder / "data", task_type="classification")
    return of


def in_phase(study, fold, phase):
    sides = pd.read_csv(study.results / "phases.csv").set_index("item")
    column = next(name for name in sides if name.endswith(str(fold)))
    return list(sides.index[sides[column] == phase])


def values_of(table):
    """Return what each fold has of each instance, float (n_instances, n_folds)."""
    return table.pivot_table(index="instance", columns="fold", values="value", dropna=False).to_numpy()


def validated(study, metric):
    import xval

    table = xval.load_results(study.results, parameters=False)
    return table[(table["metric"] == metric) & (table["side"] == "validation")]


def test_patients_of_each_class_validate_where_there_are_enough(study):
    of = patients(study)

    study.train(*BOTH, num_folds=4, fold_repeats=2)

    for fold in range(1, 9):
        assert {of[item] for item in in_phase(study, fold, "validation")} == {"healthy", "ill"}


def test_a_fold_that_validates_one_class_has_no_balanced_accuracy(study):
    of = patients(study)
    study.train(*BOTH, num_folds=4, validation="next_fold", positive_class="ill", metrics="sensitivity")
    # Take the ill patients out of the validation of fold 1, as folds of an earlier version have it.
    whole = {fold: {of[item] for item in in_phase(study, fold, "validation")} for fold in range(1, 5)}
    assert all(classes == {"healthy", "ill"} for classes in whole.values())
    for instance in (1, 2):
        record = study.record(instance, 1)
        assert record["validation_classes"]["ill"] > 0
        record["validation_classes"]["ill"] = 0
        (study.fold(instance, 1) / "record.json").write_text(json.dumps(record))

    for metric in ("balanced_accuracy", "macro_f1", "sensitivity"):
        values = validated(study, metric)
        assert values.loc[values["fold"] == 1, "value"].isna().all(), metric
        assert values.loc[values["fold"] != 1, "value"].notna().all(), metric
    for metric in ("accuracy", "brier", "loss"):
        assert validated(study, metric)["value"].notna().all(), metric
    assert "(3 of 4 folds)" in " ".join(study.run().stdout.split())


def test_where_no_fold_validates_every_class_the_loss_ranks(study):
    patients(study)

    text = study.train(*BOTH, num_folds=4, validation_fraction=0.1).stdout

    assert validated(study, "balanced_accuracy")["value"].isna().all()
    assert "validation loss" in text
    compared = " ".join(study.xval("compare", study.EXPERIMENT).stdout.split())
    assert "no fold's validation items have every class that balanced accuracy (UAR) is of" in compared
    losses = values_of(validated(study, "loss")).mean(axis=1)
    assert f"Baseline: instance {1 + losses.argmin()} (selected by the best mean validation loss" in compared


def test_without_losses_that_compare_nothing_is_selected_and_the_reason_is_said(study):
    patients(study)
    balanced = BOTH[0] | {"class_weights": "balanced"}

    text = " ".join(study.train(balanced, BOTH[1], num_folds=4, validation_fraction=0.1).stdout.split())

    assert "No variant can be selected, because none has a validation balanced accuracy (UAR)." in text
    assert "validation_fraction" in text


def test_the_nested_value_is_one_number_and_those_that_tie_weigh_the_same(study):

    patients(study, effect=1.0)
    methods = [{"architecture": "logistic", "C": (c,), "class_weights": weights} for c, weights in
               ((0.01, "none"), (1.0, "balanced"), (100.0, "balanced"))]  # fmt: skip

    study.train(*methods, num_folds=4, fold_repeats=2, item_decision="mean")

    of_deals = []
    decided = {}
    for instance in (1, 2, 3):
        for fold in range(1, 9):
            table = study.predictions(instance, fold)
            by_item = table.groupby(["side", "item"]).agg(target=("target", "first"), ill=("probability_ill", "mean"))
            by_item["is_right"] = np.where(by_item["ill"] > 0.5, "ill", "healthy") == by_item["target"]
            decided[instance, fold] = by_item

    def recalls(table):
        return table.groupby("target")["is_right"].mean().mean()

    n_tied = set()
    for first in (1, 5):
        shares = []
        for fold in range(first, first + 4):
            values = {number: round(recalls(decided[number, fold].loc["validation"]), 9) for number in (1, 2, 3)}
            tied = [number for number, value in values.items() if value == max(values.values())]
            n_tied.add(len(tied))
            tested = decided[tied[0], fold].loc["test"].copy()
            tested["is_right"] = np.mean([decided[number, fold].loc["test", "is_right"] for number in tied], axis=0)
            shares.append(tested)
        of_deals.append(recalls(pd.concat(shares)))
    assert len(n_tied) > 1, "no fold has other ties than another: the test shows nothing"
    expected = np.mean(of_deals)
    markdown = study.xval("report", study.EXPERIMENT, "--markdown").stdout
    compared = study.xval("compare", study.EXPERIMENT, "nested", "--baseline", "1").stdout
    row = next(line for line in markdown.splitlines() if "nested" in line)
    assert f"{expected:.3f}" in row.split("|")[2]
    line = next(line for line in compared.splitlines() if line.split()[:1] == ["nested"])
    assert f"{expected:.3f}" in line
    assert "seeds" not in " ".join(compared.split()).partition("True difference")[0]


@pytest.mark.parametrize("metric", ["auc", "eer"])
def test_all_folds_choose_whatever_ranks(study, metric):
    import xval

    patients(study)
    study.train(*BOTH, num_folds=4, validation="next_fold", rank_by=metric)
    for instance in (1, 2):
        for fold in (1, 2):
            record = study.record(instance, fold)
            record["validation_classes"]["ill"] = 0
            (study.fold(instance, fold) / "record.json").write_text(json.dumps(record))

    comparison = xval.compare_instances(study.results, ["nested"], baseline=2)

    (pair,) = comparison.pairs
    assert pair.n_folds == 4
    assert pair.n_items == 12


def test_a_constant_orders_nothing(study):
    import xval

    patients(study)
    study.train(*BOTH, num_folds=4)

    table = xval.load_scores(study.results)

    of_constant = table[(table["instance"] == 2) & table["metric"].isin(["auc", "eer"])].set_index("metric")["pooled"]
    assert dict(of_constant) == {"auc": 0.5, "eer": 0.5}
    for metric in ("auc", "eer"):
        values = validated(study, metric)
        assert (values.loc[values["instance"] == 2, "value"] == 0.5).all(), metric
    from sklearn.metrics import roc_auc_score

    tested = pd.concat([study.predictions(1, fold).query("side == 'test'") for fold in range(1, 5)])
    of_logistic = table[(table["instance"] == 1) & (table["metric"] == "auc")]["pooled"].item()
    assert of_logistic == pytest.approx(roc_auc_score(tested["target"] == "ill", tested["probability_ill"]))
