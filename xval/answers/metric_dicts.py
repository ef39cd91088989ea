"""Metric dicts of instances, gathered from the records of their folds.

Comes in: a results folder. Goes out: a `MetricDict` for each instance. What is read is that of `open_results`, so that a
command gathers an instance once.
"""

from collections.abc import Iterable
from functools import partial

from xval.answers.estimates import over_items_of, update_further
from xval.answers.metric_dict import MetricDict
from xval.answers.summary import make_metric_dict
from xval.base.errors import ResultsError
from xval.base.garbage_collection import without_collector
from xval.results.folder import ExperimentFolder, file_state
from xval.results.open import OpenResults, open_results


def read_metric_dicts(folder: ExperimentFolder, instances: Iterable[int]) -> list[MetricDict]:
    """Return the metric dicts of instances, of what can be read of them: a rebuild names what cannot."""
    with without_collector():
        gathered = (gather(folder, instance, []) for instance in instances)
        return [metric_dict for metric_dict in gathered if metric_dict]


def gather_metrics(folder: ExperimentFolder, instance: int, *, over_items: bool = True) -> MetricDict | None:
    """Return the metric dict of an instance from its fold records, or None if it has not been planned; nothing is written.

    With ``over_items`` it has the figures over items, for which predictions may have to be read.
    """
    damaged: list[str] = []
    metric_dict = gather(folder, instance, damaged, over_items=over_items)
    if damaged:
        raise ResultsError("\n".join(damaged))
    return metric_dict


def gather_finished(folder: ExperimentFolder, *, over_items: bool = True) -> list[MetricDict]:
    """Return the metric dicts of the instances that have a finished fold, as `gather_metrics` does."""
    gathered = (gather_metrics(folder, instance, over_items=over_items) for instance in folder.instances())
    finished = [metric_dict for metric_dict in gathered if metric_dict and metric_dict["folds_done"]]
    if not finished:
        raise ResultsError(f"{folder.path}: no fold is finished, so there is no best instance. Run the experiment first.")
    return finished


def gather(
    folder: ExperimentFolder, instance: int, damaged: list[str], *, over_items: bool = True, writes: bool = False
) -> MetricDict | None:
    """Return the metric dict of the readable records of an instance; None: it has not begun, or its settings are damaged.

    Args:
        folder: Of the experiment.
        instance: Its number.
        damaged: Is given a line for each file that is damaged.
        over_items: With the figures over items, for which predictions may have to be read.
        writes: Compute the figures of further metrics that are not known yet, and keep what was computed.
    """
    if not folder.has_begun(instance):
        return None
    results = open_results(folder)
    _ = results.folds  # an error if it cannot be read
    further = update_further(results, instance, damaged) if writes else None
    of_further = folder.added_metrics.exists() and file_state(folder.estimates_file(instance))
    state = folder.state(instance)
    metric_dict, faults = results.once(("metric dict", instance), (state, of_further), partial(_of_records, results, instance))
    damaged += faults
    if metric_dict is None or not over_items or not metric_dict["folds_done"]:
        return metric_dict
    known = over_items_of(results, metric_dict, state, damaged, further)
    return {**metric_dict, "over_items": known} if known else metric_dict


def _of_records(results: OpenResults, instance: int) -> tuple[MetricDict | None, list[str]]:
    """Return the metric dict of the readable records, without figures over items, and what is wrong with the others."""
    try:
        written = results.settings(instance)
    except ResultsError as error:
        return None, [str(error)]
    records, damaged = results.records(instance)
    faults, current = list(damaged.values()), results.current(instance, records)
    try:
        current = results.with_further(current)
    except ResultsError as error:
        faults.append(str(error))
    folds = results.folds
    return make_metric_dict(written, current.values(), folds_total=len(folds.numbers), deals=folds.plan.n_deals), faults
