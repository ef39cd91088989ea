"""Keras's names of optimizers, schedules and metrics, so that settings are checked without importing Keras.

A name may be written in any of Keras's forms (``sgd``, ``SGD``, ``MeanSquaredError``, ``mse``); each has one form in settings.
"""

from collections.abc import Iterable
from typing import NamedTuple

_SHORT = {
    "mse": "mean_squared_error", "mae": "mean_absolute_error", "mape": "mean_absolute_percentage_error",
    "msle": "mean_squared_logarithmic_error", "bce": "binary_crossentropy", "kld": "kl_divergence",
}  # fmt: skip

OPTIMIZERS = {
    "adadelta": "Adadelta", "adafactor": "Adafactor", "adagrad": "Adagrad", "adam": "Adam", "adamax": "Adamax",
    "adamw": "AdamW", "ftrl": "Ftrl", "lamb": "Lamb", "lion": "Lion", "muon": "Muon", "nadam": "Nadam",
    "rmsprop": "RMSprop", "schedulefreeadamw": "ScheduleFreeAdamW", "sgd": "SGD",
}  # fmt: skip
"""The name of each optimizer, and that of its class."""

WITH_MOMENTUM = ("muon", "rmsprop", "sgd")
"""The optimizers that take a momentum; all of them take a weight decay."""

SCHEDULES = {
    "constant": "constant", "cosine": "cosine", "exponential": "exponential", "inverse_time": "inverse_time",
    "linear": "linear", "logarithmic": "logarithmic", "plateau": "plateau",
    "CosineDecay": "cosine", "ExponentialDecay": "exponential", "InverseTimeDecay": "inverse_time",
    "PolynomialDecay": "linear", "ReduceLROnPlateau": "plateau",
}  # fmt: skip
"""The names of schedules, Keras's own too, and what each means here."""

TO_FINAL = ("linear", "logarithmic")
"""The schedules that lead to `final_learning_rate`."""


SCORES = (
    "AUC", "BinaryAccuracy", "BinaryIoU", "F1Score", "FBetaScore", "MeanIoU", "OneHotIoU", "OneHotMeanIoU",
    "PearsonCorrelation", "ConcordanceCorrelation", "Precision", "PrecisionAtRecall", "R2Score", "Recall", "RecallAtPrecision",
    "SensitivityAtSpecificity", "SpecificityAtSensitivity",
)  # fmt: skip
"""Metrics of Keras that take options, so that a task does not name them; more of each is better."""


class KerasMetric(NamedTuple):
    """A metric of Keras: its class in keras.metrics, and whether more of it is better."""

    class_name: str
    higher_is_better: bool


def match(name: str, known: Iterable[str]) -> str | None:
    """Return which known name a user means, whether written as a class, a function or in Keras's short form; None: none.

    Such as ``Huber``, ``huber``; ``MSE``, ``mse``, ``mean_squared_error``.
    """
    plain = {plain_name(known_name): known_name for known_name in known}
    return plain.get(plain_name(_SHORT.get(name.lower(), name)))


def plain_name(name: str) -> str:
    """Return a name without what differs between its spellings as a class and as a function: ``meansquarederror``."""
    return name.replace("_", "").lower()
