"""What verdicts and intervals are about: trained models, or a way of training; and the variance between trainings."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score

pytestmark = pytest.mark.long

CLASSES = ("a", "b")
METHODS = ({"architecture": "logistic", "C": (0.01,)}, {"architecture": "knn", "n_neighbors": (1,)})


def mixed(study):
    """Write a corpus of 8 speakers with clips of both classes, some more than others."""
    from preprocessing.store import write

    rng = np.random.default_rng(4)
    predictors, targets = {}, {}
    for number in range(8):
        labels = np.arange(8 + number) % (2 + number % 2) == 0
        own = rng.normal(size=(1, 6)) * 0.7
        predictors[f"s{number}"] = (rng.normal(size=(len(labels), 6)) + own + 0.8 * labels[:, None]).astype("float32")
        targets[f"s{number}"] = [CLASSES[int(label)] for label in labels]
    write("small", predictors, targets, data_folder=study.folder / "data", task_type="classification")


def test_repeated_cross_validation_has_the_variance_of_its_values_and_a_bootstrap_is_of_these_models(study):
    import xval

    mixed(study)
    study.train(*METHODS, num_folds=4, fold_repeats=3)

    table = xval.compare_instances(study.results, [1], baseline=2).table.iloc[0]

    of_deals = []
    for deal in range(3):
        values = []
        for instance in (1, 2):
            parts = [study.predictions(instance, fold) for fold in range(4 * deal + 1, 4 * deal + 5)]
            tested = pd.concat(parts).query("side == 'test'")
            values.append(balanced_accuracy_score(tested["target"], tested["predicted"]))
        of_deals.append(values[0] - values[1])
    assert table["difference"] == pytest.approx(np.mean(of_deals))
    assert table["variance_runs"] == pytest.approx(np.var(of_deals, ddof=1) / 3)

    ended = study.xval("report", study.EXPERIMENT, "--markdown", "--interval", "bootstrap")
    assert ended.returncode == 0, ended.stderr
    (intervals,) = [line for line in ended.stdout.splitlines() if line.startswith("- In brackets: ")]
    assert "these trained models" in intervals
    assert "percentile bootstrap" in intervals
    assert "and seeds" not in ended.stdout


def test_a_loss_of_one_training_is_of_these_models_as_other_metrics_are(study):
    mixed(study)
    study.train(*METHODS, num_folds=4)

    for metric in ("loss", "brier"):
        text = study.xval("compare", study.EXPERIMENT, "--metric", metric).stdout
        assert "This is a claim about these trained models" in " ".join(text.split()), metric
