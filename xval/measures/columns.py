"""Columns of predictions that several tasks share: a number for each output, or the name of one class.

Comes in: arrays, or columns. Goes out: the other of the two.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xval.measures.forms import Columns, Decoded

PROBABILITY = "probability"


def encode_outputs(prefix: str, values: NDArray[Any], names: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Return a column for each output: ``prefix_name``; values are (n, n_outputs)."""
    return {f"{prefix}_{name}": values[:, number] for number, name in enumerate(names)}


def decode_outputs(prefix: str, columns: Columns, names: Sequence[str]) -> NDArray[np.float32]:
    """Return float32 (n, n_outputs) from the columns ``prefix_name``."""
    return np.array([columns[f"{prefix}_{name}"].to_numpy() for name in names], np.float32).T


def encode_classes(targets: NDArray[Any] | None, probabilities: NDArray[Any], names: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Return target, predicted and the probability of each class, where one of them is the right one."""
    classes = np.array(names, dtype=object)
    true = {} if targets is None else {"target": classes[targets]}
    return true | {"predicted": classes[probabilities.argmax(axis=1)]} | encode_outputs(PROBABILITY, probabilities, names)


def decode_classes(columns: Columns, names: Sequence[str]) -> Decoded:
    """Return what `encode_classes` made columns of."""
    probabilities = decode_outputs(PROBABILITY, columns, names)
    if "target" not in columns:
        return Decoded(None, probabilities)
    numbers = {name: number for number, name in enumerate(names)}
    return Decoded(np.array([numbers[name] for name in columns["target"].to_numpy().tolist()], np.int64), probabilities)


def decode_labels(columns: Columns, names: Sequence[str]) -> Decoded:
    """Return 0 or 1 and the probability of each label, where any number of them is right."""
    is_known = any(f"target_{name}" in columns for name in names)
    targets = decode_outputs("target", columns, names) if is_known else None
    return Decoded(targets, decode_outputs(PROBABILITY, columns, names))
