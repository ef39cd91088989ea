"""Metrics of one class against the others, the positive one: sensitivity, specificity, F1, predictive values, fixed points.

The setting ``metrics`` names them. Only the user knows which of two classes is to be detected, so ``positive_class`` has no
default.

Sources: Altman and Bland, BMJ 308:1552, 1994 (sensitivity and specificity); BMJ 309:102, 1994 (predictive values).
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from xval.base.errors import SettingsError, suggestion
from xval.base.keras_names import plain_name
from xval.measures.confusion import Predictions, Targets
from xval.measures.metrics import Chance, Metric, RestsOn
from xval.measures.operating_points import FIXED, point_at

WRITTEN = "positive_class:"
"""Prefix of the class number in the stored name of a metric that was added after training: ``positive_class:1.f1``."""


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


def _sensitivity(hits: int, misses: int, false_alarms: int, rejected: int) -> float:  # noqa: ARG001 - all take the table
    return _share(hits, hits + misses)


def _specificity(hits: int, misses: int, false_alarms: int, rejected: int) -> float:  # noqa: ARG001 - as above
    return _share(rejected, rejected + false_alarms)


def _f1(hits: int, misses: int, false_alarms: int, rejected: int) -> float:  # noqa: ARG001 - as above
    return _share(2 * hits, 2 * hits + misses + false_alarms)


def _ppv(hits: int, misses: int, false_alarms: int, rejected: int) -> float:  # noqa: ARG001 - as above
    return _share(hits, hits + false_alarms)


def _npv(hits: int, misses: int, false_alarms: int, rejected: int) -> float:  # noqa: ARG001 - as above
    return _share(rejected, rejected + misses)


_OF_TABLE: dict[str, Callable[[int, int, int, int], float]] = {
    "sensitivity": _sensitivity,
    "specificity": _specificity,
    "f1": _f1,
    "ppv": _ppv,
    "npv": _npv,
}
NAMES = (*_OF_TABLE, *FIXED)
_ALIASES = {
    "truepositiverate": "sensitivity",
    "tpr": "sensitivity",
    "truenegativerate": "specificity",
    "tnr": "specificity",
    "f1binary": "f1",
    "binaryf1": "f1",
    "f1score": "f1",
    "positivepredictivevalue": "ppv",
    "negativepredictivevalue": "npv",
}


def canonical(name: str) -> str:
    """Return the name of the scores of a metric of the positive class; any other name is returned unchanged."""
    plain = plain_name(name)
    return _ALIASES.get(plain, next((known for known in NAMES if plain_name(known) == plain), name))


def find(name: str, positive: int) -> Metric:
    """Return a metric of the positive class with this number.

    It is NaN where it is undefined, such as the sensitivity of examples without a positive one.
    """
    if name in FIXED:
        at_point, chance = partial(_measure_at, name, positive), partial(_chance_at, name)
        return Metric(
            at_point, higher_is_better=True, bounds=(0, 1), chance=chance, is_pooled=True, rests_on=rests_on(positive)
        )
    sides = {"sensitivity": (True,), "specificity": (False,)}.get(name, (True, False))
    measured, chance = partial(_measure, _OF_TABLE[name], positive), partial(_chance, name, positive)
    return Metric(measured, higher_is_better=True, bounds=(0, 1), chance=chance, rests_on=rests_on(positive, sides))


def rests_on(positive: int, sides: Sequence[bool] = (True, False)) -> RestsOn:
    """Return which examples are positive and which negative, as far as a score depends on them; see `Metric`."""
    return partial(_sides_of, positive, sides)


def _sides_of(positive: int, sides: Sequence[bool], targets: Targets) -> NDArray[np.bool_]:
    return np.stack([(targets == positive) == side for side in sides], axis=1)


def _measure(
    score_counts: Callable[[int, int, int, int], float], positive: int, targets: Targets, predictions: Predictions
) -> float:
    is_positive, is_found = targets == positive, np.argmax(predictions, axis=1) == positive
    hits, found, positives = (int(np.count_nonzero(of)) for of in (is_positive & is_found, is_found, is_positive))
    return score_counts(hits, positives - hits, found - hits, len(targets) - positives - found + hits)


def _chance(name: str, positive: int, targets: Targets, weights: NDArray[np.float64]) -> Chance:
    """Return the chance level; none of sensitivity and specificity, in each of which one constant answer reaches 1."""
    share = float(weights[targets == positive].sum())
    levels = {
        "f1": (2 * share / (1 + share), "always the positive class"),
        "ppv": (share, "always the positive class"),
        "npv": (1 - share, "never the positive class"),
    }
    return Chance(*levels.get(name, (float("nan"), "")))


def _measure_at(name: str, positive: int, targets: Targets, predictions: Predictions) -> float:
    point = point_at(name, targets == positive, predictions[:, positive])
    if point is None:
        return float("nan")
    return point.sensitivity if FIXED[name][0] == "specificity" else point.specificity


def _chance_at(name: str, targets: Targets, weights: NDArray[np.float64]) -> Chance:  # noqa: ARG001 - every chance takes both
    return Chance(1 - FIXED[name][1], "any prediction that does not depend on the audio")


def number_of(positive_class: str | None, class_names: Sequence[str]) -> int | None:
    """Return the number of the positive class; None: no class has this name, or none is named."""
    return class_names.index(positive_class) if positive_class in class_names else None


def check_class(names: Iterable[str], positive_class: str | None, class_names: Sequence[str], where: str) -> None:
    """Raise a `SettingsError` for an unknown positive class, and for its metrics if no positive class is named.

    Args:
        names: The requested metrics.
        positive_class: The setting of this name.
        class_names: The classes of the corpus.
        where: The setting to write, such as ``positive_class = ...``, in which ``{}`` stands for a class.
    """
    if positive_class is not None and positive_class not in class_names:
        raise SettingsError(
            f"positive_class: '{positive_class}' is not a class of the dataset. {suggestion(positive_class, class_names)}"
        )
    asked = [name for name in names if name in NAMES]
    if asked and positive_class is None:
        how = where.format(class_names[-1])
        raise SettingsError(
            f"metric '{asked[0]}' needs one class to detect; the dataset has {', '.join(class_names)}. Choose one, such as "
            f"{how}."
        )
