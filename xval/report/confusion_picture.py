"""The confusion matrix of an instance as a picture: a .png, .svg or .pdf file."""

from collections.abc import Sequence
from pathlib import Path

from preprocessing.quality.pictures import PICTURE_ENDINGS, write_figure
from xval.answers.class_report import find_confusion
from xval.answers.item_words import items_word
from xval.base.errors import ResultsError, SettingsError
from xval.report.new_data.pictures import confusion_figure
from xval.results.instance import InstanceResults


def check_picture(path: Path) -> None:
    """Raise an error for a path to which no picture can be written."""
    if path.suffix.lower() not in PICTURE_ENDINGS:
        raise SettingsError(f"--confusion {path}: received the ending '{path.suffix}'; expected .png, .svg or .pdf.")
    if not path.absolute().parent.is_dir():
        raise SettingsError(f"--confusion {path}: there is no folder {path.parent}. Create it first.")


def write_confusion(path: Path, instance: InstanceResults, name: str) -> None:
    """Write the confusion matrix of all finished folds, see `find_confusion`; `name` is the name of the instance.

    Raises:
        ResultsError: The instance has no confusion matrix.
    """
    confusion = find_confusion(instance)
    if confusion is None:
        has_labels = instance.task.has_thresholds or instance.settings.frames  # frames with one class each have a matrix
        why = "an example may have several labels" if has_labels else f"{instance.task.name} predicts no classes"
        raise ResultsError(f"instance {instance.number} has no confusion matrix: {why}.")
    unit = items_word([instance]) if instance.decides_items else instance.task.unit
    counts: Sequence[Sequence[float]] = confusion.counts
    matrix = [[round(count) for count in row] for row in counts]
    counted = f"{sum(map(sum, matrix))} {unit}"
    if instance.n_fold_repeats > 1:
        counted = f"{sum(map(sum, matrix))} predictions: each of the {unit} counts in all {instance.n_fold_repeats} repeats"
    title = f"Test {unit} of {name} (instance {instance.number})\n{counted}"
    write_figure(confusion_figure(matrix, confusion.class_names, title), path)
