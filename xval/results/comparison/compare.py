"""Compare instances with a baseline on the folds that they share: tests, probabilities, what could have been found.

Comes in: a `Competitor` for each instance and one for the baseline. Goes out: a `Comparison`.

Items are the unit: figures are averaged over repeats within a fold first, so that repeats are no further folds, and no test
takes clips as units. The main test is the corrected resampled t test over folds (Nadeau and Bengio 2003), with Holm's (1979)
adjustment in the family "all against the baseline"; the sign flip over items (Phipson and Smyth 2010) is secondary; the
Bayesian correlated t test (Benavoli et al. 2017) says whether instances are practically equal.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from statistics import fmean
from typing import Any

import numpy as np
import pandas as pd

from xval.errors import ResultsError
from xval.results.comparison.figures import Competitor, FoldFigure
from xval.statistics.comparison import CorrectedT, Posterior, SignFlip, bayesian_t, corrected_t, holm, sign_flip
from xval.statistics.components import Components, variance_components
from xval.statistics.planning import Study, least_detectable, planned_error

LEVEL = 0.05
WANTED_POWER = 0.8
SURE = 0.95  # from this probability on, instances are called practically equal

_ByFold = Mapping[int, Mapping[int, FoldFigure]]


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
        n_repeats: Mean number of repeats that both have in a fold.
        ratio: Number of test items over that of training items, mean of the folds.
        test: The corrected resampled t test of `of_folds`.
        p_holm: Its p, adjusted for all pairs of the comparison.
        flips: The sign flip test of `of_items`; None without them.
        posterior: The probabilities that the instance is better, practically equal, worse.
        components: The variances of the differences between folds and between seeds; that of seeds is NaN with one repeat.
        level: 0.05 over the number of comparisons: what Holm's method asks of the smallest p.
        notes: What limits this comparison, in sentences.
    """

    instance: str
    comment: str
    mean: float
    baseline_mean: float
    of_folds: Mapping[int, float]
    of_items: Mapping[str, float]
    n_items: int
    n_repeats: float
    ratio: float
    test: CorrectedT
    p_holm: float
    flips: SignFlip | None
    posterior: Posterior
    components: Components
    level: float
    notes: tuple[str, ...]

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

        As many items are tested per fold as now.

        Returns:
            The difference; NaN where it is not known: other repeats are planned from one repeat, or no deviation is known.
        """
        now = Study(self.n_items, self.test.n_folds, round(self.n_repeats), self.ratio)
        planned = now.resized(n_items=n_items, n_repeats=n_repeats)
        return _detectable(planned_error(self.components, now, planned), planned.n_folds, self.level)


@dataclass(frozen=True)
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
    """

    metric: str
    figure: str
    higher_is_better: bool
    rope: float
    baseline: str
    baseline_reason: str
    pairs: tuple[Pair, ...]
    notes: tuple[str, ...]

    @property
    def n_comparisons(self) -> int:
        """Number of tests in the family."""
        return sum(not math.isnan(pair.test.p) for pair in self.pairs)

    @property
    def table(self) -> pd.DataFrame:
        """All numbers, a row per pair: the tests, then the differences per fold and per item (NaN: not in this pair)."""
        return pd.DataFrame([self._row(pair) for pair in self.pairs])

    def _row(self, pair: Pair) -> dict[str, object]:
        none = SignFlip(math.nan, math.nan, 0)
        return {
            "instance": pair.instance, "comment": pair.comment, "baseline": self.baseline, "metric": self.metric,
            "higher_is_better": self.higher_is_better, "mean": pair.mean, "baseline_mean": pair.baseline_mean,
            "difference": pair.test.difference, "low_95": pair.test.low, "high_95": pair.test.high,
            "standard_error": pair.test.standard_error, "n_folds": pair.test.n_folds, "n_items": pair.n_items,
            "n_repeats": pair.n_repeats, "ratio": pair.ratio, "p": pair.test.p, "p_holm": pair.p_holm,
            "n_comparisons": self.n_comparisons, "p_sign_flip": (pair.flips or none).p,
            "least_p_sign_flip": (pair.flips or none).least_p, "rope": self.rope, "p_better": pair.posterior.better,
            "p_equal": pair.posterior.equal, "p_worse": pair.posterior.worse, "variance_folds": pair.components.fold,
            "variance_seeds": pair.components.seed, "least_detectable": pair.least_detectable, "verdict": pair.verdict,
            "notes": " ".join(pair.notes),
            **{f"difference_fold_{fold}": value for fold, value in pair.of_folds.items()},
            **{f"difference_item_{item}": value for item, value in pair.of_items.items()},
        }  # fmt: skip


def compare(
    instances: Sequence[Competitor],
    baseline: Competitor,
    *,
    metric: str,
    figure: str,
    higher_is_better: bool,
    rope: float = 0.01,
    baseline_reason: str = "as chosen",
) -> Comparison:
    """Compare each instance with the baseline on the folds in which both have a figure.

    Args:
        instances: Without the baseline.
        baseline: What all of them are compared with.
        metric: Name of the metric.
        figure: What is compared, in words.
        higher_is_better: Direction of the metric.
        rope: Half of the region of practical equivalence, in the unit of the metric; 0: no difference is too small.
        baseline_reason: Why it is the baseline.

    Raises:
        ResultsError: No instance shares a fold with the baseline.
        SettingsError: The ROPE is negative.
    """
    notes, pairs = [], []
    for instance in instances:
        left_out = _describe_left_out(instance, baseline)
        pair = _compare_pair(instance, baseline, left_out, rope, higher_is_better=higher_is_better)
        if pair is None:
            notes.append(f"Instance {instance.name} is left out, no fold is common with the baseline: {left_out}.")
        else:
            pairs.append(pair)
    if not pairs:
        raise ResultsError(f"no fold to compare instance {baseline.name} on. {' '.join(notes)} Run the missing folds first.")
    if all(each.has_items_of_one_clip for each in (baseline, *instances)):
        notes.append(
            "Every item has one clip. Where several clips come from one speaker, they are not independent, and p values and "
            "intervals are too small: put speakers into folds, not clips."
        )
    adjusted = holm(np.array([pair.test.p for pair in pairs]))
    level = LEVEL / max(1, int(np.sum(~np.isnan(adjusted))))
    final = tuple(replace(pair, p_holm=float(p), level=level) for pair, p in zip(pairs, adjusted, strict=True))
    return Comparison(metric, figure, higher_is_better, rope, baseline.name, baseline_reason, final, tuple(notes))


