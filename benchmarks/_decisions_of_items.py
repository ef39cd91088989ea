"""Error and power of tests between two models that predict once for each item (``item_decision``), computed exactly.

Each item is predicted correctly by both models, by neither, or by one of them. All outcomes for a number of items are
enumerated with their probabilities, so that nothing is drawn at random. ``t`` is the test of `compare`. McNemar's test uses the
items that only one of the two models gets right (Fagerland, Lydersen and Laake, BMC Med. Res. Methodology 13, 2013, for the
mid-p value). An error is a significant difference between equal models, or an interval of ``t`` that misses the true
difference.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd
from scipy import stats

from xval.measures.statistics.comparison import item_difference

LEVEL = 0.05
ITEMS = (6, 8, 12, 16, 24, 60)
DISCORDANT = (0.1, 0.2, 0.3, 0.5, 0.8)
"""Shares of items that one of the two models alone answers right."""
DIFFERENCE = 0.2


def t_over_items(n_first: int, n_second: int, n_items: int, difference: float = 0) -> float:
    """Return p of what the product does against a true difference; 1 where there is no test."""
    values = np.repeat([1.0, -1.0, 0.0], [n_first, n_second, n_items - n_first - n_second])
    tested = item_difference(values[:, np.newaxis])
    p = tested._replace(value=tested.value - difference).p
    return 1.0 if np.isnan(p) else p


def mcnemar(n_first: int, n_second: int, weight: float = 1.0) -> float:
    """Return p of McNemar's exact test; `weight` of the probability of what was seen: 1, or 0.5 for the mid-p value."""
    n_fewer, n_both = min(n_first, n_second), n_first + n_second
    at_most, exactly = stats.binom.cdf(n_fewer, n_both, 0.5), stats.binom.pmf(n_fewer, n_both, 0.5)
    return min(1.0, float(2 * (at_most - (1 - weight) * exactly)))


def rejected(p_of: Callable[[int, int], float], n_items: int, share: float, difference: float) -> float:
    """Return how often a p value is at most the level, where one of two models alone is right of a share of the items."""
    probabilities = (share + difference) / 2, (share - difference) / 2, 1 - share
    outcomes = [(first, second) for first in range(n_items + 1) for second in range(n_items + 1 - first)]
    weights = stats.multinomial.pmf([[*both, n_items - sum(both)] for both in outcomes], n_items, probabilities)
    return float(sum(weight for both, weight in zip(outcomes, weights, strict=True) if p_of(*both) <= LEVEL))


def decisions_table() -> pd.DataFrame:
    """Return error and power by items and share of discordant ones; NaN: that difference cannot be."""
    rows = {}
    for n_items in ITEMS:
        tests = {"t": partial(t_over_items, n_items=n_items), "McNemar": mcnemar, "mid-p": partial(mcnemar, weight=0.5)}
        for share in DISCORDANT:
            row = {f"error, {name}": rejected(test, n_items, share, 0) for name, test in tests.items()}
            if share > DIFFERENCE:
                against_true = partial(t_over_items, n_items=n_items, difference=DIFFERENCE)
                row["error, interval of t"] = rejected(against_true, n_items, share, DIFFERENCE)
                row |= {f"power, {name}": rejected(test, n_items, share, DIFFERENCE) for name, test in tests.items()}
            rows[n_items, share] = row
    return pd.DataFrame(rows).T.rename_axis(["items", "discordant"])
