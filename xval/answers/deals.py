"""Several deals of the folds (fold_repeats): each tests every item once, so that an item has a figure of each deal.

Comes in: instances. Goes out: the finished folds of each deal; a line on how the deals differ.
"""

from statistics import fmean

from xval.results.instance import InstanceResults


def folds_of_deals(instance: InstanceResults) -> dict[int, list[int]]:
    """Return the finished folds of each deal that has one, by its number."""
    size = instance.n_folds // instance.n_deals
    folds: dict[int, list[int]] = {}
    for fold in instance.folds:
        folds.setdefault((fold - 1) // size + 1, []).append(fold)
    return folds


def describe_deals(instance: InstanceResults, side: str, metric: str) -> str:
    """Return the mean of each deal in a metric; nothing where there is one."""
    values = instance.fold_values(side, metric)
    of_deals = {deal: [values[fold] for fold in folds if fold in values] for deal, folds in folds_of_deals(instance).items()}
    means = [f"deal {deal} {fmean(of_deal):.3f}" for deal, of_deal in of_deals.items() if of_deal]
    return f"{metric} {', '.join(means)}" if instance.n_deals > 1 and means else ""
