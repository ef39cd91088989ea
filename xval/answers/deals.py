"""Several deals of the folds (fold_repeats): each tests every item once, so that an item has a figure of each deal.

Comes in: metric dicts. Goes out: the records of each deal; the figures of items, averaged over deals; a line on how the deals
differ.
"""

from statistics import fmean
from typing import Any

from xval.answers.metric_dict import MetricDict
from xval.answers.repeats import average
from xval.answers.summary import done_records, fold_values
from xval.results.read import Record


def deals_of(metric_dict: MetricDict) -> dict[int, list[Record]]:
    """Return the records of the finished folds of each deal that has one, by its number."""
    if "deals" not in metric_dict:
        return {1: records} if (records := done_records(metric_dict)) else {}
    size = metric_dict["folds_total"] // metric_dict["deals"]
    by_deal: dict[int, list[Record]] = {}
    for record in done_records(metric_dict):
        by_deal.setdefault((int(record["fold"]) - 1) // size + 1, []).append(record)
    return by_deal


def item_means(metric_dict: MetricDict) -> dict[str, dict[str, Any]]:
    """Return n_clips and the figures of each tested item, those that several deals have tested averaged over these."""
    by_item: dict[str, list[dict[str, Any]]] = {}
    for record in done_records(metric_dict):
        for item, figures in record["item_metrics"]["test"].items():
            by_item.setdefault(item, []).append(figures)
    return {item: average(figures) for item, figures in by_item.items()}


def describe_deals(metric_dict: MetricDict, side: str, metric: str) -> str:
    """Return the mean of each deal in a metric; nothing where there is one."""
    values = fold_values(metric_dict, side, metric)
    values_by_deal = {
        deal: [values[record["fold"]] for record in records if record["fold"] in values]
        for deal, records in deals_of(metric_dict).items()
    }
    means = [f"deal {deal} {fmean(of_deal):.3f}" for deal, of_deal in values_by_deal.items() if of_deal]
    return f"{metric} {', '.join(means)}" if "deals" in metric_dict and means else ""
