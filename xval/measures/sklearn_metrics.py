"""Metrics of scikit-learn by name: ``sklearn:cohen_kappa_score``, and its scorers, such as ``sklearn:f1_weighted``.

A metric gets labels or probabilities, depending on its scorer or else on the name of its second argument. scikit-learn is
imported only if one of its metrics is named.
"""

import inspect
import math
import warnings
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from xval.base.errors import SettingsError, suggestion
from xval.measures.metrics import SKLEARN, Bounds, Metric

PACKAGE = SKLEARN.replace(":", ".metrics.")
_HIGHER_IS_BETTER = {"_score": True, "_loss": False, "_error": False, "_deviance": False}
_PROBABILITIES = ("y_score", "y_prob", "y_proba")
_LABELS = ("y_pred", "y2", "labels_pred")
_SHARES = (
    "accuracy_score", "average_precision_score", "balanced_accuracy_score", "completeness_score", "f1_score", "fbeta_score",
    "fowlkes_mallows_score", "hamming_loss", "homogeneity_score", "jaccard_score", "label_ranking_average_precision_score",
    "label_ranking_loss", "ndcg_score", "normalized_mutual_info_score", "precision_score", "rand_score", "recall_score",
    "roc_auc_score", "top_k_accuracy_score", "v_measure_score", "zero_one_loss",
)  # fmt: skip
_OTHER_BOUNDS: Mapping[str, Bounds] = {
    "adjusted_rand_score": (-0.5, 1),
    "brier_score_loss": (0, 2),  # 1 for two classes
    "cohen_kappa_score": (-1, 1),
    "matthews_corrcoef": (-1, 1),
}
_UP_TO_1 = ("adjusted_mutual_info_score", "explained_variance_score", "r2_score", "d2_")
_FROM_0 = ("dcg_score", "mutual_info_score", "negative_likelihood_ratio", "positive_likelihood_ratio")
_SHARE = 0.5
"""The probability from which on each of several labels is predicted."""


class _Described(NamedTuple):
    """The properties of a metric according to scikit-learn.

    Attributes:
        function: Function of targets and predictions.
        higher_is_better: Whether a higher score is better; the score is the value of the function times `sign`.
        sign: -1 if a scorer is the negative of its function.
        wants_probabilities: Whether it requires probabilities instead of labels.
        options: The keyword arguments of the function.
        takes_labels: Whether it requires the list of classes.
    """

    function: Callable[..., Any]
    higher_is_better: bool
    sign: int
    wants_probabilities: bool
    options: Mapping[str, Any]
    takes_labels: bool


def direction(name: str) -> bool:
    """Return whether a higher value of a scikit-learn metric is better.

    Raises:
        SettingsError: There is no such metric, or it is not computed from labels or probabilities.
    """
    return _describe(name).higher_is_better


def load(name: str, *, has_classes: bool) -> Metric:
    """Return a scikit-learn metric as a metric of a task.

    Args:
        name: Name of a function of sklearn.metrics, or of a scorer.
        has_classes: Whether predictions are probabilities of classes; otherwise they are numbers.
    """
    described = _describe(name)

    def compute(targets: NDArray[Any], predictions: NDArray[np.float32]) -> float:
        options = dict(described.options)
        compared: tuple[NDArray[Any], NDArray[Any]] = (targets, predictions)
        if has_classes:
            compared = _as_wanted(targets, predictions, wants_probabilities=described.wants_probabilities)
        if has_classes and targets.ndim == 1 and described.takes_labels:
            options["labels"] = np.arange(predictions.shape[1])
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return float(described.sign * described.function(*compared, **options))
        except ValueError:
            if has_classes and _lacks_some(targets, predictions.shape[1]):
                return float("nan")  # undefined, as of an item without some class; with all of them it is a mistake
            raise

    return Metric(compute, described.higher_is_better, bounds=_bounds(described))


