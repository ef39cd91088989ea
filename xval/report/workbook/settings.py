"""The sheet *settings*: every parameter of every instance, those that differ first, and what overrides a default."""

from collections.abc import Sequence

from xval.answers.summary import differing_parameters, parameter_value, shown_parameter
from xval.report.workbook import cells
from xval.report.workbook.contents import Contents
from xval.report.workbook.sheet import Sheet
from xval.results.instance import InstanceResults

POSITION = 9

_NOTES = (
    "Bold, at the top: differences between instances. Yellow: the value overrides a default; its source is next to it.",
    "The sources are hidden; click the + above the columns to show them.",
)


def fill(sheet: Sheet, contents: Contents) -> None:
    """Write a row per parameter, those that differ first; fold the sources."""
    instances = contents.instances
    parameters = dict.fromkeys(name for instance in instances for name in instance.parameters)
    first = (
        "comment_1",
        "comment_2",
        "architecture",
        *differing_parameters([instance.parameters for instance in instances]),
    )
    bold = [name for name in first if name in parameters]
    names = list(dict.fromkeys([*bold, *parameters]))
    header = ["parameter"]
    for instance in instances:
        header += [f"instance {instance.number}", f"source {instance.number}"]
    sheet.put_header(header, height=20)
    for row, name in enumerate(names, start=2):
        sheet.put(row, 1, name, "", *([cells.BOLD] if name in bold else []))
    for column, instance in enumerate(instances):
        _put_instance(sheet, 2 + 2 * column, instance, names)
        if len(instances) > 1:
            sheet.fold(range(3 + 2 * column, 4 + 2 * column))
    last_row = len(names) + 1
    sheet.set_width(1, cells.text_width(names))
    sheet.put_notes(last_row + 2, _NOTES[: min(len(instances), 2)])
    sheet.made.freeze_panes("B2")
    sheet.add_filter(1, last_row, len(header))
    sheet.set_up_page(header_rows=1)


def _put_instance(sheet: Sheet, column: int, instance: InstanceResults, names: Sequence[str]) -> None:
    parameters, sources = instance.parameters, instance.written.sources
    for row, name in enumerate(names, start=2):
        if name not in parameters:
            continue
        is_own = overrides(sources.get(name, ""))
        sheet.put(row, column, parameter_value(shown_parameter(instance, name)), "", *([cells.YELLOW_FILL] if is_own else []))
        if not isinstance(sheet.value(row, column), str):
            sheet.style(row, column, cells.LEFT)
        if is_own:
            sheet.put(row, column + 1, sources[name], "", cells.GREY)
    values = sheet.values(range(1, len(names) + 2), column)
    sheet.set_width(column, cells.text_width(values, lowest=12, highest=24))
    sheet.set_width(column + 1, 12)


def overrides(source: str) -> bool:
    """Return whether a source overrides the defaults: config.ini and the signatures of the architectures."""
    return source not in ("", "config.ini") and not source.startswith("architectures/")
