"""Scaler, principal components and an estimator of scikit-learn, chosen and fitted without items that are tested.

A grid is searched by leaving items out. Inner folds (`inner_seed`) also give a prediction for each example by an estimator
that was fitted without its item, for validation scores and the temperature. Without them folds of the training items search
(GroupKFold), or, where features come from networks that have learnt the training items by heart, the validation items do,
which those networks were not fitted to: what such a network makes of a training item says nothing about what it makes of
another.
"""

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import f1_score
from sklearn.model_selection import GroupKFold, ParameterGrid, StratifiedGroupKFold
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from xval.base.errors import JobError, counted, verb_of
from xval.training.classical.calibration import fit_temperature, probabilities_of, scores_of, temperature_of_scores
from xval.training.classical.estimators import ClassWeight, EstimatorSpec
from xval.training.classical.kernels import decide
from xval.training.classical.shared_inputs import SharedInputs

MOST_SPLITS = 5
LEFT_OUT, VALIDATION, INNER_FOLDS = "training_items_left_out", "validation_items", "inner_folds"
Positions = Sequence[tuple[NDArray[np.intp], NDArray[np.intp]]]
"""Which examples each split fits, and which it scores."""


class Part(NamedTuple):
    """Some examples: float (n_examples, n_features), and int64 (n_examples,) classes or float32 (n_examples, n_outputs)."""

    features: NDArray[np.floating]
    targets: NDArray[Any]

    def at(self, rows: NDArray[np.intp]) -> "Part":
        """Return a copy of some of the examples."""
        return Part(self.features[rows], self.targets[rows])


@dataclass(frozen=True)
class GridScore:
    """How good one setting of the grid was.

    Attributes:
        settings: Of the estimator.
        score: Macro F1 of classes; the mean squared error of numbers. The mean over the splits.
    """

    settings: dict[str, Any]
    score: float


