"""A column of the corpus that has one value for each item, fixes the label, and has a value on two sides of a fold."""

from collections.abc import Sequence

from xval.folds.shared_columns import SharedColumn
from xval.results.instance import InstanceResults
from xval.settings.finding_codes import silenced


def leaking_column(done: Sequence[InstanceResults]) -> SharedColumn | None:
    """Return a column that names who is recorded, fixes the label and has a value on two sides of a fold; None: no such one."""
    column = fixing_column(done)
    return column if column and column.is_leak else None


def fixing_column(done: Sequence[InstanceResults]) -> SharedColumn | None:
    """Return a column that fixes the label and has a value on two sides of a fold, first one that names who is recorded."""
    if "XV109" in silenced(instance.parameters.get("silence") for instance in done):
        return None
    columns = [column for instance in done for column in instance.shared_columns if column.fixes_label]
    return min(columns, key=lambda column: not column.is_leak, default=None)