def _describe(name: str) -> _Described:
    from sklearn import metrics

    scorers = {known: metrics.get_scorer(known) for known in metrics.get_scorer_names()}
    function = getattr(metrics, name, None) if name in metrics.__all__ else None
    if not inspect.isfunction(function):
        if name not in scorers:
            functions = [known for known in metrics.__all__ if _suffix(known)]
            raise SettingsError(f"metric '{SKLEARN}{name}': unknown. {suggestion(name, {*scorers, *functions})}")
        scorer = scorers[name]
        wants_probabilities = scorer._response_method != "predict"
        takes_labels = wants_probabilities and "labels" in inspect.signature(scorer._score_func).parameters
        return _Described(scorer._score_func, True, scorer._sign, wants_probabilities, scorer._kwargs, takes_labels)
    arguments = inspect.signature(function).parameters
    matching_scorer = next((scorer for scorer in scorers.values() if scorer._score_func is function), None)
    if matching_scorer is not None:
        higher_is_better, wants_probabilities = matching_scorer._sign == 1, matching_scorer._response_method != "predict"
    else:
        second = next(iter([*arguments][1:]), "")
        if not _suffix(name) or second not in (*_PROBABILITIES, *_LABELS):
            raise SettingsError(
                f"metric '{SKLEARN}{name}': scikit-learn does not define whether higher is better, or it returns no number. "
                "Write a function that calls it under @metric(higher_is_better=...) (from xval import metric), and give its "
                "name."
            )
        higher_is_better, wants_probabilities = _HIGHER_IS_BETTER[_suffix(name)], second in _PROBABILITIES
    takes_labels = wants_probabilities and "labels" in arguments
    return _Described(function, higher_is_better, 1, wants_probabilities, _options_for_classes(arguments), takes_labels)


def _bounds(described: _Described) -> Bounds | None:
    """Return the smallest and largest value according to scikit-learn's documentation; None: it has none."""
    name = described.function.__name__
    if name in _SHARES:
        bounds: Bounds = (0, 1)
    elif name in _OTHER_BOUNDS:
        bounds = _OTHER_BOUNDS[name]
    elif name.startswith(_UP_TO_1):
        bounds = (-math.inf, 1)
    elif name in _FROM_0 or not _HIGHER_IS_BETTER.get(_suffix(name), True):  # an error, a loss or a deviance
        bounds = (0, math.inf)
    else:
        return None
    return bounds if described.sign == 1 else (-bounds[1], -bounds[0])


def _as_wanted(
    targets: NDArray[Any], predictions: NDArray[np.float32], *, wants_probabilities: bool
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return targets and the labels or float64 probabilities to compare; for two classes, those of the second class."""
    if targets.ndim > 1:
        return targets.astype(np.int64), predictions if wants_probabilities else (predictions >= _SHARE).astype(np.int64)
    if not wants_probabilities:
        return targets, predictions.argmax(axis=1)
    probabilities = predictions.astype(np.float64)
    probabilities /= probabilities.sum(axis=1, keepdims=True)  # of float32 they add up to almost 1, which is refused
    return targets, probabilities[:, 1] if probabilities.shape[1] == 2 else probabilities


def _lacks_some(targets: NDArray[Any], n_classes: int) -> bool:
    """Return whether a class occurs in no target; for several labels, whether one is always or never true."""
    if targets.ndim == 1:
        return len(np.unique(targets)) < n_classes
    return bool((targets.min(axis=0) == targets.max(axis=0)).any())


def _options_for_classes(arguments: Mapping[str, inspect.Parameter]) -> dict[str, str]:
    """Return options for any number of classes if the defaults of a function are for two classes."""
    options = {}
    if "average" in arguments and arguments["average"].default == "binary":
        options["average"] = "macro"
    if "multi_class" in arguments:
        options["multi_class"] = "ovr"
    return options


def _suffix(name: str) -> str:
    return next((suffix for suffix in _HIGHER_IS_BETTER if name.endswith(suffix)), "")
