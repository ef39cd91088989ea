"""Hide the columns that are equal for all instances in a group, which the sign + above them opens."""

from collections.abc import Iterable

from xval.report.workbook.sheet import Sheet


def fold_equal(sheet: Sheet, rows: range, blocks: Iterable[range]) -> list[str]:
    """Fold each block of columns in which all rows have the same values, and return the headers of those folded.

    Headers are in row 1, which is none of the `rows`; of fewer than two of these nothing is folded.
    """
    folded = []
    for block in blocks if len(rows) > 1 else ():
        if all(sheet.value(row, column) == sheet.value(rows[0], column) for column in block for row in rows):
            sheet.fold(block)
            folded.append(str(sheet.value(1, block[0])))
    return folded


def describe_folded(headers: Iterable[str]) -> list[str]:
    """Return the note on what is folded; none for nothing."""
    names = ", ".join(headers)
    return [f"Hidden because equal in all rows: {names}. Click the + above the columns to show them."] if names else []
