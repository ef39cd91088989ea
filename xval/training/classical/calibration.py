"""The probabilities of an estimator: the softmax of its scores divided by a temperature from validation examples.

`xval.measures.calibration` fits it (temperature scaling).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax
from sklearn.pipeline import Pipeline

from xval.measures import calibration
from xval.training.classical.kernels import decide

_SMALLEST_SHARE = 0.1  # of what is even among the classes: trees or neighbours that all agree are not certain


def scores_of(pipeline: Pipeline, features: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the scores of a classifier, whose highest is its decision: float64 (n_examples, n_fitted_classes).

    They are its decision values; for a forest and for neighbours, which have none, the logarithms of their shares.
    """
    if not hasattr(pipeline, "decision_function"):
        shares = np.asarray(pipeline.predict_proba(features), np.float64)
        return np.asarray(np.log(np.maximum(shares, _SMALLEST_SHARE / shares.shape[1])), np.float64)
    values = np.asarray(decide(pipeline, features, "decision_function"), np.float64)
    return np.stack([-values, values], axis=1) if values.ndim == 1 else values


def fit_temperature(pipeline: Pipeline, features: NDArray[np.floating], targets: NDArray[Any]) -> float | None:
    """Return the temperature with the smallest cross entropy on validation examples.

    Args:
        pipeline: A fitted classifier.
        features: float (n_examples, n_features), of examples to which it was not fitted.
        targets: int64 (n_examples,), their classes.

    Returns:
        The temperature; None if no example has a class that the classifier knows.
    """
    known = np.isin(targets, pipeline.classes_)
    return temperature_of_scores(
        scores_of(pipeline, features[known]) if known.any() else np.empty((0, len(pipeline.classes_))),
        np.searchsorted(pipeline.classes_, targets[known]),
    )


def temperature_of_scores(scores: NDArray[np.float64], places: NDArray[np.integer]) -> float | None:
    """Return the same for scores, float64 (n_examples, n_fitted_classes), and the indices of the true classes."""
    if not len(places):
        return None
    return calibration.fit_temperature(
        lambda temperature: np.asarray(log_softmax(scores / temperature, axis=1), np.float64),
        places,
        n_wrong=scores.shape[1] - 1,  # each other class once
    )


def probabilities_of(pipeline: Pipeline, features: NDArray[np.floating], temperature: float | None) -> NDArray[np.float64]:
    """Return the probability of each fitted class: float64 (n_examples, n_fitted_classes).

    Args:
        pipeline: A fitted classifier.
        features: float (n_examples, n_features).
        temperature: From `fit_temperature`; None: the classifier's own probabilities, or the temperature 1 for an SVM.
    """
    if temperature is None and hasattr(pipeline, "predict_proba"):
        return np.asarray(pipeline.predict_proba(features), np.float64)
    return np.asarray(softmax(scores_of(pipeline, features) / (temperature or 1.0), axis=1), np.float64)
