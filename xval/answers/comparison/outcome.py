"""What a comparison has found: a `Pair` for each instance, with the baseline; a `Comparison` of all of them.

Comes in: tests, probabilities and variances. Goes out: a verdict, what could have been found, a table of all numbers.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import pandas as pd

from xval.measures.statistics.comparison import CorrectedT, Posterior, SignFlip
from xval.measures.statistics.components import Components
from xval.measures.statistics.planning import Study, least_detectable, planned_error

LEVEL = 0.05
ROPE = 0.01  # suits shares
WANTED_POWER = 0.8
SURE = 0.95  # from this probability on, instances are called practically equal


@dataclass(frozen=True)
class Pair:
    """An instance and the baseline, on the folds that both have.

    Attributes:
        instance: Name of the instance.
        comment: Of the instance.
        mean: Its mean over these folds.
        baseline_mean: That of the baseline over the same folds.
        of_folds: Instance less baseline in each fold, averaged over repeats.
        of_items: Instance less baseline for each item; empty where figures of folds are no means over items.
        n_items: Number of items that these folds test.
        n_repeats: Numbers of repeats that a fold of one of the two has, sorted: (3,), or (1, 3).
        ratio: Number of test items over that of training items, mean of the folds.
        test: The corrected resampled t test of `of_folds`.
        p_holm: Its p, adjusted for all pairs of the comparison.
        flips: The sign flip test of `of_items`; None without them.
        posterior: The probabilities that the instance is better, practically equal, worse.
        components: The variances of the differences between folds and between seeds, of the repeats that both have; that of
            seeds is NaN with one.
        level: 0.05 over the number of comparisons: what Holm's method asks of the smallest p.
        notes: What limits this comparison, in sentences.
        n_deals: How often an item is tested: the number of deals, if no fold is left out.
    """

    instance: str
    comment: str
    mean: float
    baseline_mean: float
    of_folds: Mapping[int, float]
    of_items: Mapping[str, float]
    n_items: int
    n_repeats: tuple[int, ...]
    ratio: float
    test: CorrectedT
    p_holm: float
    flips: SignFlip | None
    posterior: Posterior
    components: Components
    level: float
    notes: tuple[str, ...]
    n_deals: float = 1.0

    @property
    def least_detectable(self) -> float:
        """The smallest true difference that these folds and repeats find with a probability of 80 %."""
        return _detectable(self.test.standard_error, self.test.n_folds, self.level)

    @property
    def verdict(self) -> str:
        """``practically equal``, ``better`` or ``worse`` than the baseline, ``undecided``, or ``no test``."""
        if math.isnan(self.p_holm):
            return "no test"
        if self.posterior.equal >= SURE:
            return "practically equal"
        if self.p_holm > LEVEL:
            return "undecided"
        return "better" if self.posterior.better > self.posterior.worse else "worse"

    def planned(self, n_items: int, n_repeats: int) -> float:
        """Return the smallest true difference that a study of another size would find with a probability of 80 %.

        As many items are tested per fold as now. The standard error is that of the test, times what the components say that
        it changes by, so that for the present size this is `least_detectable`, also where a component was cut at 0.

        Returns:
            The difference; NaN where it is not known: other repeats are planned from one repeat, or no deviation is known.
        """
        now = Study(self.n_items, self.test.n_folds, round(self.components.n_repeats), self.ratio, self.n_deals)
        planned = now.resized(n_items=n_items, n_repeats=n_repeats)
        of_now = planned_error(self.components, now, now)
        change = planned_error(self.components, now, planned) / of_now if of_now > 0 else math.nan
        return _detectable(self.test.standard_error * change, planned.n_folds, self.level)


@dataclass(frozen=True, repr=False)
class Comparison:
    """Instances compared with a baseline in one metric.

    Attributes:
        metric: Name of the metric.
        figure: What is compared, in words, such as ``test balanced accuracy of clips``.
        higher_is_better: Its direction.
        rope: Half of the region of practical equivalence, in the unit of the metric.
        baseline: Name of the baseline.
        baseline_reason: Why it is the baseline.
        pairs: One for each other instance.
        notes: Which instances are left out, and what limits all pairs, in sentences.
        largest_difference: Between two figures, by the bounds of the metric.
    """

    metric: str
    figure: str
    higher_is_better: bool
    rope: float
    baseline: str
    baseline_reason: str
    pairs: tuple[Pair, ...]
    notes: tuple[str, ...]
    largest_difference: float = math.inf

    @property
    def n_comparisons(self) -> int:
        """Number of tests in the family."""
        return sum(not math.isnan(pair.test.p) for pair in self.pairs)

    @property
    def table(self) -> pd.DataFrame:
        """All numbers, a row per pair: the tests, then the differences per fold and per item (NaN: not in this pair)."""
        return pd.DataFrame([self._row(pair) for pair in self.pairs])

    def __repr__(self) -> str:
        """Return the baseline and the main numbers of each pair; ``table`` has all of them."""
        shown = ["instance", "comment", "mean", "difference", "low_95", "high_95", "p_holm", "verdict"]
        table = self.table[shown].to_string(index=False, float_format="{:.3f}".format)
        first = f"{self.figure}, against instance {self.baseline} ({self.baseline_reason}):"
        return "\n".join([first, table, *self.notes])

    def _row(self, pair: Pair) -> dict[str, object]:
        none = SignFlip(math.nan, math.nan, 0)
        return {
            "instance": pair.instance, "comment": pair.comment, "baseline": self.baseline, "metric": self.metric,
            "higher_is_better": self.higher_is_better, "mean": pair.mean, "baseline_mean": pair.baseline_mean,
            "difference": pair.test.difference, "low_95": pair.test.low, "high_95": pair.test.high,
            "standard_error": pair.test.standard_error, "n_folds": pair.test.n_folds, "n_items": pair.n_items,
            "n_repeats": pair.components.n_repeats, "n_deals": pair.n_deals, "ratio": pair.ratio, "p": pair.test.p,
            "p_holm": pair.p_holm,
            "n_comparisons": self.n_comparisons, "p_sign_flip": (pair.flips or none).p,
            "least_p_sign_flip": (pair.flips or none).least_p, "rope": self.rope, "p_better": pair.posterior.better,
            "p_equal": pair.posterior.equal, "p_worse": pair.posterior.worse, "variance_folds": pair.components.fold,
            "variance_seeds": pair.components.seed, "least_detectable": pair.least_detectable, "verdict": pair.verdict,
            "notes": " ".join(pair.notes),
            **{f"difference_fold_{fold}": value for fold, value in pair.of_folds.items()},
            **{f"difference_item_{item}": value for item, value in pair.of_items.items()},
        }  # fmt: skip


def _detectable(standard_error: float, n_folds: int, level: float) -> float:
    return standard_error * _least_shift(n_folds, level) if standard_error > 0 else math.nan


@cache
def _least_shift(n_folds: int, level: float) -> float:
    """Return the least detectable difference in standard errors."""
    return least_detectable(1.0, n_folds, wanted_power=WANTED_POWER, level=level)
