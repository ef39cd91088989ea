"""One test metric of an instance: per fold and repeat, and per item where the figure of a fold is the mean over its items.

Comes in: the records of an instance. Goes out: a `Competitor`.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from xval.base.errors import REMEDY, ResultsError
from xval.base.numbers import finite_or_nan
from xval.results.instance_records import InstanceRecords
from xval.results.read import Record

_ROUNDING = 1e-6  # metrics are float64; some are computed of float32


class FoldFigure(NamedTuple):
    """The test figure of one trained model.

    Attributes:
        fold: Number of the fold.
        repeat: Number of the repeat, from 1.
        value: The figure; of clips where clips are cut into windows. NaN: undefined.
        tested: The items that it is computed of.
        ratio: Their number over that of the items that trained, without those that validated.
        of_items: The figure of each item; None where `value` is not the mean of these, weighted by clips (F1, AUC).
    """

    fold: int
    repeat: int
    value: float
    tested: tuple[str, ...]
    ratio: float
    of_items: Mapping[str, float] | None


@dataclass(frozen=True)
class Competitor:
    """One metric of one instance.

    Attributes:
        name: What tables and sentences call the instance: ``3``, or ``results/demo/experiment_2:3`` of another experiment.
        comment: Its comment_1, or else its architecture.
        figures: Of every finished fold and repeat.
        left_out: The folds without a figure, and why: ``failed: ...``, ``missing``, ``undefined``.
        has_items_of_one_clip: Whether every tested item has one clip, as in a random split over clips.
    """

    name: str
    comment: str
    figures: tuple[FoldFigure, ...]
    left_out: Mapping[int, str]
    has_items_of_one_clip: bool = False

    def by_fold(self) -> dict[int, dict[int, FoldFigure]]:
        """Return the figures by fold and repeat, without the folds in which one is undefined."""
        by_fold: dict[int, dict[int, FoldFigure]] = {}
        for figure in self.figures:
            by_fold.setdefault(figure.fold, {})[figure.repeat] = figure
        return {
            fold: by_repeat
            for fold, by_repeat in by_fold.items()
            if not any(math.isnan(repeat_figure.value) for repeat_figure in by_repeat.values())
        }


def read_competitor(instance: InstanceRecords, name: str, metric: str) -> Competitor:
    """Return a metric of an instance by fold and repeat, called by that name."""
    records = list(instance.done.values())
    figures = tuple(_fold_figure(instance, record, metric) for record in records)
    left_out = {job["fold"]: f"failed: {job['error']}" if job["error"] else job["status"] for job in instance.not_done()}
    left_out |= {figure.fold: f"{metric} is undefined" for figure in figures if math.isnan(figure.value)}
    counts = [item["n_clips"] for record in records for item in record["item_metrics"]["test"].values()]
    settings = instance.written.settings
    return Competitor(name, settings.comment_1 or settings.architecture, figures, left_out, set(counts) == {1})


def metric_names(records: Iterable[Record]) -> list[str]:
    """Return the names of the test metrics that some record has."""
    return sorted({name for record in records for name in _test_metrics(record)})


def _test_metrics(record: Record) -> dict[str, Any]:
    """Return the test metrics of clips, and of examples where clips have none, such as the loss."""
    return record["metrics"]["test"] | record["clip_metrics"]["test"]  # type: ignore[no-any-return]


def _fold_figure(instance: InstanceRecords, record: Record, metric: str) -> FoldFigure:
    tested, training = record["items"]["test"], record["items"]["training"]
    if not training:
        path = instance.experiment.fold_folder(instance.number, record["fold"], record["repeat"]) / "record.json"
        raise ResultsError(f"{path}: damaged, no item has trained. {REMEDY}")
    value, items = finite_or_nan(_test_metrics(record).get(metric)), record["item_metrics"]["test"]
    of_items = {item: finite_or_nan(item_metrics.get(metric)) for item, item_metrics in items.items()}
    n_clips = [item_metrics["n_clips"] for item_metrics in items.values()]
    weighted = math.fsum(figure * n for figure, n in zip(of_items.values(), n_clips, strict=True))
    is_mean = sum(n_clips) > 0 and math.isclose(weighted / sum(n_clips), value, rel_tol=_ROUNDING, abs_tol=_ROUNDING)
    return FoldFigure(
        record["fold"],
        record["repeat"],
        value,
        tuple(tested),
        len(tested) / len(training),
        of_items if is_mean else None,
    )
