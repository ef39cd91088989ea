"""The sheet *findings*: what has to be known when reading the scores, and what to do, the most important first.

It exists only if there are findings.
"""

from xval.answers.ranking import describe_selection
from xval.report.workbook import cells
from xval.report.workbook.contents import Contents
from xval.report.workbook.sheet import Sheet
from xval.settings.resolve import describe_numbers

POSITION = 1.5

_WIDTHS = {"code": 26, "finding": 70, "what to do": 70, "instances": 14}


def is_needed(contents: Contents) -> bool:
    """Return whether anything has been found."""
    return bool(contents.findings)


def fill(sheet: Sheet, contents: Contents) -> None:
    """Write a row per finding."""
    sheet.put_header(list(_WIDTHS), height=20)
    for column, width in enumerate(_WIDTHS.values(), start=1):
        sheet.set_width(column, width)
    for row, finding in enumerate(contents.findings, start=2):
        numbers = describe_numbers(map(int, finding.where)) if finding.where else "all"
        for column, text in enumerate((finding.name, finding.message, finding.advice, numbers), start=1):
            sheet.put(row, column, text, "", cells.WRAPPED)
        sheet.fit_height(row)
    last_row = 1 + len(contents.findings)
    sheet.put(last_row + 2, 2, describe_selection(contents.instances), "", cells.WRAPPED)
    sheet.fit_height(last_row + 2)
    sheet.made.freeze_panes("A2")
    sheet.add_filter(1, last_row, len(_WIDTHS))
    sheet.set_up_page(header_rows=1)
