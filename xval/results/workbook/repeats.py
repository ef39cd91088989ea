"""The sheet *repeats*: how much each figure differs between folds, and how much between seeds; only where there are repeats.

Comes in: metric dicts. Goes out: a row per instance and figure.
"""

from math import sqrt

from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from xval.results.summary import SIDE_NAMES, direction, figure, metric_columns, settings_of
from xval.results.workbook import cells
from xval.results.workbook.contents import Contents

POSITION = 8

_HEADER = ("instance", "comment_1", "figure", "mean", "std", "std folds", "std seeds", "folds", "repeats")
_NOTES = (
    "Figures are averaged over the repeats of a fold first. mean and std: over these means of folds, as in the sheet summary.",
    "std seeds: between the repeats of a fold, which differ in their seed alone; std folds: between folds, without those.",
    "Both are square roots of variance components (analysis of variance with random effects).",
    "repeats: the mean number of repeats of a fold. Nothing stands where there is too little to tell.",
)


def is_needed(contents: Contents) -> bool:
    """Return whether some instance has repeats."""
    return any("components" in metric_dict for metric_dict in contents.metric_dicts)


def fill(sheet: Worksheet, contents: Contents) -> None:
    """Fill an empty sheet."""
    cells.put_header(sheet, _HEADER, height=20)
    row = 1
    columns = [
        (side, metric, cells.metric_format(direction(contents.metric_dicts, metric)))
        for side, metric in metric_columns(contents.metric_dicts)
    ]
    for metric_dict in contents.metric_dicts:
        for side, metric, number_format in columns:
            found = metric_dict.get("components", {}).get(side, {}).get(metric)
            if found is None:
                continue
            row += 1
            named = (metric_dict["instance"], settings_of(metric_dict).comment_1, f"{SIDE_NAMES[side]} {metric}")
            deviations = (None if found[name] is None else sqrt(found[name]) for name in ("fold", "seed"))
            figures = (found["mean"], figure(metric_dict, side, metric)["std"], *deviations)
            for column, value in enumerate((*named, *figures, found["n_folds"], found["n_repeats"]), start=1):
                is_figure = len(named) < column <= len(named) + len(figures)
                cells.put(sheet, row, column, value, number_format if is_figure else "")
    for column, width in enumerate((10, 24, 30, *[11] * 6), start=1):
        cells.set_width(sheet, column, width)
    cells.put_notes(sheet, row + 2, _NOTES)
    sheet.freeze_panes = "D2"
    sheet.auto_filter.ref = f"A1:{get_column_letter(len(_HEADER))}{row}"
    cells.set_up_page(sheet, header_rows=1)
