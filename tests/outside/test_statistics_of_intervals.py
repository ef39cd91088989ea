"""Intervals where few speakers have a class, or most of the clips, computed again from what a run stores."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

import xval
from preprocessing.store import write

INSTANCES = ({"architecture": "logistic", "C": 1}, {"architecture": "svm", "C": 1, "gamma": "scale"})
SHAPE = (6, 4)


def train_clinic(study, n_ill, n_patients, n_clips=lambda number: 4, instances=INSTANCES, **parameters):
    """Train on patients who are each ill or healthy, which the models tell with some errors."""
    rng, predictors, targets = np.random.default_rng(3), {}, {}
    for number in range(n_patients):
        clips, is_ill = n_clips(number), number < n_ill
        own = rng.normal(0.35 * is_ill, 0.3)
        predictors[f"p{number:02}"] = (rng.normal(size=(clips, *SHAPE)) + own).astype("float32")
        targets[f"p{number:02}"] = ["ill" if is_ill else "healthy"] * clips
    write("small", predictors, targets, data_folder=study.folder / "data")
    return study.train(
        *instances, num_folds=2, validation="fraction", validation_fraction=0.4, item_name="patient", **parameters
    )


def clips_of(study, instance=1):
    """Return the test clips of all folds: item, target, predicted, probability_ill."""
    folds = [study.predictions(instance, fold) for fold in (1, 2)]
    return pd.concat([table[table["side"] == "test"] for table in folds], ignore_index=True)


def scores(study, instance=1, **options):
    table = xval.load_scores(study.results, **options)
    return table[(table["instance"] == instance) & (table["side"] == "test")].set_index("metric")


def auc(table):
    return roc_auc_score(table["target"] == "ill", table["probability_ill"])


def recall(table):
    return balanced_accuracy_score(table["target"], table["predicted"])


def expected_interval(table, measure):
    """Return t on the logit scale, with the jackknife variance and degrees of freedom nearly those of the smallest class."""
    value = measure(table)
    items = sorted(set(table["item"]))
    without = np.array([measure(table[table["item"] != item]) for item in items])
    variance = (len(items) - 1) * np.var(without)
    clips = table.groupby(["target", "item"]).size()
    effective = [own.sum() ** 2 / (own**2).sum() for _, own in clips.groupby("target")]
    df = sum(1 / k for k in effective) ** 2 / sum(1 / k**2 / max(1, k - 1) for k in effective)
    half = stats.t.ppf(0.975, df) * np.sqrt(variance) / (value * (1 - value))
    return special.expit(special.logit(value) + np.array([-half, half]))


@pytest.mark.parametrize("n_clips", [lambda number: 4, lambda number: 1 + 7 * number % 40], ids=["equal", "unequal"])
def test_three_ill_of_sixteen_have_the_degrees_of_freedom_of_three(study, n_clips):
    train_clinic(study, 3, 16, n_clips)

    found, table = scores(study), clips_of(study)

    for name, measure in {"auc": auc, "balanced_accuracy": recall}.items():
        assert found.loc[name, "pooled"] == pytest.approx(measure(table))
        low, high = found.loc[name, ["low", "high"]]
        assert (low, high) == pytest.approx(tuple(expected_interval(table, measure)))
        assert high - low > 0.3  # three patients tell little


def test_two_ill_of_twelve_have_no_interval_and_every_text_says_why(study):
    ended = train_clinic(study, 2, 12)
    shown = study.xval("report", study.EXPERIMENT, "--details")
    compared = study.xval("compare", study.EXPERIMENT)
    table = xval.compare_instances(study.results, metric="auc")

    found = scores(study)
    assert found.loc[["auc", "balanced_accuracy", "macro_f1"], ["low", "high"]].isna().all(axis=None)
    assert found.loc["accuracy", ["low", "high"]].notna().all()
    assert "only 2 patients of class 'ill'" in ended.stdout
    assert "Only 2 patients of the class 'ill' were tested, so scores over classes" in shown.stdout
    assert "Record more patients of the class 'ill'; more clips of the same ones do not help." in shown.stdout
    assert "Only 2 patients of class 'ill' tested: too few for a test." in compared.stdout, compared.stderr
    assert table.pairs[0].verdict == "no test"
    assert np.isnan(table.pairs[0].p_holm)


def test_the_only_ill_patient_of_the_tested_is_not_dropped(study):
    """Left out, he leaves nothing that AUC could be of: the set that tells most of the variance."""
    train_clinic(study, 2, 12, instances=INSTANCES[:1])
    model = xval.load_model(study.results / "instance_1" / "fold_1")
    data = {f"n{number}": np.random.default_rng(number).normal(size=(5, *SHAPE)).astype("float32") for number in range(8)}
    labels = {item: ["ill" if item == "n0" else "healthy"] * 5 for item in data}

    scores = model.evaluate(data, labels)
    write("other", data, labels, data_folder=study.folder / "data")
    shown = study.xval("evaluate", study.fold(1, 1), "data/other", "--output", "found")

    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.count("(no interval: only 1 item of class 'ill')") >= 3, shown.stdout
    assert scores.table.loc[["auc", "balanced_accuracy"], ["low", "high"]].isna().all(axis=None)
    assert scores.table.loc["accuracy", ["low", "high"]].notna().all()


def test_pooled_values_of_unequal_clips_rest_on_the_patients_who_have_them(study):
    """Two algorithms are compared with the degrees of freedom of those patients, too."""
    train_clinic(study, 6, 12, lambda number: 60 if number in (0, 11) else 2)

    (pair,) = xval.compare_instances(study.results, metric="balanced_accuracy").pairs

    own = [clips_of(study, number) for number in (1, 2)]
    items = sorted(set(own[0]["item"]))
    differences = [recall(first) - recall(second) for first, second in [own]]
    without = [recall(own[0][own[0]["item"] != item]) - recall(own[1][own[1]["item"] != item]) for item in items]
    error = np.sqrt((len(items) - 1) * np.var(without))
    assert abs(pair.difference) == pytest.approx(abs(differences[0]))
    assert pair.test.standard_error == pytest.approx(error)
    assert 1 <= pair.test.error.freedom < 3  # of 12 patients, of whom two have nearly all clips


def test_one_decision_each_has_the_same_kind_of_interval_for_accuracy_and_balanced_accuracy(study):
    train_clinic(study, 6, 12, item_decision="mean", instances=INSTANCES[:1])

    found = scores(study).loc[["accuracy", "balanced_accuracy"]]

    assert found["method"].nunique() == 1
    assert found.loc["accuracy", "pooled"] == pytest.approx(found.loc["balanced_accuracy", "pooled"])  # as many ill as healthy
    assert found.loc["balanced_accuracy", "low"] <= found.loc["accuracy", "low"]
    assert found.loc["balanced_accuracy", "low"] == pytest.approx(found.loc["accuracy", "low"], abs=0.08)
    assert found.loc["balanced_accuracy", "high"] == pytest.approx(found.loc["accuracy", "high"], abs=0.08)


@pytest.mark.long
def test_a_bootstrap_is_that_of_scipy_and_the_same_each_time(study):
    train_clinic(study, 5, 12)
    report = ("report", study.EXPERIMENT, "--markdown", "--interval")

    shown = [study.xval(*report, kind) for kind in ("t", "bootstrap", "bca", "bca")]
    misplaced = study.xval("report", study.EXPERIMENT, "--interval", "bca")

    table = clips_of(study)
    of_item = (table["target"] == table["predicted"]).groupby(table["item"]).mean().to_numpy()
    for kind, method in {"bootstrap": "percentile", "bca": "BCa"}.items():
        theirs = stats.bootstrap((of_item,), np.mean, n_resamples=2000, method=method, rng=0).confidence_interval
        found = scores(study, interval=kind)
        assert tuple(found.loc["accuracy", ["low", "high"]]) == pytest.approx(tuple(theirs))
        assert found.loc["accuracy", "method"] == f"{method} bootstrap"
        assert found.loc["auc", "low"] < auc(table) < found.loc["auc", "high"]
    assert shown[2].stdout == shown[3].stdout
    assert len({each.stdout for each in shown}) == 3, shown[1].stderr
    assert "percentile bootstrap" in shown[1].stdout
    assert "bootstrap" not in shown[0].stdout
    assert misplaced.returncode == 2
    assert "--latex or --markdown" in misplaced.stderr
    with pytest.raises(xval.XvalError, match="interval='boot'"):
        xval.load_scores(study.results, interval="boot")
    kept = json.loads((study.results / "instance_1" / "estimates.json").read_text())
    assert "bootstrap" not in json.dumps(kept)


def test_a_value_of_one_class_rests_on_its_own_speakers(study):
    """Two ill tell no sensitivity, but ten healthy patients tell the specificity."""
    train_clinic(study, 2, 12, instances=INSTANCES[:1], metrics="sensitivity, specificity, f1", positive_class="ill")

    found = scores(study)

    assert found.loc[["sensitivity", "f1"], ["low", "high"]].isna().all(axis=None)
    assert found.loc["specificity", ["low", "high"]].notna().all()
    healthy = clips_of(study, 1).query("target == 'healthy'")
    assert (healthy["predicted"] == "healthy").all()
    assert tuple(found.loc["specificity", ["low", "high"]]) == pytest.approx((0.025 ** (1 / 10), 1))


@pytest.mark.long
def test_a_rare_label_costs_the_values_that_rest_on_it_alone(study):
    rng = np.random.default_rng(0)
    data = {f"s{number}": rng.normal(size=(6, *SHAPE)).astype("float32") for number in range(8)}
    labels = {
        item: [["loud"] * (place % 2) + ["rare"] * (item in "s0 s5" and place < 3) for place in range(6)] for item in data
    }
    write("small", data, labels, data_folder=study.folder / "data", task_type="multilabel_classification")
    study.train({"architecture": "mlp", "n_units": (4,)}, num_folds=2, num_epochs=1, task_type="multilabel_classification")

    found = scores(study)

    assert found.loc[["macro_f1", "auc", "mean_average_precision"], ["low", "high"]].isna().all(axis=None)
    assert found.loc[["micro_f1", "accuracy"], ["low", "high"]].notna().all(axis=None)
    shown = study.xval("report", study.EXPERIMENT, "--details").stdout
    assert "Only 2 items of the label 'rare' were tested, so scores over classes" in shown, shown


def test_pooled_errors_of_numbers_rest_on_the_speakers_who_have_the_clips(study):
    rng = np.random.default_rng(0)
    n_clips = (40, 30, 5, 4, 3, 3, 2, 2)
    data = {f"s{number}": rng.normal(size=(clips, *SHAPE)).astype("float32") for number, clips in enumerate(n_clips)}
    numbers = {item: (values.mean(axis=(1, 2)) + rng.normal(0, 0.2, len(values))) for item, values in data.items()}
    write("small", data, numbers, data_folder=study.folder / "data", task_type="regression")
    study.train({"architecture": "ridge"}, num_folds=2, task_type="regression")

    found, table = scores(study), clips_of(study, 1)

    predicted, target = (table.filter(regex=f"^{what}_").squeeze(axis=1) for what in ("predicted", "target"))
    squared = ((predicted - target) ** 2).groupby(table["item"]).agg(["sum", "size"])
    without = np.sqrt((squared["sum"].sum() - squared["sum"]) / (squared["size"].sum() - squared["size"]))
    value = np.sqrt(squared["sum"].sum() / squared["size"].sum())
    df = squared["size"].sum() ** 2 / (squared["size"] ** 2).sum() - 1
    half = stats.t.ppf(0.975, df) * np.sqrt(7 * without.var(ddof=0)) / value
    assert tuple(found.loc["rmse", ["low", "high"]]) == pytest.approx((value * np.exp(-half), value * np.exp(half)), rel=1e-4)
