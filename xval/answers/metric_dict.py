"""The metric dict of an instance: what its metrics.json holds, and what tables, page and comparisons are made of."""

from typing import Any, NotRequired, TypedDict

from xval.answers.item_figures import OverItems
from xval.results.read import Record


class Figure(TypedDict):
    """One metric over the folds of an instance.

    Attributes:
        mean: None when no fold has a value.
        std: The sample standard deviation (over n - 1); None when fewer than two folds have a value.
        n: How many folds have a value; a fold whose metric is NaN has none.
        min: The smallest value of a fold.
        max: The largest value of a fold.
    """

    mean: float | None
    std: float | None
    n: int
    min: float | None
    max: float | None


class MetricDict(TypedDict):
    """The content of metrics.json.

    Attributes:
        further_metrics: The directions of metrics beside those of the task (True: higher is better).
        parameters: Every setting and option of the instance.
        sources: Where each of them came from.
        folds_total: Folds of all deals together.
        deals: How many times the items are dealt into folds, where that is more than once.
        cautions: What is to be known about the corpus with these features.
        folds_done: Folds that have figures.
        folds_failed: Folds of which a job failed.
        folds: The records by fold, done and failed; of a fold with repeats their mean, see `average_repeats`.
        summary: A `Figure` for each metric of each side.
        over_items: Figures over items, where the predictions of the finished folds have been read.
        history: The epochs of each job by the name of its folder, a list per column of its history.csv, in metrics.json alone.
        seconds: Of all jobs together.
        jobs_total: Folds times repeats; this and the following only where folds are trained more than once.
        jobs_done: How many of them are finished.
        repeats: The record of each job, by fold and repeat.
        components: The variance of each metric of each side between folds and between seeds, see `repeats_content`.
    """

    format_version: int
    instance: int
    description: str
    task_type: str
    monitor: str
    further_metrics: dict[str, bool]
    parameters: dict[str, object]
    sources: dict[str, str]
    cautions: NotRequired[list[str]]
    folds_total: int
    deals: NotRequired[int]
    folds_done: int
    folds_failed: int
    folds: dict[str, Record]
    summary: dict[str, dict[str, Figure]]
    over_items: NotRequired[OverItems]
    history: NotRequired[dict[str, dict[str, list[float]]]]
    seconds: float
    n_parameters: int | None
    jobs_total: NotRequired[int]
    jobs_done: NotRequired[int]
    repeats: NotRequired[list[Record]]
    components: NotRequired[dict[str, dict[str, dict[str, Any]]]]
