"""The scores of each label over all test clips of an instance, where a clip may have several labels."""

import math
from statistics import fmean
from typing import NamedTuple

from xval.base.numbers import finite_or_none
from xval.measures.label_counts import random_average_precision
from xval.results.instance import InstanceResults
from xval.results.item_scores import ClassRecall

_COUNTS = ("true_positives", "false_positives", "false_negatives", "true_negatives")


class LabelScores(NamedTuple):
    """The scores of a label over all folds; with several seeds or repeats, clips count in each of them.

    Attributes:
        n_clips: Number of test clips with the label.
        share: Their share of all test clips.
        average_precision: Mean over the folds that have such a clip, of the mean over repeats; None: no fold has one.
        chance: Expected average precision of a random order of the clips; mean over the same folds.
        precision: Precision over all clips together, at the thresholds of their folds, as recall and F1; None: never predicted.
        recall: None: no clip has the label.
        recall_low: Lower end of the 95 % interval of recall over items; None: no interval.
        recall_high: Upper end of the same interval.
        f1: None: the label is neither predicted nor in any clip.
        true_positives: Clips with the label for which it is predicted.
        false_positives: Clips without the label for which it is predicted.
        false_negatives: Clips with the label for which it is not predicted.
        true_negatives: The other clips.
        lowest_threshold: The smallest threshold of all folds; validation clips choose it.
        highest_threshold: The largest threshold of all folds.
        n_untuned: Number of folds without a validation clip of this label, where its threshold is 0.5.
    """

    label: str
    n_clips: int
    share: float | None
    average_precision: float | None
    chance: float | None
    precision: float | None
    recall: float | None
    recall_low: float | None
    recall_high: float | None
    f1: float | None
    true_positives: int
    false_positives: int
    false_negatives: int
    true_negatives: int
    lowest_threshold: float
    highest_threshold: float
    n_untuned: int


def label_scores(instance: InstanceResults) -> list[LabelScores]:
    """Return the scores of the labels of an instance; none if clips have one class each, or no fold is finished."""
    records = [record for record in instance.done.values() if record.get("thresholds")]
    return [
        _label_scores(str(name), records, instance.class_recalls.get(name))
        for name in (records[0]["thresholds"] if records else ())
    ]


def _label_scores(name: str, records: list[dict[str, object]], recall: ClassRecall | None) -> LabelScores:
    label_metrics = [record["class_metrics"]["test"][name] for record in records]  # type: ignore[index]
    right, invented, missed, others = (sum(int(job_metrics[count]) for job_metrics in label_metrics) for count in _COUNTS)
    areas: dict[object, list[float]] = {}
    levels: dict[object, float] = {}
    for record, job_metrics in zip(records, label_metrics, strict=True):
        if (value := finite_or_none(job_metrics["average_precision"])) is not None:
            areas.setdefault(record["fold"], []).append(value)
            n_clips = sum(int(job_metrics[count]) for count in _COUNTS)
            levels[record["fold"]] = float(random_average_precision(job_metrics["n_clips"], n_clips))
    thresholds = [float(record["thresholds"][name]) for record in records]  # type: ignore[index]
    return LabelScores(
        name,
        right + missed,
        _share(right + missed, right + invented + missed + others),
        fmean(map(fmean, areas.values())) if areas else None,
        fmean(levels.values()) if levels else None,
        _share(right, right + invented),
        _share(right, right + missed),
        recall and recall["low"],
        recall and recall["high"],
        _share(2 * right, 2 * right + invented + missed),
        right,
        invented,
        missed,
        others,
        min(thresholds, default=math.nan),
        max(thresholds, default=math.nan),
        len({record["fold"] for record in records if name in record.get("untuned_labels", [])}),  # type: ignore[operator]
    )


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
