"""Write the folder of an evaluation on new data, completely or not at all.

Its files, as far as they are defined for the task:

    report.txt  metrics.json  predictions.csv  items.csv  classes.csv  confusion_matrix.csv  confusion_matrix.png
    calibration.csv  reliability.png  events.csv  left_out.csv
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from xval.base.csv_text import guarded
from xval.base.errors import ResultsError
from xval.base.json_files import FORMAT_VERSION, naming, only_writer, read_json, refuse_appeared, write_json
from xval.models.saved.description import ModelDescription
from xval.report.new_data.pictures import draw_confusion, draw_reliability
from xval.report.new_data.text import Subject, worst_items
from xval.reuse.new_data.evaluation import Outcome

METRICS_NAME, REPORT_NAME = "metrics.json", "report.txt"
_KIND = "evaluation"


def check_output(folder: Path, *, overwrite: bool) -> None:
    """Raise an error for an existing folder, unless it has an evaluation that `overwrite` allows to replace."""
    if not folder.exists():
        return
    if not overwrite:
        raise ResultsError(f"{folder} already exists. Choose another with --output, or give --overwrite.")
    if not folder.is_dir() or (any(folder.iterdir()) and (read_json(folder / METRICS_NAME) or {}).get("kind") != _KIND):
        raise ResultsError(f"{folder} is not an evaluation, so it is not replaced. Choose another with --output.")


@contextmanager
def report_folder(folder: Path, *, overwrite: bool) -> Iterator[Path]:
    """Yield a folder for an evaluation, which gets its final name at the end of the block.

    With `overwrite` it replaces an existing evaluation, which stays if the new one fails.
    """
    check_output(folder, overwrite=overwrite)
    with naming(folder), only_writer(folder, "--output") as temporary:
        yield temporary
        refuse_appeared(folder, "--output", overwrite=overwrite)
        old = temporary.with_name(f"{temporary.name}.old")
        try:
            if folder.exists():
                folder.rename(old)
            temporary.rename(folder)
        finally:
            if old.exists() and not folder.exists():
                old.rename(folder)
            shutil.rmtree(old, ignore_errors=True)


def write_report(
    folder: Path, subject: Subject, outcome: Outcome, descriptions: tuple[ModelDescription, ...], lines: list[str]
) -> None:
    """Write the files of an evaluation."""
    for name, table in _tables(subject, outcome).items():
        guarded(table).to_csv(folder / name, index=False, encoding="utf-8")
    for name, picture in _pictures(subject, outcome).items():
        (folder / name).write_bytes(picture)
    (folder / REPORT_NAME).write_text("\n".join([*lines, ""]), encoding="utf-8")
    write_json(folder / METRICS_NAME, _content(subject, outcome, descriptions))


def _tables(subject: Subject, outcome: Outcome) -> dict[str, pd.DataFrame]:
    scores = outcome.scores
    tables = {"predictions.csv": scores.predictions}
    if scores.item_metrics:
        items = [{"item": item} | metrics for item, metrics in worst_items(scores, subject.task_type)]
        tables["items.csv"] = pd.DataFrame(items)
    if len(outcome.left_out):
        tables["left_out.csv"] = outcome.left_out
    if scores.class_metrics is not None:
        tables["classes.csv"] = scores.class_metrics.reset_index()
    if scores.confusion_matrix is not None:
        matrix = pd.DataFrame(scores.confusion_matrix, columns=list(subject.class_names))
        matrix.insert(0, "true \\ predicted", list(subject.class_names), allow_duplicates=True)
        tables["confusion_matrix.csv"] = matrix
    if scores.calibration is not None:
        tables["calibration.csv"] = scores.calibration.table
    if scores.events is not None:
        tables["events.csv"] = scores.events
    return tables


def _pictures(subject: Subject, outcome: Outcome) -> dict[str, bytes]:
    scores, pictures = outcome.scores, {}
    if scores.confusion_matrix is not None:
        pictures["confusion_matrix.png"] = draw_confusion(scores.confusion_matrix, subject.class_names, scores.unit)
    if scores.calibration is not None:
        pictures["reliability.png"] = draw_reliability(scores.calibration, scores.unit)
    return pictures


def _content(subject: Subject, outcome: Outcome, descriptions: tuple[ModelDescription, ...]) -> dict[str, Any]:
    scores, calibration = outcome.scores, outcome.scores.calibration
    seen = outcome.seen
    content: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "kind": _KIND,
        "model": subject.model,
        "members": [member.model_dump(include={"dataset", "instance", "fold", "repeat"}) for member in descriptions],
        "data": subject.data,
        "task_type": subject.task_type,
        "class_names": list(subject.class_names),
        "unit": scores.unit,
        "n_clips": len(outcome.clips),
        "n_left_out": len(outcome.left_out),
        "n_seen_by_audio": None if seen.by_audio is None else int(seen.by_audio.sum()),
        "n_seen_by_item": int(seen.by_item.sum()),
        "unknown_labels": outcome.unknown_labels,
        "lacking_classes": list(outcome.lacking_classes),
        "warnings": list(outcome.warnings),
        "metrics": scores.metrics,
        "intervals": {name: interval._asdict() for name, interval in scores.intervals.items()},
        "item_metrics": scores.item_metrics,
    }
    if scores.class_metrics is not None:
        content["class_metrics"] = scores.class_metrics.to_dict(orient="index")
    if scores.confusion_matrix is not None:
        content["confusion_matrix"] = scores.confusion_matrix
    if calibration is not None:
        content["calibration"] = {"ece": calibration.ece, "mce": calibration.mce, "brier": calibration.brier}
    return content
