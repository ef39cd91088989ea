"""Tables for pandas: of jobs, their figures, figures over items, and predictions.

Comes in: rows, or the predictions.parquet of a job. Goes out: DataFrames.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from preprocessing.clips.parquet_files import column_names, read_frame
from xval.base.errors import ResultsError, brief

_KEY = {"instance": "int64", "fold": "int64", "repeat": "int64"}
JOBS = _KEY | {
    "deal": "int64", "status": "str", "settings_hash": "str", "folds_hash": "str", "code_hash": "str", "seconds": "float64",
    "path": "str", "counts": "bool",
}  # fmt: skip
"""The columns of the frame of jobs, and their types."""
FIGURES = _KEY | {"side": "str", "item": "str", "metric": "str", "value": "float64"}
"""Those of the frame of figures."""
ESTIMATES = {
    "instance": "int64", "side": "str", "metric": "str", "items": "float64", "pooled": "float64", "of": "str",
    "low": "float64", "high": "float64", "method": "object", "chance": "float64", "strategy": "str",
}  # fmt: skip
"""Those of the frame of estimates."""


def make_frame(rows: Iterable[Any], dtypes: Mapping[str, str]) -> pd.DataFrame:
    """Return rows, tuples or dicts, as a table with these columns."""
    return pd.DataFrame(list(rows), columns=list(dtypes)).astype(dict(dtypes))


def frame_of_predictions(path: Path, columns: Iterable[str] | None = None) -> pd.DataFrame:
    """Return some columns of predictions.parquet of a job; None: all."""
    names = prediction_columns(path) if columns is None else list(columns)
    try:
        return read_frame(path, {"item": "text"}, columns=names)[names]
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error


def prediction_columns(path: Path) -> list[str]:
    """Return the columns of predictions.parquet, reading no more than its footer."""
    try:
        return column_names(path)
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> ResultsError:
    reason = "missing" if isinstance(error, FileNotFoundError) else f"damaged ({brief(error)})"
    return ResultsError(f"{path}: {reason}. Move the fold folder away and run the experiment again.")
