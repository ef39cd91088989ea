"""Folds that the dataset defines in its column fold or phase."""

from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

from xval.base.errors import FoldsError

if TYPE_CHECKING:
    import pandas as pd

SIDES = ("training", "validation", "test")


class Split(NamedTuple):
    """The test items of a fold, its validation items (empty: they are drawn) and its training items (None: the rest)."""

    test: frozenset[str]
    validation: frozenset[str] = frozenset()
    training: frozenset[str] | None = None


def read_predefined(index: "pd.DataFrame") -> list[Split]:
    """Return the folds of the column fold (one for each number), or the single fold of the column phase with all sides.

    The index has a row per clip.
    """
    for column in ("fold", "phase"):
        if column in index and index[column].notna().any():
            break
    else:
        raise FoldsError(
            "fold_strategy=predefined needs a column fold or phase, but the dataset has neither. Prepare the dataset again "
            "with the option of its reader that makes one (such as --folds five of ravdess, --folds gender of emodb and "
            "crema_d, --phases FILE or --draw-phases true of voxceleb), add one to the table, or choose balanced or "
            "leave_one_out."
        )
    if index[column].isna().any():
        clip = index.loc[index[column].isna(), "clip"].iloc[0]
        raise FoldsError(f"column {column} is empty for clip '{clip}'. Every clip needs a value.")
    sides: dict[Any, set[str]] = defaultdict(set)
    owner: dict[str, Any] = {}
    for item, value in zip(index["item"].astype(str), index[column], strict=True):
        if owner.setdefault(item, value) != value:
            raise FoldsError(
                f"item '{item}' is in {column} {owner[item]} and in {column} {value}; an item must be on one side."
            )
        sides[value].add(item)
    if column == "fold":
        if len(sides) < 2:
            raise FoldsError(f"column fold has only the value {next(iter(sides))}; expected at least two folds.")
        return [Split(frozenset(sides[value])) for value in sorted(sides)]
    unknown = set(sides) - set(SIDES)
    if unknown or not sides["test"] or not sides["training"]:
        raise FoldsError(
            f"column phase has {', '.join(map(str, sorted(value for value in sides if sides[value])))}; expected training "
            "and test, optionally validation, and nothing else."
        )
    return [Split(*(frozenset(sides[side]) for side in ("test", "validation", "training")))]
