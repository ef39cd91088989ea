"""The sheet *search*: the trials of each fold of a searched instance, the chosen ones in bold, and the importance of settings.

It exists only if something was searched.
"""

from xval.answers.summary import parameter_value
from xval.answers.trials import fold_trials, mean_importance
from xval.report.workbook import cells
from xval.report.workbook.contents import Contents
from xval.report.workbook.sheet import Sheet

POSITION = 8.5

_HEADER = ("instance", "fold", "trial", "state", "score", "metric", "epochs", "seconds")
_NOTES = (
    "Bold: the trial whose settings the fold uses for training and test. score: on items that the fold does not test.",
    "state: pruned (stopped early because earlier trials were better); diverged (the loss was NaN or infinite).",
    (
        "The best score of a fold is optimistically biased, because it was used for the choice; the test scores of the "
        "instance are not."
    ),
)


def is_needed(contents: Contents) -> bool:
    """Return whether a fold of some instance was searched."""
    return any(fold_trials(instance) for instance in contents.instances)


def fill(sheet: Sheet, contents: Contents) -> None:
    """Write a row per trial, and below them the importance of the settings of each instance."""
    searches = {instance.number: fold_trials(instance) for instance in contents.instances}
    names = list(
        dict.fromkeys(name for fold_searches in searches.values() for trials in fold_searches for name in trials.values)
    )
    sheet.put_header((*_HEADER, *names), height=20)
    row = 1
    for instance, fold_searches in searches.items():
        for search in fold_searches:
            for trial in search.trials:
                row += 1
                facts = (
                    instance, search.fold, trial["number"], trial["state"], trial["score"], search.score_name,
                    trial["epochs"], trial["seconds"],
                )  # fmt: skip
                looks = [cells.BOLD] if trial["number"] == search.chosen else []
                values = [parameter_value(trial["values"].get(name, "")) for name in names]
                for column, value in enumerate((*facts, *values), start=1):
                    sheet.put(row, column, value, "0.0000" if column == 5 else "", *looks)
    last_row = row
    for instance, fold_searches in searches.items():
        importance = mean_importance(fold_searches)
        if importance:
            row += 2 if row == last_row else 1
            listed = ", ".join(f"{name} {share:.2f}" for name, share in importance.items())
            sheet.put(row, 1, f"Importance in instance {instance} (fANOVA, share of the variance of the scores): {listed}")
    widths = (10, 8, 8, 11, 10, 30, 8, 10, *(cells.header_width(name, lowest=16) for name in names))
    for column, width in enumerate(widths, start=1):
        sheet.set_width(column, width)
    sheet.put_notes(row + 2, _NOTES)
    sheet.made.freeze_panes("D2")
    sheet.add_filter(1, last_row, len(_HEADER) + len(names))
    sheet.set_up_page(header_rows=1)
