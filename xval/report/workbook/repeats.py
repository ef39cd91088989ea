"""The sheet *repeats*: how much each score differs between folds, and how much between seeds; only if there are several."""

from math import isfinite, sqrt

from xval.answers.repeats import components_of
from xval.answers.summary import direction, score_name
from xval.report.workbook import cells
from xval.report.workbook.contents import Contents
from xval.report.workbook.sheet import Sheet

POSITION = 8

_HEADER = ("instance", "name", "metric", "mean", "std", "std folds", "std seeds", "folds", "seeds")
_NOTES = (
    "Scores are first averaged over the seeds of a fold. mean and std: over these means of folds, as in the sheet summary.",
    "std seeds: between the seeds of a fold; std folds: between folds, without the seeds' part.",
    "Both are square roots of variance components (analysis of variance with random effects).",
    "repeats: the mean number of seeds of a fold. Cells are empty where there are too few seeds.",
)


def is_needed(contents: Contents) -> bool:
    """Return whether some instance has repeats."""
    return any(instance.n_repeats > 1 for instance in contents.instances)


def fill(sheet: Sheet, contents: Contents) -> None:
    """Write a row per score whose variance has components."""
    sheet.put_header(_HEADER, height=20)
    row = 1
    columns = [(side, metric, cells.metric_format(direction(contents.instances, metric))) for side, metric in contents.columns]
    for instance in contents.instances:
        for side, metric, number_format in columns:
            components = components_of(instance, side, metric)
            if components is None:
                continue
            row += 1
            named = (
                instance.number,
                contents.names[instance.number],
                score_name(side, metric, [instance]),
            )
            deviations = (sqrt(variance) if isfinite(variance) else None for variance in (components.fold, components.seed))
            scores = (components.mean, instance.over_folds(side, metric)["std"], *deviations)
            for column, value in enumerate((*named, *scores, components.n_folds, components.n_repeats), start=1):
                is_score = len(named) < column <= len(named) + len(scores)
                sheet.put(row, column, value, number_format if is_score else "")
    for column, width in enumerate((10, 24, 30, *[11] * 6), start=1):
        sheet.set_width(column, width)
    sheet.put_notes(row + 2, _NOTES)
    sheet.made.freeze_panes("D2")
    sheet.add_filter(1, row, len(_HEADER))
    sheet.set_up_page(header_rows=1)
