"""Find a column of the corpus that has one value per item, determines the label, and has a value on two sides of a fold."""

from collections.abc import Sequence

from xval.folds.shared_columns import SharedColumn
from xval.results.instance import InstanceResults
from xval.settings.finding_codes import silenced


def leaking_column(done: Sequence[InstanceResults]) -> SharedColumn | None:
    """Return a column that names who is recorded, determines the label and has a value on two sides of a fold; None: none."""
    column = fixing_column(done)
    return column if column and column.is_leak else None


def fixing_column(done: Sequence[InstanceResults]) -> SharedColumn | None:
    """Return a column that determines the label and has a value on two sides of a fold, names of recorded persons first."""
    if "XV109" in silenced(instance.parameters.get("silence") for instance in done):
        return None
    columns = [column for instance in done for column in instance.shared_columns if column.fixes_label]
    return min(columns, key=lambda column: not column.is_leak, default=None)
