"""Fold away what is equal for all instances.

Comes in: a filled sheet. Goes out: columns that are hidden in a group, which the sign + above them opens; nothing is removed.
"""

from collections.abc import Iterable

from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet


def fold_equal(sheet: Worksheet, rows: range, blocks: Iterable[range]) -> list[str]:
    """Fold each block of columns in which all rows have the same values, and return the headers of those folded.

    Args:
        sheet: With headers in row 1.
        rows: Of the table, without headers; of fewer than two nothing is folded.
        blocks: Neighbouring columns that are folded together.
    """
    folded = []
    for block in blocks if len(rows) > 1 else ():
        if all(sheet.cell(row, column).value == sheet.cell(rows[0], column).value for column in block for row in rows):
            fold(sheet, block)
            folded.append(str(sheet.cell(1, block[0]).value))
    return folded


def fold(sheet: Worksheet, columns: range) -> None:
    """Hide neighbouring columns in a group."""
    for column in columns:
        dimension = sheet.column_dimensions[get_column_letter(column)]
        dimension.outlineLevel, dimension.hidden = 1, True


def describe_folded(headers: Iterable[str]) -> list[str]:
    """Return the note on what is folded; none for nothing."""
    names = ", ".join(headers)
    return [f"Equal in all rows, and therefore folded away: {names}. The + above the columns shows them."] if names else []
