"""The sheet *settings*: every parameter of every instance, those that differ first, and what overrides a default.

Comes in: metric dicts. Goes out: a row per parameter, and two columns per instance.
"""

from collections.abc import Sequence

from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from xval.results.summary import MetricDict, differing_parameters
from xval.results.workbook import cells
from xval.results.workbook.contents import Contents
from xval.results.workbook.folding import fold

POSITION = 9

_NOTES = (
    "Bold, on top: what differs between instances. Yellow: the value overrides a default; its source stands beside it.",
    "The sources are folded away; the + above the columns shows them.",
)


def fill(sheet: Worksheet, contents: Contents) -> None:
    """Fill an empty sheet."""
    metric_dicts = contents.metric_dicts
    found = dict.fromkeys(name for metric_dict in metric_dicts for name in metric_dict["parameters"])
    first = ("comment_1", "comment_2", "architecture", *differing_parameters([each["parameters"] for each in metric_dicts]))
    bold = [name for name in first if name in found]
    names = list(dict.fromkeys([*bold, *found]))
    header = ["parameter"]
    for metric_dict in metric_dicts:
        header += [f"instance {metric_dict['instance']}", f"source {metric_dict['instance']}"]
    cells.put_header(sheet, header, height=20)
    for row, name in enumerate(names, start=2):
        cell = cells.put(sheet, row, 1, name)
        if name in bold:
            cell.font = cells.BOLD
    for column, metric_dict in enumerate(metric_dicts):
        _put_instance(sheet, 2 + 2 * column, metric_dict, names)
        if len(metric_dicts) > 1:
            fold(sheet, range(3 + 2 * column, 4 + 2 * column))
    last_row = len(names) + 1
    cells.set_width(sheet, 1, cells.text_width(names))
    cells.put_notes(sheet, last_row + 2, _NOTES[: min(len(metric_dicts), 2)])
    sheet.freeze_panes = "B2"
    sheet.auto_filter.ref = f"A1:{get_column_letter(len(header))}{last_row}"
    cells.set_up_page(sheet, header_rows=1)


def _put_instance(sheet: Worksheet, column: int, metric_dict: MetricDict, names: Sequence[str]) -> None:
    parameters, sources = metric_dict["parameters"], metric_dict["sources"]
    for row, name in enumerate(names, start=2):
        if name not in parameters:
            continue
        cell = cells.put(sheet, row, column, cells.parameter_value(parameters[name]))
        if cell.data_type != "s":
            cells.style(cell, alignment=cells.LEFT)
        if overrides(sources.get(name, "")):
            cells.style(cell, fill=cells.YELLOW_FILL)
            cells.style(cells.put(sheet, row, column + 1, sources[name]), font=cells.GREY)
    values = [sheet.cell(row, column).value for row in range(1, len(names) + 2)]
    cells.set_width(sheet, column, cells.text_width(values, lowest=12, highest=24))
    cells.set_width(sheet, column + 1, 12)


def overrides(source: str) -> bool:
    """Return whether a source overrides the defaults: config.ini and the signatures of the architectures."""
    return source not in ("", "config.ini") and not source.startswith("architectures/")
