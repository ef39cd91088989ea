"""Weights of classes in training, from the setting ``class_weights``: none, balanced, or a number for some classes."""

import json
import math
from collections.abc import Mapping, Sequence
from numbers import Real

import numpy as np
from numpy.typing import NDArray

from xval.base.errors import SettingsError, suggestion
from xval.base.literals import read_literal

NONE, BALANCED = "none", "balanced"
_EXAMPLE = 'expected none, balanced, or a weight for each class, such as \'angry: 3, calm: 1\' or {"angry": 3, "calm": 1}'


def read_class_weights(value: object) -> str:
    """Return the setting in the form of records: ``none``, ``balanced``, or JSON such as ``{"angry": 3.0}``.

    Args:
        value: Text, or a dict from class names to weights; other classes have the weight 1.

    Raises:
        ValueError: It is neither; or weights are not finite, below 0, or all 0.
    """
    if value in (None, NONE, BALANCED) and not isinstance(value, bool):
        return NONE if value is None else str(value)
    written = _read(value) if isinstance(value, str) else value
    if not isinstance(written, Mapping) or not written:
        raise ValueError(_EXAMPLE)
    weights: dict[str, float] = {}
    for name, weight in written.items():
        if isinstance(weight, bool) or not isinstance(weight, Real) or not math.isfinite(weight) or weight < 0:
            raise ValueError(f"the weight of class '{name}' is {weight!r}; expected numbers of 0 or more")
        if str(name) in weights:
            raise ValueError(f"class '{name}' is given twice. Keep one of them")
        weights[str(name)] = float(weight)
    if not any(weights.values()):
        raise ValueError("all weights are 0, so nothing would be trained; expected at least one above 0")
    return json.dumps(dict(sorted(weights.items())), ensure_ascii=False)


def _read(text: str) -> object:
    """Return the dict in a text: ``angry: 3, calm: 1``, with or without braces and quotes."""
    inner = text.strip()
    try:
        return read_literal(inner if inner.startswith("{") else f"{{{inner}}}")
    except (ValueError, SyntaxError):
        pass
    pairs: list[tuple[str, float]] = []
    for part in inner.strip("{}").split(","):
        name, colon, weight = part.rpartition(":")
        try:
            pairs.append((name.strip(" '\""), float(weight)))
        except ValueError:
            raise ValueError(_EXAMPLE) from None
        if not colon or not pairs[-1][0]:
            raise ValueError(_EXAMPLE)
    if twice := [name for name, _ in pairs if [other for other, _ in pairs].count(name) > 1]:
        raise ValueError(f"class '{twice[0]}' is given twice. Keep one of them")
    return dict(pairs)


def own_weights(setting: str) -> dict[str, float]:
    """Return the weights in the setting by class; empty for none and balanced."""
    return {} if setting in (NONE, BALANCED) else json.loads(setting)


def check_class_names(setting: str, class_names: Sequence[str]) -> None:
    """Raise an error for a weight of an unknown class, and for weights that leave no class to train."""
    weights = own_weights(setting)
    for name in weights:
        if name not in class_names:
            raise SettingsError(f"class_weights: '{name}' is not a class of the dataset. {suggestion(name, class_names)}")
    if weights and not any(weights.get(name, 1.0) for name in class_names):
        raise SettingsError(
            "class_weights: all classes of the dataset have the weight 0, so nothing would be trained. Set at least one "
            "above 0."
        )


def for_estimator(setting: str, class_names: Sequence[str]) -> dict[int, float] | str | None:
    """Return the setting in the form of scikit-learn's ``class_weight``, by class number."""
    if setting in (NONE, BALANCED):
        return None if setting == NONE else BALANCED
    weights = own_weights(setting)
    return {number: weights.get(name, 1.0) for number, name in enumerate(class_names)}


def example_weights(setting: str, targets: NDArray[np.integer], class_names: Sequence[str]) -> NDArray[np.float32] | None:
    """Return a weight per training example: float32 (n_examples,); None: equal weights.

    Balanced weights have the mean 1, as in scikit-learn's ``class_weight="balanced"``. Weights in the setting are used
    unchanged, as in Keras's ``fit(class_weight=...)``.
    """
    if setting == NONE:
        return None
    if setting == BALANCED:
        counts = np.bincount(targets, minlength=len(class_names))
        weights = len(targets) / (np.count_nonzero(counts) * np.maximum(counts, 1))
    else:
        weights = np.array([own_weights(setting).get(name, 1.0) for name in class_names])
    return np.asarray(weights[targets], np.float32)
