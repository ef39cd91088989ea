"""The sheet *confusion*: a confusion matrix per instance, summed over its folds; with repeats, each fold's mean over them.

Comes in: metric dicts and their ranking. Goes out: counts of test clips or frames (rows: true class, columns: predicted class)
with a colour scale, and the recall of each class. If there are too many matrices, only the best instances have theirs.
"""

from collections.abc import Sequence

from xval.answers.metric_dict import MetricDict
from xval.answers.repeats import repeat_of
from xval.answers.summary import done_records, has_windows
from xval.measures.task import find_task
from xval.report.workbook import cells
from xval.report.workbook.contents import Contents
from xval.report.workbook.sheet import Sheet

POSITION = 6

MOST_CELLS = 20_000  # of all matrices together; more make the workbook slow to write and to open


def is_needed(contents: Contents) -> bool:
    """Return whether one class can be taken for another: where a clip may have several, the sheet *labels* has their counts."""
    return not find_task(contents.metric_dicts[0]["task_type"]).has_thresholds


def fill(sheet: Sheet, contents: Contents) -> None:
    """Write the matrices of the best instances, as many as there is room for."""
    metric_dicts, ranking = contents.metric_dicts, contents.ranking
    finished = {metric_dict["instance"]: metric_dict for metric_dict in metric_dicts if done_records(metric_dict)}
    sheet.set_up_page()
    finished = {number: instance for number, instance in finished.items() if "confusion_matrix" in done_records(instance)[0]}
    if not finished:
        has_done = any(done_records(metric_dict) for metric_dict in metric_dicts)
        reason = "No class is confused with another in this task." if has_done else "No fold is finished yet."
        sheet.put_notes(1, [reason])
        return
    class_names = done_records(next(iter(finished.values())))[0]["class_names"]
    shown = ranking.best_of(finished, max(1, MOST_CELLS // len(class_names) ** 2))
    unit = find_task(metric_dicts[0]["task_type"]).unit
    notes = [f"Counts of test {unit} over all finished folds: rows are the true class, columns the predicted class."]
    if has_windows(finished.values()):
        notes.append(
            "Clips are cut into windows: a clip has one prediction, made of those of its windows; windows are not counted."
        )
    if len(shown) < len(finished):
        notes.append(f"The {len(shown)} best of {len(finished)} instances by validation; the others are in their metrics.json.")
    sheet.put_notes(1, notes)
    row = len(notes) + 2
    for number in shown:
        row = _put_matrix(sheet, row, finished[number], class_names, unit)
    sheet.set_width(1, cells.text_width(class_names, lowest=18))
    for column in range(2, len(class_names) + 3):
        sheet.set_width(column, cells.text_width(class_names, highest=16))
    sheet.made.freeze_panes("B2")


def _put_matrix(sheet: Sheet, row: int, metric_dict: MetricDict, class_names: Sequence[str], unit: str) -> int:
    """Write title, header and counts of an instance from a row on; return the row for the next."""
    records = done_records(metric_dict)
    counts = [[0] * len(class_names) for _ in class_names]
    for record in records:
        for true, line in enumerate(record["confusion_matrix"]["test"]):
            for predicted, count in enumerate(line):
                counts[true][predicted] += count
    n_repeats = max(map(repeat_of, metric_dict.get("repeats", ())), default=1)
    repeats = f", mean of up to {n_repeats} repeats of a fold" if n_repeats > 1 else ""
    if "deals" in metric_dict:
        repeats += f", {metric_dict['deals']} deals, which test each anew"
    counted = f"{len(records)} of {metric_dict['folds_total']} folds, {sum(map(sum, counts)):.0f} {unit}{repeats}"
    sheet.put(row, 1, f"{cells.title_of(metric_dict)} ({counted})", "", cells.BOLD)
    for column, name in enumerate(("true \\ predicted", *class_names, "recall"), start=1):
        sheet.put(row + 1, column, name, "", cells.HEADER)
    for true, (name, line) in enumerate(zip(class_names, counts, strict=True)):
        at = row + 2 + true
        sheet.put(at, 1, name, "", cells.BOLD)
        for column, count in enumerate(line, start=2):
            sheet.put(at, column, count, "" if isinstance(count, int) else "0.0")
        recall = line[true] / sum(line) if sum(line) else float("nan")
        sheet.put(at, len(class_names) + 2, recall, "0.00")
        # White for none of the clips of a class to blue for all of them.
        sheet.add_scale(range(at, at + 1), range(2, len(class_names) + 2), cells.scale_to(max(sum(line), 1)))
    return row + len(class_names) + 3
