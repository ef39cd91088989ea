"""The result of a comparison: a `Pair` of each instance and the baseline, and a `Comparison` of all of them.

Both have a verdict, the differences that could have been found, and a table of all numbers.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from xval.answers.names import call_compared
from xval.answers.score_text import ROUNDING, rounded
from xval.base.item_word import ITEM
from xval.measures.statistics.comparison import Difference
from xval.measures.statistics.planning import LEVEL, Pilot, detectable

ROPE = 0.01  # suits shares
FEWEST_FOLDS_OF_EQUALITY = 3
THESE_MODELS, THESE_FOLDS, THIS_TRAINING = "these models", "this way of training on these folds", "this way of training"


@dataclass(frozen=True)
class Pair:
    """An instance and the baseline on the folds that both have.

    Attributes:
        mean: The score of the instance over these folds.
        baseline_mean: The score of the baseline over the same folds.
        basis: How both are computed: a mean over ``items``; ``pooled`` from all test examples; a mean over ``folds``.
        fold_differences: Instance minus baseline in each fold in which both are defined, averaged over repeats.
        item_differences: Instance minus baseline for each item; for pooled scores, of its pseudo-values; empty where they are
            not known.
        n_items: Number of test items of these folds.
        n_folds: Number of these folds.
        has_same_folds: Whether the baseline was tested in the same folds; otherwise they share only items.
        n_repeats: The numbers of seeds per fold that occur in the two instances, sorted: (3,), or (1, 3).
        n_fold_repeats: How often an item is tested: the number of repeats, if no fold is excluded.
        n_runs: Number of independent trainings: repeats, whose seeds are averaged, or the seeds of a single repeat.
        seed_share: Share of the variance between trainings that seeds explain; NaN: not measured.
        test: The difference with its standard error.
        interval: The 95 % interval of this difference, not adjusted for the other pairs.
        p_holm: p value of the test, adjusted for all pairs of the comparison; NaN: no test.
        p_equal: p value of the test that the difference is within the ROPE, adjusted in the same way; NaN: no test.
        level: 0.05 divided by the number of comparisons, which Holm's method requires of the smallest p value.
        ways_to_retrain: The result of `ways_to_retrain` for both.
        notes: Limits of this comparison, in sentences.
    """

    instance: str
    comment: str
    mean: float
    baseline_mean: float
    basis: Literal["items", "pooled", "folds"]
    fold_differences: Mapping[int, float]
    item_differences: Mapping[str, float]
    n_items: int
    n_folds: int
    has_same_folds: bool
    n_repeats: tuple[int, ...]
    n_fold_repeats: float
    n_runs: int
    seed_share: float
    test: Difference
    interval: tuple[float, float]
    p_holm: float
    p_equal: float
    level: float
    higher_is_better: bool
    ways_to_retrain: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def difference(self) -> float:
        """Instance minus baseline."""
        return self.test.value

    @property
    def is_none(self) -> bool:
        """Whether both have the same values in all folds and for all items."""
        differences = [self.difference, *self.fold_differences.values(), *self.item_differences.values()]
        return all(abs(difference) <= ROUNDING for difference in differences)

    @property
    def claim(self) -> str:
        """The scope of the verdict: ``these models``, ``this way of training``, or with one repeat that ``on these folds``."""
        is_trained_again = round(self.n_fold_repeats) > 1 or max(self.n_repeats) > 1
        if not is_trained_again if self.basis == "folds" else self.n_runs < 2:
            return THESE_MODELS
        has_one_partition = self.n_folds == self.n_items  # each item by itself is tested: there is no other
        return THIS_TRAINING if round(self.n_fold_repeats) > 1 or has_one_partition else THESE_FOLDS

    @property
    def verdict(self) -> str:
        """``practically equal``, ``better`` or ``worse`` than the baseline, ``undecided``, or ``no test``."""
        if math.isnan(self.p_holm):
            return "no test"
        if self.p_equal <= LEVEL:
            return "practically equal"
        if self.p_holm > LEVEL:
            return "undecided"
        return "better" if (self.difference > 0) == self.higher_is_better else "worse"

    @property
    def least_detectable(self) -> float:
        """The smallest true difference that is found with a probability of 80 %; NaN: not known."""
        return detectable(self.test.error, self.level)

    def planned(self, n_items: int, n_repeats: int) -> float:
        """Return the smallest true difference that a study of another size would find with a probability of 80 %.

        More seeds lower the part of the variance between trainings that comes from seeds; the number of partitions into folds
        stays the same.

        Returns:
            The difference; NaN where it is not known: for more seeds where one was trained, or for models without randomness.
        """
        components, repeats = self.test.components, max(self.n_repeats)
        if n_repeats == repeats:
            return Pilot(components, self.n_items, 1).detectable(n_items, 1, level=self.level)
        if len(components) < 2 or math.isnan(self.seed_share) or "repeats" not in self.ways_to_retrain:
            return math.nan
        if round(self.n_fold_repeats) == 1:
            return Pilot(components, self.n_items, repeats).detectable(n_items, n_repeats, level=self.level)
        item_part, run_part = components
        share = 1 - self.seed_share + self.seed_share * repeats / n_repeats
        planned = item_part, run_part._replace(variance=run_part.variance * share)
        return Pilot(planned, self.n_items, 1).detectable(n_items, 1, level=self.level)


@dataclass(frozen=True, repr=False)
class Comparison:
    """Instances compared with a baseline in one metric.

    Attributes:
        score: The compared score in words, such as ``test balanced accuracy of clips``.
        rope: Half of the region of practical equivalence, in the unit of the metric.
        pairs: One for each other instance.
        notes: The skipped instances and the limits of all pairs, in sentences.
        item: The word for an item.
        largest_difference: The largest possible difference between two values of the metric.
        next_step: How to show a difference between undecided pairs, and what a choice that is compared with its own variant
            shows; empty: all are decided, and there is no such choice.
        nested: The nested score of choosing among all instances of the experiment, in sentences; empty: nothing was chosen.
        corrections: How the test labels of the instances differ, and what that means for the comparison; empty: they are the
            same.
        leaks: Names of the instances whose models had seen their test clips or items.
        evidence: Why the three lines of the experiment have different p values, in sentences; empty: they have the same.
    """

    metric: str
    score: str
    higher_is_better: bool
    rope: float
    baseline: str
    baseline_reason: str
    pairs: tuple[Pair, ...]
    notes: tuple[str, ...]
    item: str = ITEM
    largest_difference: float = math.inf
    next_step: str = ""
    nested: tuple[str, ...] = ()
    corrections: tuple[str, ...] = ()
    leaks: tuple[str, ...] = ()
    evidence: str = ""

    @property
    def undecided(self) -> tuple[Pair, ...]:
        """The pairs for which neither a difference nor equality is shown."""
        return tuple(pair for pair in self.pairs if pair.verdict in ("undecided", "no test"))

    @property
    def n_comparisons(self) -> int:
        """Number of tests in the family."""
        return sum(not math.isnan(pair.p_holm) for pair in self.pairs)

    @property
    def tests_equality(self) -> bool:
        """Whether equality was tested, which needs 3 folds."""
        return any(not math.isnan(pair.p_equal) for pair in self.pairs)

    @property
    def table(self) -> pd.DataFrame:
        """All numbers, a row per pair: the tests, then the differences per fold and per item (NaN: not in this pair)."""
        return pd.DataFrame([self._row(pair) for pair in self.pairs])

    def __repr__(self) -> str:
        """Return the baseline and the main numbers of each pair; ``table`` has all of them."""
        shown = ["instance", "comment", "mean", "difference", "low", "high", "p_holm", "verdict"]
        table = self.table[shown].to_string(index=False, float_format=lambda number: rounded(number)[0])
        first = f"{self.score}, against {call_compared([self.baseline])} ({self.baseline_reason}):"
        return "\n".join([first, table, *self.corrections, *self.notes])

    def _row(self, pair: Pair) -> dict[str, object]:
        low, high = pair.interval
        variances = dict(zip(("items", "runs"), (variance for variance, _ in pair.test.components), strict=False))
        return {
            "instance": pair.instance, "comment": pair.comment, "baseline": self.baseline, "metric": self.metric,
            "higher_is_better": self.higher_is_better, "mean": pair.mean, "baseline_mean": pair.baseline_mean,
            "basis": pair.basis, "difference": pair.difference, "low": low, "high": high,
            "standard_error": pair.test.standard_error, "df": pair.test.error.freedom,
            "n_folds": pair.n_folds, "n_items": pair.n_items, "n_repeats": max(pair.n_repeats),
            "n_fold_repeats": pair.n_fold_repeats,
            "n_runs": pair.n_runs, "p": pair.test.p, "p_holm": pair.p_holm, "n_comparisons": self.n_comparisons,
            "rope": self.rope, "p_equal_holm": pair.p_equal,
            "variance_items": variances.get("items", math.nan), "variance_runs": variances.get("runs", math.nan),
            "least_detectable": pair.least_detectable, "verdict": pair.verdict, "claim": pair.claim,
            "notes": " ".join(pair.notes),
            **{f"difference_fold_{fold}": value for fold, value in pair.fold_differences.items()},
            **{f"difference_item_{item}": value for item, value in pair.item_differences.items()},
        }  # fmt: skip
