"""How sure an estimator is: the softmax of its scores divided by one temperature, which is fitted on validation examples.

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
    """Return what a classifier decides by, float64 (n_examples, n_fitted_classes), the highest is its decision.

    They are its decision values; of a forest and of neighbours, which have none, the logarithms of their shares.
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
        features: float (n_examples, n_features), of examples that it was not fitted to.
        targets: int64 (n_examples,), their classes.

    Returns:
        The temperature; None where no example has a class that the classifier knows.
    """
    known = np.isin(targets, pipeline.classes_)
    return temperature_of_scores(
        scores_of(pipeline, features[known]) if known.any() else np.empty((0, len(pipeline.classes_))),
        np.searchsorted(pipeline.classes_, targets[known]),
    )


def temperature_of_scores(scores: NDArray[np.float64], places: NDArray[np.integer]) -> float | None:
    """Return the same for scores, float64 (n_examples, n_fitted_classes), and the places of the true classes among these."""
    if not len(places):
        return None
    return calibration.fit_temperature(
        lambda temperature: np.asarray(log_softmax(scores / temperature, axis=1), np.float64),
        places,
        n_wrong=scores.shape[1] - 1,  # each other class once
    )


def probabilities_of(pipeline: Pipeline, features: NDArray[np.floating], temperature: float | None) -> NDArray[np.float64]:
    """Return how probable each fitted class is, float64 (n_examples, n_fitted_classes).

    Args:
        pipeline: A fitted classifier.
        features: float (n_examples, n_features).
        temperature: Of `fit_temperature`; None: as the classifier says itself, an SVM with the temperature 1.
    """
    if temperature is None and hasattr(pipeline, "predict_proba"):
        return np.asarray(pipeline.predict_proba(features), np.float64)
    return np.asarray(softmax(scores_of(pipeline, features) / (temperature or 1.0), axis=1), np.float64)
