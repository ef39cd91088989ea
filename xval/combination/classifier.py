"""Scaler, principal components and a classifier of scikit-learn, chosen and fitted on training items alone.

Comes in: features, classes and items of training examples. Goes out: a `FittedClassifier`, whose most probable class is always
what the classifier itself decides, and the scores of the searched grid.

How sure it is: logistic regression and random forest say so themselves. scikit-learn's probabilities of an SVM may contradict
its decisions; here they are the softmax of its decision values divided by one temperature (Guo et al. 2017, "On calibration of
modern neural networks"), which is fitted on decisions about training items that the SVM at hand had not seen, and which leaves
the order of the classes as it is.
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.model_selection import GroupKFold, ParameterGrid
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from threadpoolctl import threadpool_limits

from xval.errors import JobError

MOST_SPLITS = 5
_N_TREES = 100
_LOG_TEMPERATURES = (-4.0, 4.0)

# The first of equally good settings is taken, so the simpler ones stand first. The ranges for the SVM are those of
# deep_audio_features (Giannakopoulos), a little narrower; "scale" is 1 / (number of features x their variance).
_GRIDS: dict[str, dict[str, Sequence[Any]]] = {
    "svm": {"C": (0.1, 1.0, 10.0, 100.0, 1000.0), "gamma": ("scale", 1e-2, 1e-3, 1e-4)},
    "random_forest": {"max_features": ("sqrt", 0.3), "min_samples_leaf": (5, 2, 1)},
    "logistic_regression": {"C": (1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0)},
}


@dataclass(frozen=True)
class GridScore:
    """How good one setting of the grid was.

    Attributes:
        settings: Of the classifier.
        macro_f1: The mean over the splits of the training items.
    """

    settings: dict[str, Any]
    macro_f1: float


@dataclass(frozen=True)
class FittedClassifier:
    """A fitted pipeline.

    Attributes:
        pipeline: Scaler, principal components (where wanted) and classifier.
        n_classes: Classes of the corpus; one that no training example has is never predicted.
        temperature: Of an SVM; None for classifiers that say themselves how sure they are.
        grid: The scores of all settings, in the order of the search.
        settings: The chosen ones.
    """

    pipeline: Pipeline
    n_classes: int
    temperature: float | None
    grid: tuple[GridScore, ...]
    settings: dict[str, Any]

    def probabilities(self, features: NDArray[np.floating], *, threads: int = 1) -> NDArray[np.float32]:
        """Return how probable each class is, float32 (n_examples, n_classes); the first of the highest is the decision.

        Args:
            features: float (n_examples, n_features).
            threads: CPU threads.
        """
        with _threads(threads):
            if self.temperature is None:
                known = self.pipeline.predict_proba(features)
            else:
                known = softmax(_scores(self.pipeline, features) / self.temperature, axis=1)
        found = np.zeros((len(features), self.n_classes), np.float32)
        found[:, self.pipeline.classes_] = known
        return found


def fit_classifier(
    features: NDArray[np.floating],
    targets: NDArray[np.int64],
    groups: NDArray[Any],
    *,
    name: str,
    n_classes: int,
    pca_components: int,
    balanced: bool = False,
    scored: NDArray[np.bool_] | None = None,
    seed: int,
    threads: int = 1,
) -> FittedClassifier:
    """Search the settings of a classifier on training items, then fit it to all of them.

    Each setting is fitted several times, each time without some of the items, and scored by macro F1 on those; scaler and
    principal components are fitted anew each time. The setting with the best mean is fitted to everything.

    Args:
        features: float (n_examples, n_features), of training examples.
        targets: int64 (n_examples,), their classes.
        groups: (n_examples,), the item of each example, which is never on two sides of a split.
        name: svm, random_forest or logistic_regression.
        n_classes: Classes of the corpus.
        pca_components: Principal components at most; 0: none are made.
        balanced: Weigh classes inversely to their number of training examples.
        scored: bool (n_examples,), the examples that are scored in the search; augmented ones only ever train. None: all.
        seed: Of the trees of a forest and of the principal components.
        threads: CPU threads.

    Raises:
        JobError: A feature is NaN or infinite, there is but one item or class, or no split leaves two classes to fit.
    """
    if not np.isfinite(features).all():
        raise JobError(f"{int((~np.isfinite(features)).any(axis=1).sum())} of {len(features)} examples have NaN features.")
    scored = np.ones(len(targets), bool) if scored is None else scored
    with _threads(threads):
        splits = _splits(targets, groups, scored)
        n_components = min(pca_components, features.shape[1], *(len(fitted) for fitted, _ in splits))
        pipeline = _make_pipeline(name, n_components, balanced=balanced, seed=seed)
        grid = _search(pipeline, _GRIDS[name], features, targets, splits)
        best = max(grid, key=lambda each: each.macro_f1)  # the first of them
        pipeline[-1].set_params(**best.settings)
        temperature = _temperature(pipeline, features, targets, splits) if name == "svm" else None
        pipeline.fit(features, targets)
    return FittedClassifier(pipeline, n_classes, temperature, grid, best.settings)


def _make_pipeline(name: str, n_components: int, *, balanced: bool, seed: int) -> Pipeline:
    weight = "balanced" if balanced else None
    classifier = {
        "svm": SVC(break_ties=True, class_weight=weight),
        "random_forest": RandomForestClassifier(_N_TREES, class_weight=weight, random_state=seed),
        "logistic_regression": LogisticRegression(max_iter=2000, class_weight=weight),
    }[name]
    components = [("pca", PCA(n_components, random_state=seed))] if n_components else []
    return Pipeline([("scaler", StandardScaler()), *components, ("classifier", classifier)])


def _splits(
    targets: NDArray[np.int64], groups: NDArray[Any], scored: NDArray[np.bool_]
) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Return positions to fit and positions to score, by whole items; those that leave one class to fit are left out."""
    n_items = len(np.unique(groups))
    if n_items < 2:
        raise JobError(f"a grid is searched by leaving training items out; there are {n_items} of them, two are wanted.")
    cut = GroupKFold(min(MOST_SPLITS, n_items)).split(targets, targets, groups)
    splits = [(fitted, held[scored[held]]) for fitted, held in cut]
    splits = [(fitted, held) for fitted, held in splits if len(np.unique(targets[fitted])) > 1 and len(held)]
    if not splits:
        raise JobError(
            "the settings of the classifier cannot be searched: whichever training items are left out, the others have one "
            "class alone. Use fewer folds, or items that have several classes."
        )
    return splits


