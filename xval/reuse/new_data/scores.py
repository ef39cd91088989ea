"""The scores of a model on labelled clips, computed as those of the test clips of an experiment."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pandas as pd

from xval.answers.metric_over_items import MetricOverItems
from xval.measures import metrics
from xval.measures.answered import Answered
from xval.measures.calibration import Calibration, measure_calibration
from xval.measures.forms import ScoreOptions
from xval.measures.label_counts import decide
from xval.measures.side import Side
from xval.measures.statistics.intervals import Interval, score_interval
from xval.measures.task import Task
from xval.measures.tasks.multilabel_classification import TUNED_METRICS
from xval.results.tested_examples import TestedExamples


@dataclass(frozen=True)
class NewDataScores:
    """The scores of a model on some data; None: not defined for the task.

    Attributes:
        unit: ``clips`` or ``frames``.
        metrics: By name; NaN: undefined.
        intervals: Intervals over items by metric; empty with fewer than 3 items, and without metrics that take too long.
        too_few: Why metrics have no interval, by name: ``only 2 items of class 'ill'``.
        item_metrics: n_clips and the metrics of each item; empty if every clip is a separate item.
        predictions: A row per clip or frame.
        class_metrics: A row per class; the index is its name.
        confusion_matrix: A row of counts per true class, a column per predicted class.
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
    too_few: Mapping[str, str] = field(default_factory=dict)


def measure(
    task: Task, side: Side, options: ScoreOptions, predictions: pd.DataFrame, *, knows_training: bool = True
) -> NewDataScores:
    """Compute all scores of labelled data, at least one frame or clip of which counts.

    Args:
        task: Of the model.
        side: Predictions and targets.
        options: See `ScoreOptions`.
        predictions: A row per clip or frame.
        knows_training: Whether the facts about training data that some metrics require are known.
    """
    items = side.counted_items()
    n_items = len(np.unique(items))
    # If every clip is a separate item, the predictions have all of this.
    evaluation = task.evaluate(side, options, by_item=n_items < len(predictions))
    left_out = () if knows_training else task.relative_metrics
    scores = _without(evaluation.metrics, left_out)
    targets, answers = side.counted()
    known = [name for name in metrics.metric_names(task.name) if name in scores]
    answered = partial(TestedExamples, items, items, np.zeros(len(items), np.int64), targets)  # clips and folds do not matter
    by_metric = _over_items(task, known, answered(answers))
    if options.thresholds is not None:
        plain = [name.removeprefix("tuned_") for name in TUNED_METRICS]
        tuned = _over_items(task, plain, answered(decide(answers, options.thresholds)))
        by_metric |= {f"tuned_{name}": over_items for name, over_items in tuned.items()}
    intervals = _defined({name: over_items.interval() for name, over_items in by_metric.items()})
    drawn = task.counted_scores(side).items()
    intervals |= _defined({name: score_interval(n_items, compute, weights=weights) for name, (compute, weights) in drawn})
    by_class = task.class_rows(side, evaluation.classes)
    matrix = evaluation.classes.get("confusion_matrix")
    return NewDataScores(
        unit=task.unit,
        metrics=scores,
        intervals=intervals,
        item_metrics={item: _without(item_scores, left_out) for item, item_scores in evaluation.item_metrics.items()},
        predictions=predictions,
        class_metrics=pd.DataFrame(list(by_class.values()), index=pd.Index(list(by_class), name="class")) if by_class else None,
        confusion_matrix=matrix,
        calibration=measure_calibration(targets, answers) if matrix else None,
        events=side.tables().get("events.csv"),
        too_few={
            name: too_few
            for name, over_items in by_metric.items()
            if name not in intervals and (too_few := over_items.no_interval(options.class_names))
        },
    )


def tabulate_clips(
    task: Task, clips: pd.DataFrame, answered: Answered, names: Sequence[str], options: ScoreOptions, *, is_known: bool
) -> pd.DataFrame:
    """Return a row per clip.

    Args:
        task: Of the model.
        clips: clip, path, item, start_s, end_s, seen.
        answered: Their predictions, in the same order.
        names: Of the outputs.
        options: Has the thresholds of several labels.
        is_known: Whether there are targets.
    """
    where = clips[["path", "item", "start_s", "end_s"]].assign(path=clips["path"].where(clips["path"] != "", clips["clip"]))
    columns = task.encode(answered.targets if is_known else None, answered.predictions, names, options.thresholds)
    if "target" in columns:
        columns = {
            "label": columns.pop("target"),
            **{name: values for name, values in columns.items() if not name.startswith("target_")},
        }
    return pd.concat([where, pd.DataFrame(columns), clips["seen"]], axis=1)


def _without(scores: dict[str, float], names: Collection[str]) -> dict[str, float]:
    return {name: value for name, value in scores.items() if name not in names}


def _over_items(task: Task, names: Iterable[str], examples: TestedExamples) -> dict[str, MetricOverItems]:
    return {
        name: MetricOverItems(metrics.find(task.name, name), [examples], is_mean=False, has_classes=task.has_classes)
        for name in names
    }


def _defined(intervals: Mapping[str, Interval | None]) -> dict[str, Interval]:
    return {name: interval for name, interval in intervals.items() if interval is not None}
