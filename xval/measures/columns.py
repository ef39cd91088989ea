"""Convert predictions with a number per output to columns of a table, and back."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xval.measures.forms import Columns

PROBABILITY = "probability"


def encode_outputs(prefix: str, values: NDArray[Any], names: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Return a column for each output: ``prefix_name``; values are (n, n_outputs)."""
    return {f"{prefix}_{name}": values[:, number] for number, name in enumerate(names)}


def decode_outputs(prefix: str, columns: Columns, names: Sequence[str]) -> NDArray[np.float32]:
    """Return float32 (n, n_outputs) from the columns ``prefix_name``."""
    return np.array([columns[f"{prefix}_{name}"].to_numpy() for name in names], np.float32).T
