"""The sheet *confusion*: a confusion matrix per instance, summed over its folds; with several seeds, the means of each fold.

It has the counts of test clips or frames (rows: true class, columns: predicted class) with a colour scale, and the recall of
each class with its interval. If there are too many matrices, only the best instances have theirs.
"""

from xval.answers.class_report import Confusion, find_confusion
from xval.answers.item_words import item_decision_of, items_word
from xval.base.errors import counted
from xval.report.workbook import cells
from xval.report.workbook.contents import Contents
from xval.report.workbook.sheet import Sheet
from xval.results.instance import InstanceResults

POSITION = 6

MOST_CELLS = 20_000  # of all matrices together; more make the workbook slow to write and to open


def is_needed(contents: Contents) -> bool:
    """Return whether a class was taken for another: where a clip may have several, the sheet *labels* has their counts."""
    if contents.instances[0].task.has_thresholds:
        return False
    return any(find_confusion(instance) for instance in contents.instances if instance.done)


def fill(sheet: Sheet, contents: Contents) -> None:
    """Write the matrices of the best instances, as many as there is room for."""
    finished = {instance.number: instance for instance in contents.instances if instance.done}
    matrices = {number: matrix for number, instance in finished.items() if (matrix := find_confusion(instance))}
    sheet.set_up_page()
    class_names = next(iter(matrices.values())).class_names
    shown = contents.ranking.best_of(matrices, max(1, MOST_CELLS // len(class_names) ** 2))
    decision = item_decision_of(contents.instances)
    unit = items_word(contents.instances) if decision else contents.instances[0].task.unit
    what = f"Counts of test {unit} over all finished folds: rows are the true class, columns the predicted class."
    notes = [f"{what} The 95 % interval of a recall is over the items that have the class."]
    if decision:
        notes.append(decision)
    elif any(finished[number].has_windows for number in matrices):
        notes.append("Clips are cut into windows: each clip counts once, with a prediction combined from its windows.")
    if len(shown) < len(matrices):
        notes.append(
            f"The {len(shown)} best of {len(matrices)} instances by validation score; the others are in their metrics.json."
        )
    sheet.put_notes(1, notes)
    row = len(notes) + 2
    for number in shown:
        title = cells.title_of(number, contents.names[number])
        row = _put_matrix(sheet, row, title, finished[number], matrices[number], unit)
    sheet.set_width(1, cells.text_width(class_names, lowest=18))
    for column in range(2, len(class_names) + 5):
        sheet.set_width(column, cells.text_width(class_names, highest=16))
    sheet.made.freeze_panes("B2")


def _put_matrix(sheet: Sheet, row: int, title: str, instance: InstanceResults, matrix: Confusion, unit: str) -> int:
    """Write title, header and counts of an instance from a row on; return the row for the next."""
    class_names, counts = matrix
    repeats = f", mean of up to {instance.n_repeats} seeds of a fold" if instance.n_repeats > 1 else ""
    if instance.n_fold_repeats > 1:
        repeats += f", {instance.n_fold_repeats} repeats of the cross-validation, each of which tests them"
    counted_as = f"{len(instance.folds)} of {counted(instance.n_folds, 'fold')}, {sum(map(sum, counts)):.0f} {unit}{repeats}"
    sheet.put(row, 1, f"{title} ({counted_as})", "", cells.BOLD)
    interval = ("95 % low", "95 % high") if instance.class_recalls else ()
    for column, name in enumerate(("true \\ predicted", *class_names, "recall", *interval), start=1):
        sheet.put(row + 1, column, name, "", cells.HEADER)
    for true, (name, line) in enumerate(zip(class_names, counts, strict=True)):
        at = row + 2 + true
        sheet.put(at, 1, name, "", cells.BOLD)
        for column, count in enumerate(line, start=2):
            sheet.put(at, column, count, "" if isinstance(count, int) else "0.0")
        recall = line[true] / sum(line) if sum(line) else float("nan")
        sheet.put(at, len(class_names) + 2, recall, "0.00")
        if (item_recall := instance.class_recalls.get(name)) and item_recall["low"] is not None:
            sheet.put(at, len(class_names) + 3, item_recall["low"], "0.00")
            sheet.put(at, len(class_names) + 4, item_recall["high"], "0.00")
        # White for none of the clips of a class to blue for all of them.
        sheet.add_scale(range(at, at + 1), range(2, len(class_names) + 2), cells.scale_to(max(sum(line), 1)))
    return row + len(class_names) + 3
