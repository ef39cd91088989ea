"""The sheet *labels*: the figures and the 2 x 2 counts of each label by each instance, where a clip may have several.

Comes in: metric dicts and their ranking. Goes out: a row per instance and label, over all finished folds. If there are too many
rows, only the best instances have theirs.
"""

from openpyxl.formatting.rule import ColorScaleRule
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from xval.results.label_figures import LabelFigures, label_figures
from xval.results.workbook import cells
from xval.results.workbook.contents import Contents
from xval.settings.tasks import find_task

POSITION = 6.5

MOST_ROWS = 5_000  # more make the workbook slow to open
_SCORES = ("average_precision", "precision", "recall", "f1")
_FORMATS = dict.fromkeys(("share", *_SCORES, "lowest_threshold", "highest_threshold"), cells.SCORE_FORMAT)


def is_needed(contents: Contents) -> bool:
    """Return whether clips may have several labels."""
    return find_task(contents.metric_dicts[0]["task_type"]).has_clip_labels


def fill(sheet: Worksheet, contents: Contents) -> None:
    """Fill an empty sheet."""
    found = {each["instance"]: label_figures(each) for each in contents.metric_dicts}
    finished = {number: rows for number, rows in found.items() if rows}
    if not finished:
        cells.set_up_page(sheet)
        cells.put_notes(sheet, 1, ["No fold is finished yet."])
        return
    most = max(1, MOST_ROWS // max(map(len, finished.values())))
    shown = contents.ranking.best_of(finished, most)
    names = LabelFigures._fields
    cells.put_header(sheet, ["instance", *(name.replace("_", " ") for name in names)], height=48)
    row = 1
    for number in shown:
        for figures in finished[number]:
            row += 1
            cells.put(sheet, row, 1, number)
            for column, (name, value) in enumerate(figures._asdict().items(), start=2):
                cells.put(sheet, row, column, value, _FORMATS.get(name, ""))
    for name in _SCORES:
        column = get_column_letter(names.index(name) + 2)
        sheet.conditional_formatting.add(f"{column}2:{column}{row}", _colour_scale())
    cells.set_width(sheet, 2, cells.text_width([each.label for each in finished[shown[0]]], lowest=14))
    for place in range(3, len(names) + 2):
        cells.set_width(sheet, place, 11)
    notes = [
        "Over the test clips of all finished folds. A label is predicted from its threshold on.",
        "Validation clips of each fold choose the threshold (the largest F1 score), never its test clips.",
        "share: of the clips that have the label, which is the average precision of answers that do not depend on the audio.",
        "average precision: the mean over the folds whose test clips have the label; other figures are of all clips together.",
        "n untuned: folds no validation clip of which has the label; its threshold is 0.5 there.",
    ]
    if len(shown) < len(finished):
        notes.append(f"The {len(shown)} best of {len(finished)} instances by validation; the others are in their metrics.json.")
    cells.put_notes(sheet, row + 2, notes)
    sheet.freeze_panes = "C2"
    sheet.auto_filter.ref = f"A1:{get_column_letter(len(names) + 1)}{row}"
    cells.set_up_page(sheet, header_rows=1)


def _colour_scale() -> ColorScaleRule:
    return ColorScaleRule(
        start_type="num", start_value=0, start_color="FFFFFF", end_type="num", end_value=1, end_color="5B9BD5"
    )