@dataclass(frozen=True)
class FittedEstimator:
    """A fitted pipeline.

    Attributes:
        pipeline: Scaler, principal components (where wanted) and estimator.
        n_outputs: Classes of the corpus (one that no training example has is never predicted), or numbers to predict.
        has_classes: Whether it tells classes apart.
        temperature: See calibration.py; None of numbers, and where there was nothing to calibrate with.
        settings: The chosen ones.
        grid: The scores of all settings, in the order of the search; empty where there was but one.
        searched_on: What scored them: training_items_left_out, validation_items or inner_folds.
        out_of_fold: Answers on the examples that it was fitted to by estimators that were fitted without their items, float32
            (n_examples, n_outputs), NaN of those that are not scored; None: there are none.
        target_mean: Of numbers: what is added to the answers, which are multiplied by the deviation first.
        target_deviation: float32 (n_outputs,), as the mean.
    """

    pipeline: Pipeline
    n_outputs: int
    has_classes: bool
    temperature: float | None
    settings: dict[str, Any]
    grid: tuple[GridScore, ...] = ()
    searched_on: str = LEFT_OUT
    target_mean: NDArray[np.float32] | None = None
    target_deviation: NDArray[np.float32] | None = None
    out_of_fold: NDArray[np.float32] | None = None

    def scaled(self, features: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return what the estimator itself reads: features behind scaler and components, float32 (n_examples, n_scaled)."""
        return np.asarray(self.pipeline[:-1].transform(features), np.float32)

    def answers(self, features: NDArray[np.floating], *, threads: int = 1) -> NDArray[np.float32]:
        """Return probabilities, float32 (n_examples, n_classes), the first of the highest is the decision; or the numbers.

        Args:
            features: float (n_examples, n_features).
            threads: CPU threads.
        """
        with _threads(threads):
            if not self.has_classes:
                values = decide(self.pipeline, features, "predict").reshape(len(features), self.n_outputs)
                if self.target_mean is not None and self.target_deviation is not None:
                    values = values * self.target_deviation + self.target_mean
                return np.asarray(values, np.float32)
            known = probabilities_of(self.pipeline, features, self.temperature)
        probabilities = np.zeros((len(features), self.n_outputs), np.float32)
        probabilities[:, self.pipeline.classes_] = known
        return probabilities


def fit_estimator(
    training: Part,
    groups: NDArray[Any],
    spec: EstimatorSpec,
    *,
    n_outputs: int,
    has_classes: bool,
    validation: Part | None = None,
    search_on_validation: bool = False,
    inner_seed: int | None = None,
    scaling: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None,
    class_weight: ClassWeight = None,
    scored: NDArray[np.bool_] | None = None,
    seed: int,
    threads: int = 1,
) -> FittedEstimator:
    """Search the settings of an estimator, fit it to all training examples, and calibrate it.

    Each setting is fitted several times, each time without some of the items, and scored on those; scaler and principal
    components are fitted anew each time. The setting with the best mean is fitted to everything.

    Args:
        training: The training examples.
        groups: (n_examples,), the item of each training example, which is never on two sides of a split.
        spec: What is fitted.
        n_outputs: Classes of the corpus, or numbers to predict.
        has_classes: Whether targets are classes.
        validation: What the probabilities are calibrated on; None: they are not.
        search_on_validation: Score the grid on it, too, instead of on training items that were left out.
        inner_seed: Of the inner folds, which then also give the answers out of fold, and calibrate by these; None: the grid is
            searched by folds without a seed, and there are no such answers.
        scaling: Mean and deviation of the numbers to predict, float32 (n_outputs,); the estimator answers in them.
        class_weight: Of scikit-learn: ``balanced``, or a weight for each class number.
        scored: bool (n_examples,), the examples that are scored in the search; augmented ones only ever train. None: all.
        seed: Of what is random.
        threads: CPU threads.
    """
    features, targets = training
    _check_parts(training, validation, has_classes=has_classes)
    if scaling is not None:
        targets = ((targets - scaling[0]) / scaling[1]).astype(np.float64)
    if not has_classes and n_outputs == 1 and spec.name not in ("svr", "boosting"):
        targets = targets[:, 0]
    settings, grid = list(ParameterGrid({name: list(values) for name, values in spec.grid.items()})), tuple[GridScore, ...]()
    with _threads(threads):
        judge, whole = validation if search_on_validation else None, Part(features, targets)
        is_split = (len(settings) > 1 and judge is None) or inner_seed is not None
        positions = _splits(whole, groups, scored, has_classes=has_classes, seed=inner_seed) if is_split else []
        is_searched = len(settings) > 1 and judge is None
        usable = _with_classes(positions, whole, has_classes=has_classes) if is_searched else positions
        fewest = min([len(features), *(len(fitted) for fitted, _ in usable)])
        settings = [candidate for candidate in settings if candidate.get("n_neighbors", 1) <= fewest]
        if not settings:
            raise JobError(
                f"n_neighbors: all of {spec.grid['n_neighbors']} are more than the {counted(fewest, 'training example')}."
            )
        n_components = min(spec.n_components, features.shape[1], fewest)
        pipeline = spec.make(has_classes=has_classes, n_components=n_components, class_weight=class_weight, seed=seed)
        best = settings[0]
        if len(settings) > 1:
            splits = ((whole.at(fitted), whole.at(held)) for fitted, held in usable)  # copies of one split at a time
            grid = _search(pipeline, spec, settings, splits if judge is None else [(whole, judge)], has_classes=has_classes)
            choose = max if has_classes else min
            best = choose(grid, key=lambda candidate: candidate.score).settings  # the first of them
        pipeline[-1].set_params(**spec.parameters(best, pipeline[-1]))
        pipeline.fit(features, targets)
        temperature = fit_temperature(pipeline, *validation) if has_classes and validation is not None else None
        held_out = None
        if inner_seed is not None and has_classes:
            temperature, held_out = _probabilities_out_of_fold(pipeline, whole, positions, n_outputs)
        elif inner_seed is not None:
            held_out = _numbers_out_of_fold(pipeline, whole, positions, n_outputs, scaling)
    fitted = FittedEstimator(
        pipeline,
        n_outputs,
        has_classes,
        temperature,
        best,
        grid,
        VALIDATION if search_on_validation else LEFT_OUT if inner_seed is None else INNER_FOLDS,
        *(scaling or (None, None)),
    )
    return replace(fitted, out_of_fold=held_out)


def _probabilities_out_of_fold(
    pipeline: Pipeline, whole: Part, positions: Positions, n_outputs: int
) -> tuple[float | None, NDArray[np.float32]]:
    """Return the temperature that fits the scores of examples that a split has not fitted, and their probabilities.

    A split that fits examples of only one class answers this class; it tells nothing about the temperature. Where each split
    answers the same to all that it has not fitted, all examples get the mean of these answers: their order would be that of how
    rare a class is in the splits, and their AUC 0 or 1.
    """
    scores = np.full((len(whole.targets), len(pipeline.classes_)), -np.inf)
    held_out, calibrating = (np.zeros(len(scores), bool) for _ in range(2))
    for fitted, held in positions:
        classes = np.unique(whole.targets[fitted])
        columns = np.searchsorted(pipeline.classes_, classes)
        held_out[held], calibrating[held] = True, len(classes) == len(pipeline.classes_)
        if len(classes) == 1:
            scores[held, columns[0]] = 0
        else:
            split_pipeline = clone(pipeline).fit(*whole.at(fitted))
            scores[np.ix_(held, columns)] = scores_of(split_pipeline, whole.features[held])
    places = np.searchsorted(pipeline.classes_, whole.targets)
    temperature = temperature_of_scores(scores[calibrating], places[calibrating])
    probabilities = np.full((len(scores), n_outputs), np.nan, np.float32)
    probabilities[held_out] = 0
    probabilities[np.ix_(held_out, pipeline.classes_)] = softmax(scores[held_out] / (temperature or 1.0), axis=1)
    if all((scores[held] == scores[held[:1]]).all() for _, held in positions):
        probabilities[held_out] = probabilities[held_out].mean(axis=0)
    return temperature, probabilities


def _numbers_out_of_fold(
    pipeline: Pipeline,
    whole: Part,
    positions: Positions,
    n_outputs: int,
    scaling: tuple[NDArray[np.float32], NDArray[np.float32]] | None,
) -> NDArray[np.float32]:
    """Return what is predicted of examples that a split has not fitted, in the unit of the targets."""
    values = np.full((len(whole.targets), n_outputs), np.nan, np.float32)
    mean, deviation = scaling or (0, 1)
    for fitted, held in positions:
        split_pipeline = clone(pipeline).fit(*whole.at(fitted))
        answers = decide(split_pipeline, whole.features[held], "predict").reshape(len(held), n_outputs)
        values[held] = answers * deviation + mean
    return values


def _check_parts(training: Part, validation: Part | None, *, has_classes: bool) -> None:
    for part in (training, *([validation] if validation else [])):
        n_wrong = int((~np.isfinite(part.features)).any(axis=1).sum())
        if n_wrong:
            raise JobError(f"{n_wrong} of {counted(len(part.features), 'example')} {verb_of(n_wrong, 'have')} NaN features.")
    if has_classes and len(np.unique(training.targets)) < 2:
        raise JobError("all training examples have one class; expected at least two. Use fewer folds, or other items.")


def _splits(
    training: Part, groups: NDArray[Any], scored: NDArray[np.bool_] | None, *, has_classes: bool, seed: int | None
) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Return which examples to fit and which to score, by whole items; with a seed classes are spread evenly over splits."""
    features, targets = training
    scored = np.ones(len(targets), bool) if scored is None else scored
    n_items = len(np.unique(groups))
    if n_items < 2:
        raise JobError(
            f"a grid search holds out training items and needs at least two; received {n_items}. Give each option one value, "
            "which needs no search, or use more items for training."
        )
    n_splits = min(MOST_SPLITS, n_items)
    if seed is None:
        cut = GroupKFold(n_splits).split(features, None, groups)
    elif has_classes and np.bincount(targets).max() >= n_splits:
        with warnings.catch_warnings(category=UserWarning, action="ignore"):  # of classes with few examples
            cut = list(StratifiedGroupKFold(n_splits, shuffle=True, random_state=seed).split(features, targets, groups))
    else:
        names, codes = np.unique(groups, return_inverse=True)
        cut = GroupKFold(n_splits).split(features, None, np.random.default_rng(seed).permutation(len(names))[codes])
    positions = [(fitted, held[scored[held]]) for fitted, held in cut]
    return [(fitted, held) for fitted, held in positions if len(held)]


def _with_classes(positions: Positions, training: Part, *, has_classes: bool) -> Positions:
    """Return the splits that leave several classes to fit, or any numbers."""
    splits = [(fitted, held) for fitted, held in positions if not has_classes or len(np.unique(training.targets[fitted])) > 1]
    if not splits:
        raise JobError(
            "the settings of the classifier cannot be searched, because without any one of the training items the others "
            "have only one class. Use fewer folds, or items with several classes."
        )
    return splits


def _search(
    pipeline: Pipeline,
    spec: EstimatorSpec,
    settings: Sequence[Mapping[str, Any]],
    splits: Iterable[tuple[Part, Part]],
    *,
    has_classes: bool,
) -> tuple[GridScore, ...]:
    """Score every setting; what does not depend on it is computed once for each split."""
    scores = []
    in_order = sorted(range(len(settings)), key=lambda row: str(settings[row].get("gamma")))  # a kernel is made once
    for fitted, held in splits:
        before = clone(pipeline[:-1]).fit(fitted.features)
        inputs = SharedInputs(pipeline[-1], before.transform(fitted.features), before.transform(held.features))
        split_scores = np.empty(len(settings))
        for row in in_order:
            estimator = clone(pipeline[-1]).set_params(**spec.parameters(settings[row], pipeline[-1]))
            answers = inputs.fit_and_predict(estimator, fitted.targets)
            if has_classes:
                split_scores[row] = f1_score(held.targets, answers, average="macro", zero_division=0)
            else:
                split_scores[row] = np.mean((answers.reshape(held.targets.shape) - held.targets) ** 2)
        scores.append(split_scores)
    means = np.mean(scores, axis=0)
    return tuple(GridScore(dict(values), float(mean)) for values, mean in zip(settings, means, strict=True))


@contextmanager
def _threads(threads: int) -> Iterator[None]:
    """Hold BLAS and OpenMP to a number of threads, on which the last digits depend; a grid may hold fits that end early."""
    with threadpool_limits(limits=threads), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield
