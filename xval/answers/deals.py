"""Several deals of the folds (fold_repeats): each tests every item once, so that an item has a figure of each deal.

Comes in: instances. Goes out: the finished folds of each deal; which repeats are one training run; a line on how the deals
differ.
"""

from collections.abc import Collection, Sequence
from statistics import fmean

from xval.answers.figure_text import rounded
from xval.answers.summary import metric_words
from xval.results.instance import InstanceResults


def folds_of_deals(instance: InstanceResults) -> dict[int, list[int]]:
    """Return the finished folds of each deal that has one, by its number."""
    size = instance.n_folds // instance.n_deals
    folds: dict[int, list[int]] = {}
    for fold in instance.folds:
        folds.setdefault((fold - 1) // size + 1, []).append(fold)
    return folds


def group_runs(repeats: Sequence[Collection[int]], seeds: Sequence[int] = ()) -> list[list[int]]:
    """Return the training runs, each the places of its repeats: the deals, or the seeds of a single deal.

    Deals are units because the seeds of a deal share its folds. `repeats` are the folds of each repeat of each deal, and
    `seeds` which seed each of them has; 0, or none given: its own.
    """
    deals: dict[frozenset[int], list[int]] = {}
    of_seeds: dict[int, list[int]] = {}
    for place, (folds, seed) in enumerate(zip(repeats, seeds or [0] * len(repeats), strict=True)):
        deals.setdefault(frozenset(folds), []).append(place)
        of_seeds.setdefault(seed or -place - 1, []).append(place)
    return list(deals.values()) if len(deals) > 1 else list(of_seeds.values())


def describe_deals(instance: InstanceResults, side: str, metric: str) -> str:
    """Return the mean of each deal in a metric; nothing where there is one."""
    values = instance.fold_values(side, metric)
    of_deals = {deal: [values[fold] for fold in folds if fold in values] for deal, folds in folds_of_deals(instance).items()}
    means = [f"{rounded(fmean(of_deal))[0]} in repeat {deal}" for deal, of_deal in of_deals.items() if of_deal]
    return f"{metric_words(metric)} {', '.join(means)}" if instance.n_deals > 1 and means else ""
