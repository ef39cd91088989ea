"""Find columns of a dataset whose values several items share, such as the speaker of several sessions.

Folds over whole items may put such a value on two sides.
"""

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from xval.base.errors import plural_of
from xval.base.item_word import ITEM
from xval.folds.plan import Fold
from xval.folds.predefined import SIDES

if TYPE_CHECKING:
    import pandas as pd

_WHO = re.compile(
    r"(^|[\W_])(speakers?|spkr?|subj(ects?)?|participants?|ptcp|patients?|pat|pt|persons?|people|actors?|singers?|child(ren)?|"
    r"individuals?|animals?|birds?|clients?|donors?|users?|talkers?|readers?|performers?|players?)([\W_\d]|ids?|names?|codes?|no|nr|num|$)",
    re.IGNORECASE,
)
"""Names of columns that identify the speaker: a shared value is leakage, not a condition such as a dialect."""
_FEWEST_VALUES = 3  # two are such as gender
_LEAST_RATIO = 2  # of values to the items of one: fewer are conditions, such as a dialect that many speakers have


class SharedColumn(NamedTuple):
    """A column with one value per item, most values of which have several items.

    Attributes:
        column: Name of the column.
        n_values: Number of different values.
        n_items: Number of items with a value.
        fixes_label: Whether all clips of each value have one label, so that a model that recognises the value knows the label.
        is_who: Whether the column identifies the speaker, by its name.
    """

    column: str
    n_values: int
    n_items: int
    fixes_label: bool
    is_who: bool

    @property
    def is_leak(self) -> bool:
        """Whether a model that recognises the speaker could reach the score."""
        return self.fixes_label and self.is_who

    def describe(self, item: str = ITEM) -> str:
        """Return ``120 sessions have 24 values of the column 'speaker', which fixes the label``."""
        fixed = ", which fixes the label" if self.fixes_label else ""
        return f"{self.n_items} {plural_of(item or ITEM)} share {self.n_values} values of the column '{self.column}'{fixed}"

    @property
    def advice(self) -> str:
        """Advice on the column."""
        return f"Make '{self.column}' the item (--item {self.column}) to test on unseen ones, and run again"


def find_shared_columns(clips: "pd.DataFrame", names: Iterable[str]) -> list[SharedColumn]:
    """Return the columns that may name units larger than items, which must stay on one side of a fold.

    Excluded are other names of the label or groups of labels; measured numbers, such as an age; and columns with few values for
    the number of items, such as gender or dialect, unless they identify the speaker by their name.

    Args:
        clips: The clips without augmented copies: item, label or ``label:<name>``, and further columns.
        names: Names of the further columns.
    """
    targets = [str(column) for column in clips.columns if column == "label" or str(column).startswith("label:")]
    found = []
    for name in names:
        own = clips[clips[name].notna()]
        by_item = own.groupby("item")[name]
        if own.empty or (by_item.nunique() > 1).any():
            continue
        n_items_of = by_item.first().value_counts()
        n_values, n_items, is_who = len(n_items_of), int(n_items_of.sum()), bool(_WHO.search(name))
        if 2 * int((n_items_of > 1).sum()) <= n_values or n_values < (2 if is_who else _FEWEST_VALUES):
            continue
        if not is_who and (n_values < _LEAST_RATIO * n_items / n_values or _are_measured(own[name])):
            continue
        if targets and (own.groupby(targets)[name].nunique() == 1).all():
            continue
        fixes = bool(targets) and all((own.groupby(name)[target].nunique() == 1).all() for target in targets)
        varies = any(own[target].nunique() > 1 for target in targets)
        found.append(SharedColumn(name, n_values, n_items, fixes and varies, is_who))
    return sorted(found, key=lambda column: (not column.is_leak, not column.fixes_label, not column.is_who))


def first_on_two_sides(clips: "pd.DataFrame", column: str, folds: Sequence[Fold]) -> int | None:
    """Return the number of the first fold with a value of a column in test and in training or validation; None: no fold."""
    values = clips[clips[column].notna()].groupby("item")[column].first().to_dict()
    for fold in folds:
        side_values = {side: {values[item] for item in getattr(fold, side) if item in values} for side in SIDES}
        if side_values["test"] & (side_values["training"] | side_values["validation"]):
            return fold.number
    return None


def _are_measured(values: "pd.Series[Any]") -> bool:
    """Return whether values are numbers with fractions or gaps, such as ages, in contrast to codes such as 1 to 24."""
    if values.dtype.kind not in "iuf":
        return False
    once = sorted(set(values))
    return any(value != int(value) for value in once) or once[-1] - once[0] >= len(once)
