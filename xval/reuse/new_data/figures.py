"""The figures of a model on labelled clips, the same as those of the test clips of an experiment.

Comes in: targets, and the predictions of the model. Goes out: `Figures`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xval.answers.metric_over_items import MOST_VALUES_OF_INTERVAL
from xval.measures import metrics
from xval.measures.statistics.intervals import MOST_LEFT_OUT, Interval, figure_interval
from xval.measures.task import Task, find_task
from xval.measures.tasks.classification import class_metrics, confusion_matrix
from xval.measures.tasks.multilabel_classification import TUNED_METRICS, decide, join_decided, label_metrics, tuned_metrics
from xval.reuse.new_data.calibration import Calibration, measure_calibration

PROBABILITY = "probability_"


@dataclass(frozen=True)
class Figures:
    """The figures of a model on some data; None: the task has none.

    Attributes:
        unit: ``clips`` or ``frames``.
        metrics: By name; NaN: undefined.
        intervals: Over items; empty with fewer than 3 items, without metrics that take too long or have none.
        item_metrics: n_clips and the metrics of each item; empty if every clip is an item of its own.
        predictions: A row per clip or frame.
        class_metrics: A row per class; the index is its name.
        confusion_matrix: A row of counts per true class, a column per predicted class.
        calibration: Of the probabilities.
        events: A row per event, annotated and found.
    """

    unit: str
    metrics: dict[str, float]
    intervals: dict[str, Interval]
    item_metrics: dict[str, dict[str, float]]
    predictions: pd.DataFrame
    class_metrics: pd.DataFrame | None = None
    confusion_matrix: list[list[int]] | None = None
    calibration: Calibration | None = None
    events: pd.DataFrame | None = None


def measure_clips(
    clips: pd.DataFrame,
    answers: pd.DataFrame,
    targets: NDArray[Any] | None,
    *,
    task_type: str,
    class_names: Sequence[str] = (),
    target_names: Sequence[str] = (),
    thresholds: NDArray[np.float64] | None = None,
) -> Figures:
    """Compute all figures of clips.

    Args:
        clips: A row per clip: clip, path, item, start_s, end_s, seen.
        answers: The predictions, in the same order; see `SavedModel.predict`.
        targets: int64 (n_clips,) class numbers; float32 (n_clips, n_classes), 0 or 1, of several labels; float32 (n_clips,
            n_targets); None for a representation.
        task_type: Any but frame_classification.
        class_names: Of the classes.
        target_names: Of the targets of a regression.
        thresholds: Of several labels, float64 (n_classes,).

    Raises:
        DivergenceError: A prediction is NaN or infinite.
    """
    task = find_task(task_type)
    where = clips[["path", "item", "start_s", "end_s"]].assign(path=clips["path"].where(clips["path"] != "", clips["clip"]))
    predictions, told = _read_answers(task, answers, targets, class_names, target_names)
    true: NDArray[Any] = predictions if targets is None else targets

    def compute(numbers: NDArray[np.intp] | slice) -> dict[str, float]:
        chosen = true[numbers], predictions[numbers]
        return _compute(task, *chosen) | tuned_metrics(*chosen, thresholds if task.has_clip_labels else None)

    rows_of = _rows_by_item(clips["item"])
    rows = list(rows_of.values())
    found = compute(slice(None))
    known = [name for name in found if name not in task.final_metrics]
    intervals = metric_intervals(task, known, rows, true, predictions)
    figures: dict[str, Any] = {}
    if task.has_clip_labels and thresholds is not None:
        plain = [name.removeprefix("tuned_") for name in TUNED_METRICS]
        tuned = metric_intervals(task, plain, rows, true, decide(predictions, thresholds))
        intervals |= {f"tuned_{name}": interval for name, interval in tuned.items()}
        figures = {"class_metrics": _class_table(label_metrics(true, predictions, class_names, thresholds))}
    if task.has_clip_classes:
        codes = np.unique(clips["item"].to_numpy(dtype=str), return_inverse=True)[1]
        intervals |= _recall_intervals(codes, true, predictions.argmax(axis=1) == true)
        figures = {
            "class_metrics": _class_table(class_metrics(true, predictions, class_names)),
            "confusion_matrix": confusion_matrix(true, predictions),
            "calibration": measure_calibration(true, predictions),
        }
    return Figures(
        unit=task.unit,
        metrics=found,
        intervals=intervals,
        # If every clip is an item of its own, the predictions have all of this.
        item_metrics={item: {"n_clips": len(own)} | compute(own) for item, own in rows_of.items()}
        if len(rows_of) < len(clips)
        else {},
        predictions=pd.concat([where, pd.DataFrame(told), clips["seen"]], axis=1),
        **figures,
    )


def _read_answers(
    task: Task, answers: pd.DataFrame, targets: Any, class_names: Sequence[str], target_names: Sequence[str]
) -> tuple[NDArray[np.float32], dict[str, Any]]:
    """Return the predictions as metrics take them, and the columns that say what is true and what was predicted."""
    if task.has_classes:
        columns = [f"{PROBABILITY}{name}" for name in class_names]
        predictions = answers[columns].to_numpy(np.float32)
        names = np.array(class_names, dtype=object)
        if task.is_multi_label:
            told = {"label": join_decided(np.asarray(targets), class_names), "predicted": answers["predicted"].to_numpy()}
        else:
            told = {"label": names[targets], "predicted": names[predictions.argmax(axis=1)]}
        return predictions, told | dict(zip(columns, predictions.T, strict=True))
    if task.has_clip_numbers:
        predictions = answers[[f"predicted_{name}" for name in target_names]].to_numpy(np.float32)
        told = {}
        for number, name in enumerate(target_names):
            told |= {f"target_{name}": np.asarray(targets)[:, number], f"predicted_{name}": predictions[:, number]}
        return predictions, told
    errors = answers["squared_error"].to_numpy(np.float32)
    return errors, {"squared_error": errors}


def _compute(task: Task, targets: NDArray[Any], predictions: NDArray[np.float32]) -> dict[str, float]:
    found = metrics.compute(task.name, targets, predictions)
    return {name: value for name, value in found.items() if name not in task.relative_metrics}


def _rows_by_item(items: "pd.Series[str]") -> dict[str, NDArray[np.intp]]:
    values = items.to_numpy(dtype=str)
    order = np.argsort(values, kind="stable")
    names, first = np.unique(values[order], return_index=True)
    return dict(zip(map(str, names), np.split(order, first[1:]), strict=True))


def _recall_intervals(items: NDArray[np.intp], targets: NDArray[np.int64], is_right: NDArray[np.bool_]) -> dict[str, Interval]:
    """Return the intervals of accuracy and balanced accuracy.

    Items are weighted by how often they were drawn, which is faster than gathering their clips.
    """
    n_items = int(items.max()) + 1

    def recalls(drawn: NDArray[np.intp]) -> tuple[NDArray[Any], NDArray[Any]]:
        weights = np.bincount(drawn, minlength=n_items)[items]
        return np.bincount(targets, weights=weights * is_right), np.bincount(targets, weights=weights)

    def accuracy(drawn: NDArray[np.intp]) -> float:
        n_right, n_true = recalls(drawn)
        return float(n_right.sum() / n_true.sum())

    def balanced_accuracy(drawn: NDArray[np.intp]) -> float:
        n_right, n_true = recalls(drawn)
        return float(np.mean(n_right[n_true > 0] / n_true[n_true > 0]))

    return _defined(
        {
            "accuracy": figure_interval(n_items, accuracy),
            "balanced_accuracy": figure_interval(n_items, balanced_accuracy),
        }
    )


def metric_intervals(
    task: Task,
    names: Iterable[str],
    rows: Sequence[NDArray[np.intp]],
    targets: NDArray[Any],
    predictions: NDArray[np.float32],
) -> dict[str, Interval]:
    """Return the intervals of metrics, by name, by the jackknife over items.

    From 20 items on, those of the main metrics of numbers are by the bootstrap. Other metrics of very many examples have none:
    they would take minutes.

    Args:
        task: Of the metrics.
        names: Of the metrics.
        rows: The examples of each item.
        targets: Of the examples, as the metrics take them.
        predictions: Likewise.
    """

    def over_items(name: str) -> Interval | None:
        found = metrics.find(task.name, name)

        def compute(drawn: NDArray[np.intp]) -> float:
            clips = np.concatenate([rows[item] for item in drawn])
            return found.function(targets[clips], predictions[clips])

        return figure_interval(len(rows), compute, bounds=found.bounds, bootstrap=name in slow)

    slow = () if task.has_classes else task.main_metrics
    is_quick = predictions.size * min(len(rows), MOST_LEFT_OUT) <= MOST_VALUES_OF_INTERVAL
    return _defined({name: over_items(name) for name in names if is_quick or name in slow})


def _defined(intervals: Mapping[str, Interval | None]) -> dict[str, Interval]:
    return {name: interval for name, interval in intervals.items() if interval is not None}


def _class_table(figures: Mapping[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(list(figures.values()), index=pd.Index(list(figures), name="class"))