def _compare_pair(
    instance: Competitor, baseline: Competitor, left_out: str, rope: float, *, higher_is_better: bool
) -> Pair | None:
    """Return the pair, with a p that is not adjusted yet; None: no fold in common."""
    own, other = instance.by_fold(), baseline.by_fold()
    folds = sorted(own.keys() & other.keys())
    if not folds:
        return None
    of_folds = {fold: _mean(own[fold]) - _mean(other[fold]) for fold in folds}
    own, other = {fold: own[fold] for fold in folds}, {fold: other[fold] for fold in folds}
    of_items = _item_differences(own, other)
    ratio = fmean(max(each.ratio for each in (*own[fold].values(), *other[fold].values())) for fold in folds)
    differences = np.array(list(of_folds.values()))
    test = corrected_t(differences, ratio)
    flips = sign_flip(np.array(list(of_items.values()))) if of_items else None
    components = _components(own, other, differences)
    notes = [f"Compared on {len(folds)} fold(s); left out: {left_out}."] if left_out else []
    notes += _describe_limits(test, flips, {len(of) for each in (own, other) for of in each.values()})
    return Pair(
        instance=instance.name,
        comment=instance.comment,
        mean=fmean(map(_mean, own.values())),
        baseline_mean=fmean(map(_mean, other.values())),
        of_folds=of_folds,
        of_items=of_items,
        n_items=len({item for of in own.values() for figure in of.values() for item in figure.tested}),
        n_repeats=components.n_repeats,
        ratio=ratio,
        test=test,
        p_holm=test.p,
        flips=flips,
        posterior=bayesian_t(differences, ratio, rope, higher_is_better=higher_is_better),
        components=components,
        level=LEVEL,
        notes=tuple(notes),
    )


def _mean(repeats: Mapping[int, FoldFigure]) -> float:
    return fmean(figure.value for figure in repeats.values())


def _item_differences(own: _ByFold, other: _ByFold) -> dict[str, float]:
    """Return the difference of each item, averaged over repeats; empty where a fold has no figures of items."""
    means: list[dict[str, float]] = []
    for by_fold in (own, other):
        values: dict[str, list[float]] = {}
        for figure in (figure for of in by_fold.values() for figure in of.values()):
            if figure.of_items is None:
                return {}
            for item, value in figure.of_items.items():
                values.setdefault(item, []).append(value)
        means.append({item: fmean(found) for item, found in values.items()})
    return {item: value - means[1][item] for item, value in means[0].items() if item in means[1]}


def _components(own: _ByFold, other: _ByFold, differences: np.ndarray[Any, Any]) -> Components:
    """Return the variance components of the differences per fold and repeat, of the repeats that both have."""
    repeats = sorted({repeat for of in own.values() for repeat in of})
    paired = np.full((len(own), len(repeats)), math.nan)
    for row, fold in enumerate(own):
        for column, repeat in enumerate(repeats):
            if repeat in own[fold] and repeat in other[fold]:
                paired[row, column] = own[fold][repeat].value - other[fold][repeat].value
    return variance_components(differences[:, np.newaxis] if np.isnan(paired).all() else paired)


def _describe_left_out(instance: Competitor, baseline: Competitor) -> str:
    """Return the folds that one of the two lacks, and why; empty: none."""
    reasons = [
        f"fold {fold} ({reason}{f' in the baseline, instance {each.name}' if each is baseline else ''})"
        for each in (instance, baseline)
        for fold, reason in sorted(each.left_out.items())
        if fold not in each.by_fold()
    ]
    return ", ".join(reasons)


def _describe_limits(test: CorrectedT, flips: SignFlip | None, n_repeats: set[int]) -> list[str]:
    """Return what cannot be said here, in sentences."""
    notes = []
    if test.n_folds == 1:
        notes.append("One fold has no deviation, so there is no test.")
    elif math.isnan(test.p):
        notes.append("All folds differ by the same amount: no deviation can be estimated, so there is no test.")
    if flips is None:
        notes.append("The figure of a fold is not the mean over its items, so there is no sign flip test over items.")
    elif flips.least_p > LEVEL:
        notes.append(f"With {flips.n_items} items the sign flip test cannot be significant (least p {flips.least_p:.3g}).")
    if len(n_repeats) > 1:
        listed = " or ".join(map(str, sorted(n_repeats)))
        notes.append(f"Folds have {listed} repeats; each fold counts with the mean of those that it has.")
    return notes


def _detectable(standard_error: float, n_folds: int, level: float) -> float:
    return standard_error * _least_shift(n_folds, level) if standard_error > 0 else math.nan


@cache
def _least_shift(n_folds: int, level: float) -> float:
    """Return the least detectable difference in standard errors."""
    return least_detectable(1.0, n_folds, wanted_power=WANTED_POWER, level=level)
