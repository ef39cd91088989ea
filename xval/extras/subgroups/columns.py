"""Turn a column of a corpus into groups of clips.

Comes in: the clips with the further columns of their corpus. Goes out: the group of each clip.
"""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import pandas as pd

from preprocessing.clips.columns import further_columns
from xval.base.errors import SettingsError, suggestion

_MOST_GROUPS = 20  # of a column that nobody has asked for
_MOST_VALUES = 4  # a number that takes more values is cut into bins
_FEWEST_IN_BIN = 6
_MOST_BINS = 4
_LEAST_IN_FULL = 1000  # three digits of it would be 1e+03
_ELSE_ALLOWED = ("label", "sample_rate_hz", "duration_s")


class GroupColumn(NamedTuple):
    """The groups of a column.

    Attributes:
        groups: The group of each clip that has one, by clip.
        names: Of the groups, in their order.
        cut_over: ``items`` or ``clips``, at whose quantiles numbers were cut into bins; empty: they were not.
    """

    name: str
    groups: "pd.Series[str]"
    names: tuple[str, ...]
    cut_over: Literal["", "items", "clips"] = ""


def group_columns(table: pd.DataFrame) -> list[str]:
    """Return the further columns of a corpus that put its items or clips into 2 to 20 groups, those of items first.

    Columns that are another name of the item or the label are left out. The table is that of
    `preprocessing.clips.columns.with_columns`.
    """
    names = [
        name
        for name in further_columns(table.columns)
        if 2 <= len(find_groups(table, name).names) <= _MOST_GROUPS and not _is_name(table, name)
    ]
    return sorted(names, key=lambda name: int(table.groupby("item")[name].nunique().max()) > 1)


def _is_name(table: pd.DataFrame, name: str) -> bool:
    """Return whether a column is another name of the items or the labels; an age that no two items share is none of an item."""
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
    """Return the groups of a column; clips without a value have none.

    Text is taken as it is. Numbers of more than 4 values are cut at quantiles into bins of at least 6 items (clips where the
    items have several values), 2 to 4 bins.

    Args:
        table: As of `preprocessing.clips.columns.with_columns`.
        name: A further column, or label, sample_rate_hz or duration_s.
    """
    known = [*further_columns(table.columns), *(column for column in _ELSE_ALLOWED if column in table)]
    if name not in known:
        raise SettingsError(
            f"--by {name}: the dataset has no such column. {suggestion(name, known)} Extra columns of a table, and facts "
            "from file names of a known corpus, are stored by xval prepare. Prepare the dataset again; folds, "
            "stores and results are kept."
        )
    filled = table.loc[table[name].notna() & ~table["augmented"].astype(bool), ["clip", "item", name]]
    values, is_of_items, is_cut = filled[name], bool((filled.groupby("item")[name].nunique() == 1).all()), False
    if values.dtype.kind not in "iuf":
        texts, order = values.astype(str), sorted(set(values.astype(str)))
    elif values.nunique() <= _MOST_VALUES:
        texts, order = values.map("{:g}".format), [f"{value:g}" for value in sorted(set(values))]
    else:
        is_cut = True
        units = filled.drop_duplicates("item") if is_of_items else filled
        n_bins = min(max(len(units) // _FEWEST_IN_BIN, 2), _MOST_BINS)
        edges = units[name].quantile([place / n_bins for place in range(1, n_bins)]).unique()
        bins = pd.Series(edges.searchsorted(values, side="left"), index=values.index)
        ranges = _ranges({bin_number: (of_bin.min(), of_bin.max()) for bin_number, of_bin in values.groupby(bins)})
        texts, order = bins.map(ranges), list(ranges.values())
    groups = pd.Series(texts.to_numpy(dtype=object), index=filled["clip"])
    return GroupColumn(name, groups, tuple(order), ("items" if is_of_items else "clips") if is_cut else "")


def _ranges(ends: Mapping[int, tuple[float, float]]) -> dict[int, str]:
    """Return ``-63.7 to -46.1`` for the ends of each bin: with three digits where that tells all bins apart, else with six."""
    largest = max(abs(end) for pair in ends.values() for end in pair)
    digits = (3, 6) if largest < _LEAST_IN_FULL else (6,)
    for n_digits in digits:
        ranges = {
            bin_number: " to ".join(dict.fromkeys(f"{end:.{n_digits}g}" for end in pair)) for bin_number, pair in ends.items()
        }
        if len(set(ranges.values())) == len(ranges):
            break
    return ranges
