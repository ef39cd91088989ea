"""Choose and fit scaler, principal components and a scikit-learn estimator without test items.

A grid is searched by leaving items out. Inner folds (`inner_seed`) also give a prediction for each example by an estimator that
was fitted without its item, for validation scores and the temperature. Without them folds of the training items search
(GroupKFold), or, if features come from networks that may have memorised the training items, the validation items, on which
those networks were not fitted: the output of such a network for a training item is not representative of other items.
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
"""The examples that each split fits, and those that it scores."""


class Part(NamedTuple):
    """Features, float (n_examples, n_features), and targets, int64 (n_examples,) or float32 (n_examples, n_outputs)."""

    features: NDArray[np.floating]
    targets: NDArray[Any]

    def at(self, rows: NDArray[np.intp]) -> "Part":
        """Return a copy of some of the examples."""
        return Part(self.features[rows], self.targets[rows])


@dataclass(frozen=True)
class GridScore:
    """The score of one setting of the grid.

    Attributes:
        settings: The settings of the estimator.
        score: Macro F1 for classes, mean squared error for numbers, averaged over the splits.
    """

    settings: dict[str, Any]
    score: float


@dataclass(frozen=True)
class FittedEstimator:
    """A fitted pipeline.

    Attributes:
        pipeline: Scaler, principal components (if requested) and estimator.
        n_outputs: Number of classes of the corpus (a class without training examples is never predicted), or of numbers to
            predict.
        has_classes: Whether it predicts classes.
        temperature: See calibration.py; None for numbers, and without data for calibration.
        settings: The chosen settings.
        grid: The scores of all settings, in the order of the search; empty if there was only one.
        searched_on: The items that scored them: training_items_left_out, validation_items or inner_folds.
        out_of_fold: float32 (n_examples, n_outputs), predictions for its training examples by estimators that were fitted
            without their items, NaN for examples that are not scored; None: there are none.
        target_mean: float32 (n_outputs,), for numbers: predictions are multiplied by the standard deviation, then this mean is
            added.
        target_deviation: float32 (n_outputs,), the standard deviation.
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
        """Return the inputs of the estimator, after scaler and components: float32 (n_examples, n_scaled)."""
        return np.asarray(self.pipeline[:-1].transform(features), np.float32)

    def answers(self, features: NDArray[np.floating], *, threads: int = 1) -> NDArray[np.float32]:
        """Return the predicted numbers, or probabilities, float32 (n_examples, n_classes).

        The first highest one is the decision.

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
        spec: The estimator to fit.
        n_outputs: Number of classes of the corpus, or of numbers to predict.
        has_classes: Whether targets are classes.
        validation: The examples on which the probabilities are calibrated; None: no calibration.
        search_on_validation: Whether to score the grid on `validation` as well, instead of on training items that were left
            out.
        inner_seed: Seed of the inner folds, which then also give out-of-fold predictions and calibrate by these; None: the grid
            is searched with folds without a seed, and there are no such predictions.
        scaling: Mean and standard deviation of the numbers to predict, float32 (n_outputs,), by which targets are scaled.
        class_weight: In scikit-learn's form: ``balanced``, or a weight for each class number.
        scored: bool (n_examples,), the examples that are scored in the search; augmented ones are only used for fitting. None:
            all.
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
    """Return the temperature for the out-of-fold scores of examples, and their probabilities.

    A split whose examples have only one class predicts this class and does not affect the temperature. If the predictions of
    each split are constant, all examples get the mean of these predictions; otherwise their order would depend on how rare a
    class is in the splits, and their AUC would be 0 or 1.
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
    """Return the out-of-fold predictions of examples, in the unit of the targets."""
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
    """Return the examples to fit and to score, split by whole items; with a seed, splits are stratified by class."""
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
    """Return the splits with several classes to fit, or all splits for numbers."""
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
    """Score every setting; computations that do not depend on it are done once for each split."""
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
    """Limit BLAS and OpenMP to a number of threads, which affects the last digits; ignore warnings of non-convergence."""
    with threadpool_limits(limits=threads), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield
