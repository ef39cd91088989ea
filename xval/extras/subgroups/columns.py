"""Divide the clips of a dataset into groups by one of its columns, such as gender, age or recorder."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import pandas as pd

from preprocessing.clips.columns import further_columns
from xval.base.errors import SettingsError, suggestion

_MOST_GROUPS = 20  # of a column that is chosen without --by
_MOST_VALUES = 4  # a numeric column with more values is cut into bins
_FEWEST_IN_BIN = 6
_MOST_BINS = 4
_LEAST_IN_FULL = 1000  # three digits of it would be 1e+03
_ELSE_ALLOWED = ("label", "sample_rate_hz", "duration_s")


class GroupColumn(NamedTuple):
    """The groups that a column of a dataset divides the clips into.

    Attributes:
        name: The name of the column.
        groups: The name of the group of each clip that has a value; the index is the name of the clip.
        names: The names of the groups, in the order in which they are shown.
        cut_over: ``items`` or ``clips`` if numbers were cut into bins at quantiles over items or clips; empty otherwise.
    """

    name: str
    groups: "pd.Series[str]"
    names: tuple[str, ...]
    cut_over: Literal["", "items", "clips"] = ""


def group_columns(table: pd.DataFrame) -> list[str]:
    """Return the additional columns of a dataset that divide its clips into 2 to 20 groups.

    Columns with one value per item come first. Columns that only rename the items or the labels are excluded.

    Args:
        table: The clips with all columns, from `preprocessing.clips.columns.with_columns`.
    """
    names = [
        name
        for name in further_columns(table.columns)
        if 2 <= len(find_groups(table, name).names) <= _MOST_GROUPS and not _is_name(table, name)
    ]
    return sorted(names, key=lambda name: int(table.groupby("item")[name].nunique().max()) > 1)


def _is_name(table: pd.DataFrame, name: str) -> bool:
    """Return whether a column only renames the items or the labels.

    Numbers that happen to differ between all items, such as ages, are not names unless they are the digits of the item names.
    """
    values = table[name]
    if "label" in table and _are_one_to_one(values, table["label"]):
        return True
    if not _are_one_to_one(values, table["item"]):
        return False
    digits = table["item"].astype(str).str.replace(r"\D", "", regex=True).str.lstrip("0")
    return values.dtype.kind not in "iuf" or bool((values.map("{:g}".format).replace("0", "") == digits).all())


def _are_one_to_one(first: "pd.Series[Any]", second: "pd.Series[Any]") -> bool:
    pairs = pd.DataFrame({"first": first, "second": second}).drop_duplicates()
    return bool(pairs["first"].is_unique and pairs["second"].is_unique)


def find_groups(table: pd.DataFrame, name: str) -> GroupColumn:
    """Return the groups of a column; clips without a value belong to no group.

    Each text is a group. A numeric column with more than 4 values is cut at its quantiles into 2 to 4 bins, with at least 6
    items per bin where possible, or 6 clips if items have several values.

    Args:
        table: The clips with all columns, from `preprocessing.clips.columns.with_columns`.
        name: An additional column, or label, sample_rate_hz or duration_s.

    Raises:
        SettingsError: The dataset has no such column.
    """
    allowed = [*further_columns(table.columns), *(column for column in _ELSE_ALLOWED if column in table)]
    if name not in allowed:
        raise SettingsError(
            f"--by {name}: the dataset has no such column. {suggestion(name, allowed)} Extra columns of a table, and facts "
            "from file names of a known corpus, are stored by xval prepare. Prepare the dataset again; folds, "
            "stores and results are kept."
        )
    filled = table.loc[table[name].notna() & ~table["augmented"].astype(bool), ["clip", "item", name]]
    values, is_per_item, is_cut = filled[name], bool((filled.groupby("item")[name].nunique() == 1).all()), False
    if values.dtype.kind not in "iuf":
        texts, order = values.astype(str), sorted(set(values.astype(str)))
    elif values.nunique() <= _MOST_VALUES:
        texts, order = values.map("{:g}".format), [f"{value:g}" for value in sorted(set(values))]
    else:
        is_cut = True
        units = filled.drop_duplicates("item") if is_per_item else filled
        n_bins = min(max(len(units) // _FEWEST_IN_BIN, 2), _MOST_BINS)
        edges = units[name].quantile([place / n_bins for place in range(1, n_bins)]).unique()
        bins = pd.Series(edges.searchsorted(values, side="left"), index=values.index)
        ranges = _ranges({bin_number: (bin_values.min(), bin_values.max()) for bin_number, bin_values in values.groupby(bins)})
        texts, order = bins.map(ranges), list(ranges.values())
    groups = pd.Series(texts.to_numpy(dtype=object), index=filled["clip"])
    return GroupColumn(name, groups, tuple(order), ("items" if is_per_item else "clips") if is_cut else "")


def _ranges(ends: Mapping[int, tuple[float, float]]) -> dict[int, str]:
    """Return texts such as ``-63.7 to -46.1`` by the number of the bin, with six digits if three do not distinguish bins."""
    largest = max(abs(end) for pair in ends.values() for end in pair)
    digits = (3, 6) if largest < _LEAST_IN_FULL else (6,)
    for n_digits in digits:
        ranges = {
            bin_number: " to ".join(dict.fromkeys(f"{end:.{n_digits}g}" for end in pair)) for bin_number, pair in ends.items()
        }
        if len(set(ranges.values())) == len(ranges):
            break
    return ranges
