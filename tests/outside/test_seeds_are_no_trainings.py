"""Seeds of one repetition of the cross-validation are one training: what repeats it alike shows nothing new."""

import numpy as np
import pandas as pd
import pytest

pytestmark = pytest.mark.long

PAIR = (
    {"architecture": "logistic", "pca_components": 3},
    {"architecture": "knn", "n_neighbors": (3,), "pca_components": 3},
)
"""With a PCA they count as random and are fitted with every seed, though no seed changes them."""


def noisy_corpus(study, n_items=8, seed=1):
    """Write a corpus in which items differ, and labels are hard to tell."""
    from preprocessing.store import write

    rng = np.random.default_rng(seed)
    predictors, targets = {}, {}
    for number in range(n_items):
        labels = np.arange(12) % 2
        shift = rng.normal(size=(1, 12, 8))
        predictors[f"s{number}"] = (rng.normal(size=(12, 12, 8)) + shift + 0.3 * labels[:, None, None]).astype("float32")
        targets[f"s{number}"] = [("no", "yes")[label] for label in labels]
    write("small", predictors, targets, data_folder=study.folder / "data", task_type="classification")


def compared(study, *arguments):
    """Return the numbers of the only pair of a comparison."""
    ended = study.xval("compare", study.EXPERIMENT, *arguments, "--output", "out.csv")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return pd.read_csv(study.folder / "out.csv").iloc[0], " ".join(ended.stdout.split())


def test_seeds_that_change_nothing_change_no_comparison(study):
    noisy_corpus(study)
    study.train(*PAIR, fold_repeats=3, repeats=1)
    once, text = compared(study)
    assert "1 seed" in text
    assert "5 seeds" not in text  # their variance was not measured
    ended = study.run("--repeats", "2")
    assert ended.returncode == 0, ended.stderr
    often, text = compared(study)
    assert often["n_repeats"] == 2
    for name in ("difference", "low", "high", "p", "df", "standard_error", "variance_runs", "n_runs", "least_detectable"):
        assert often[name] == pytest.approx(once[name], rel=1e-9), name
    assert often["n_runs"] == 3
    assert "5 seeds: " not in text or promised(text, 5) == pytest.approx(promised(text, 2), abs=1e-9)


def promised(text, n_seeds):
    """Return the difference that 8 items and some seeds are said to show."""
    return float(text.partition(f"8 items and {n_seeds} seeds")[2].partition(": ")[2].split(";")[0].rstrip(".").split()[0])


def test_a_choice_among_seeds_has_their_mean_where_the_selected_variant_draws_nothing(study):
    noisy_corpus(study, seed=2)  # one fold chooses the forest, the others the SVM
    svm, forest = {"architecture": "svm", "C": (1.0,), "kernel": "linear"}, {"architecture": "forest", "n_trees": 3}
    study.train(svm, forest | {"seed": 1}, forest | {"seed": 2}, fold_repeats=1, num_folds=8)
    ended = study.xval("compare", study.EXPERIMENT, "nested", "--baseline", "2", "--output", "out.csv")
    assert ended.returncode == 0, ended.stderr
    pair = pd.read_csv(study.folder / "out.csv").iloc[0].to_dict()
    by_fold = sorted(value for name, value in pair.items() if name.startswith("difference_fold_"))
    by_item = sorted(value for name, value in pair.items() if name.startswith("difference_item_"))
    assert by_item == pytest.approx(by_fold)  # each fold tests one item
    assert len(set(by_fold)) > 1
