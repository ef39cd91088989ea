"""The sheet *labels*: the scores and the 2 x 2 counts of each label by each instance, where a clip may have several.

They are over all finished folds. If there are too many rows, only the best instances have theirs.
"""

from xval.answers.label_scores import LabelScores, label_scores
from xval.answers.summary import metric_words
from xval.report.workbook import cells
from xval.report.workbook.contents import Contents
from xval.report.workbook.sheet import Sheet

POSITION = 6.5

MOST_ROWS = 5_000  # more make the workbook slow to open
_SCORES = ("average_precision", "precision", "recall", "f1")
_FORMATS = dict.fromkeys(
    ("share", "chance", *_SCORES, "recall_low", "recall_high", "lowest_threshold", "highest_threshold"), cells.SCORE_FORMAT
)


def is_needed(contents: Contents) -> bool:
    """Return whether clips may have several labels."""
    return contents.instances[0].task.has_thresholds


def fill(sheet: Sheet, contents: Contents) -> None:
    """Write a row per label of the best instances, as many as there is room for."""
    label_rows = {instance.number: label_scores(instance) for instance in contents.instances}
    finished = {number: rows for number, rows in label_rows.items() if rows}
    if not finished:
        sheet.set_up_page()
        sheet.put_notes(1, ["No fold is finished yet."])
        return
    most = max(1, MOST_ROWS // max(map(len, finished.values())))
    shown = contents.ranking.best_of(finished, most)
    names = LabelScores._fields
    sheet.put_header(["instance", *map(metric_words, names)], height=48)
    row = 1
    for number in shown:
        for scores in finished[number]:
            row += 1
            sheet.put(row, 1, number)
            for column, (name, value) in enumerate(scores._asdict().items(), start=2):
                sheet.put(row, column, value, _FORMATS.get(name, ""))
    for name in _SCORES:
        column = names.index(name) + 2
        sheet.add_scale(range(2, row + 1), range(column, column + 1), cells.scale_to(1))
    sheet.set_width(2, cells.text_width([instance.label for instance in finished[shown[0]]], lowest=14))
    for place in range(3, len(names) + 2):
        sheet.set_width(place, 11)
    notes = [
        "Over the test clips of all finished folds; a clip counts once in each repeat and seed.",
        "A label is predicted if its probability reaches the threshold.",
        "Each fold uses the threshold with the highest F1 score on its validation clips.",
        "share: share of the clips that have the label.",
        "average precision: the mean over the folds whose test clips have the label; other values are over all clips together.",
        "recall low, recall high: 95 % interval over the items that have the label.",
        "chance: the average precision of a random order of the clips, on average; the mean over the same folds.",
        "n untuned: folds without a validation clip that has the label; the threshold is 0.5 there.",
    ]
    if len(shown) < len(finished):
        notes.append(
            f"The {len(shown)} best of {len(finished)} instances by validation score; the others are in their metrics.json."
        )
    sheet.put_notes(row + 2, notes)
    sheet.made.freeze_panes("C2")
    sheet.add_filter(1, row, len(names) + 1)
    sheet.set_up_page(header_rows=1)
