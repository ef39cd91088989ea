"""The frames of an experiment: its jobs, their figures, their predictions.

Comes in: an experiment that is open. Goes out: tables for pandas; every view, mean or comparison is a selection of these.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from preprocessing.clips.parquet_files import column_names, read_frame
from xval.base.errors import ResultsError, brief

if TYPE_CHECKING:
    from xval.results.open import OpenResults

_KEY = {"instance": "int64", "fold": "int64", "repeat": "int64"}
_JOBS = _KEY | {
    "deal": "int64", "status": "str", "settings_hash": "str", "folds_hash": "str", "code_hash": "str", "seconds": "float64",
    "path": "str", "counts": "bool",
}  # fmt: skip
_ESTIMATES = {
    "instance": "int64", "side": "str", "metric": "str", "items": "float64", "pooled": "float64", "of": "str",
    "low": "float64", "high": "float64", "method": "object", "chance": "float64", "strategy": "str",
}  # fmt: skip
FIGURES = _KEY | {"side": "str", "item": "str", "metric": "str", "value": "float64"}
"""The columns of the frame of figures, and their types."""


def frame_of_jobs(results: "OpenResults") -> pd.DataFrame:
    """Return a row for each job that has ended.

    Returns:
        instance, fold, repeat, deal (0: of none), status (``done``, ``failed``), settings_hash, folds_hash, code_hash, seconds,
        path, and counts: whether it was made with the present settings on the present folds. Damaged records are left out.
    """
    plan, rows = results.folds.plan, []
    for instance in filter(results.folder.has_begun, results.folder.instances()):
        records = results.records(instance)[0]
        current = results.current(instance, records)
        for key, record in records.items():
            hashes = (record[name] for name in ("settings_hash", "folds_hash", "code_hash"))
            path = str(results.folder.fold_folder(*key))
            deal = plan.deal_of(key.fold) or 0
            rows.append((*key, deal, record["status"], *hashes, record["seconds"], path, key in current))
    return pd.DataFrame(rows, columns=list(_JOBS)).astype(_JOBS)


def frame_of_figures(results: "OpenResults") -> pd.DataFrame:
    """Return a row for each figure of each finished job that counts, further metrics included.

    Returns:
        instance, fold, repeat, side (of `FIGURE_PLACES`), item (empty: all of the side), metric, value (NaN: undefined).
    """
    numbers = filter(results.folder.has_begun, results.folder.instances())
    rows = (row for number in numbers for row in results.instance(number).rows())
    return pd.DataFrame(list(rows), columns=list(FIGURES)).astype(FIGURES)


def frame_of_estimates(results: "OpenResults") -> pd.DataFrame:
    """Return a row for each figure over the test items of an instance that is kept, as the last rebuild computed it.

    Returns:
        instance, side, metric; items, pooled, of, low, high, method, chance and strategy, as of an `ItemFigure`.
    """
    rows = [
        {"instance": number, "side": side, "metric": metric} | figure
        for number in results.folder.instances()
        for side, figures in results.kept_estimates(number).over_items.get("figures", {"figures": {}})["figures"].items()
        for metric, figure in figures.items()
    ]
    return pd.DataFrame(rows, columns=list(_ESTIMATES)).astype(_ESTIMATES)


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
