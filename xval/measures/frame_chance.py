"""The chance level of frame metrics: the best score of strategies that ignore the audio."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xval.measures.metrics import Chance, ChanceFunction

Targets = NDArray[Any]

_MOST_FREQUENT, _ALL_EVENTS = "always the most frequent event", "always all events"
_GUESS_EVENTS = "a random event, each as often as it occurs, never the background"


def _shares(targets: Targets, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share of frames with each class of events that occurs: float64 (n_classes,)."""
    shares = np.bincount(targets, weights)[1:] if targets.ndim == 1 else weights @ targets.astype(np.float64)
    return np.asarray(shares[shares > 0])


def chance_accuracy(targets: Targets, weights: NDArray[np.float64]) -> Chance:
    """Return the share of the most frequent class; for labels the mean share of the more frequent state, on or off."""
    if targets.ndim == 1:
        return Chance(float(np.bincount(targets, weights).max()), "always the most frequent class")
    shares = weights @ targets.astype(np.float64)
    return Chance(float(np.mean(np.maximum(shares, 1 - shares))), "each label always or never, whichever is more frequent")


def chance_balanced(targets: Targets, weights: NDArray[np.float64]) -> Chance:
    """Return 1 / (number of classes that occur): the mean recall of every constant prediction and of guessing."""
    n_classes = np.count_nonzero(np.bincount(targets, weights)) if targets.ndim == 1 else 2
    return Chance(float(1 / n_classes), "any constant prediction, or guessing")


def event_chance(best: Callable[[NDArray[np.float64], bool], Chance]) -> ChanceFunction:
    """Return a chance level function of the shares of events and of whether a frame may have several at once."""

    def chance(targets: Targets, weights: NDArray[np.float64]) -> Chance:
        shares = _shares(targets, weights)
        return best(shares, targets.ndim > 1) if len(shares) else Chance(float("nan"), "no event is annotated")

    return chance


def best_f1(shares: NDArray[np.float64], is_multi_label: bool) -> Chance:
    """Return the best F1 of predicting the same events in every frame, or the same event if a frame has one class."""
    n_on = np.arange(1, len(shares) + 1 if is_multi_label else 2)
    reached = 2 * np.cumsum(np.sort(shares)[::-1])[: len(n_on)] / (shares.sum() + n_on)
    best = int(reached.argmax())
    return Chance(float(reached[best]), f"always the {best + 1} most frequent events" if best else _MOST_FREQUENT)


def best_precision(shares: NDArray[np.float64], is_multi_label: bool) -> Chance:  # noqa: ARG001 - all take both
    """Return the precision of predicting the most frequent event in every frame: its share."""
    return Chance(float(shares.max()), _MOST_FREQUENT)


def best_recall(shares: NDArray[np.float64], is_multi_label: bool) -> Chance:
    """Return the recall of predicting all events, or the most frequent event if a frame has one class."""
    return Chance(1.0, _ALL_EVENTS) if is_multi_label else Chance(float(shares.max() / shares.sum()), _MOST_FREQUENT)


def best_macro_f1(shares: NDArray[np.float64], is_multi_label: bool) -> Chance:
    """Return the best mean F1 of predictions that ignore the audio.

    If a frame may have several events, predicting each all the time is best: 2 p / (1 + p) for an event with the share p. If it
    has one class, a class with the share p that is predicted with probability q has the F1 2 p q / (p + q), and the mean is
    best if q is proportional to p.
    """
    if is_multi_label:
        return Chance(float(np.mean(2 * shares / (1 + shares))), _ALL_EVENTS)
    return Chance(float(2 * shares.sum() / (1 + shares.sum()) / len(shares)), _GUESS_EVENTS)


def best_macro_recall(shares: NDArray[np.float64], is_multi_label: bool) -> Chance:
    """Return the mean recall of predicting all events, or of guessing among them if a frame has one class."""
    return Chance(1.0, _ALL_EVENTS) if is_multi_label else Chance(float(1 / len(shares)), _GUESS_EVENTS)


def mean_share(shares: NDArray[np.float64], is_multi_label: bool) -> Chance:  # noqa: ARG001
    """Return the mean share of the events, which is the average precision of a random order."""
    return Chance(float(shares.mean()), "the same prediction for all frames")