def _search(
    pipeline: Pipeline,
    grid: Mapping[str, Sequence[Any]],
    features: NDArray[np.floating],
    targets: NDArray[np.int64],
    splits: Sequence[tuple[NDArray[np.intp], NDArray[np.intp]]],
) -> tuple[GridScore, ...]:
    """Score every setting; what stands before the classifier does not depend on it and is fitted once for each split."""
    settings = list(ParameterGrid(dict(grid)))
    scores = np.empty((len(settings), len(splits)))
    for column, (fitted, held) in enumerate(splits):
        before = clone(pipeline[:-1]).fit(features[fitted])
        known, unknown = before.transform(features[fitted]), before.transform(features[held])
        for row, values in enumerate(settings):
            classifier = clone(pipeline[-1]).set_params(**values).fit(known, targets[fitted])
            scores[row, column] = f1_score(targets[held], classifier.predict(unknown), average="macro", zero_division=0)
    return tuple(GridScore(values, float(mean)) for values, mean in zip(settings, scores.mean(axis=1), strict=True))


def _temperature(
    pipeline: Pipeline,
    features: NDArray[np.floating],
    targets: NDArray[np.int64],
    splits: Sequence[tuple[NDArray[np.intp], NDArray[np.intp]]],
) -> float:
    """Return the temperature with the smallest cross entropy on items that were left out of the fit."""
    held_scores: list[tuple[NDArray[np.float64], NDArray[np.intp]]] = []
    for fitted, held in splits:
        partial = clone(pipeline).fit(features[fitted], targets[fitted])
        known = np.isin(targets[held], partial.classes_)
        if known.any():
            columns = np.searchsorted(partial.classes_, targets[held][known])
            held_scores.append((_scores(partial, features[held][known]), columns))
    if not held_scores:
        return 1.0

    def cross_entropy(log_temperature: float) -> float:
        losses = [
            -log_softmax(scores / np.exp(log_temperature), axis=1)[np.arange(len(columns)), columns]
            for scores, columns in held_scores
        ]
        return float(np.concatenate(losses).mean())

    return float(np.exp(minimize_scalar(cross_entropy, bounds=_LOG_TEMPERATURES, method="bounded").x))


def _scores(pipeline: Pipeline, features: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the decision values of an SVM, float64 (n_examples, n_fitted_classes), the highest is its decision."""
    values = np.asarray(pipeline.decision_function(features), np.float64)
    return np.stack([-values, values], axis=1) if values.ndim == 1 else values


@contextmanager
def _threads(threads: int) -> Iterator[None]:
    """Hold BLAS and OpenMP to a number of threads, on which the last digits depend; a grid may hold fits that end early."""
    with threadpool_limits(limits=threads), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield
