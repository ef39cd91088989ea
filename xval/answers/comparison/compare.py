"""Compare instances with a baseline on the folds that they share: tests, probabilities, what could have been found.

Comes in: a `Competitor` for each instance and one for the baseline. Goes out: a `Comparison`.

Items are the unit: figures are averaged over repeats within a fold first, so that repeats are no further folds, and those of an
item over the deals that test it; no test takes clips as units. The main test is the corrected resampled t test over folds
(Nadeau and Bengio 2003), with Holm's (1979) adjustment in the family "all against the baseline"; the sign flip over items
(Phipson and Smyth 2010) is secondary; the Bayesian correlated t test (Benavoli et al. 2017) says whether instances are
practically equal.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from xval.answers.comparison.competitor import Competitor
from xval.answers.comparison.outcome import LEVEL, ROPE, Comparison, Pair
from xval.base.errors import ResultsError, counted
from xval.measures.statistics.comparison import CorrectedT, SignFlip, bayesian_t, corrected_t, holm, sign_flip
from xval.measures.statistics.components import Components, variance_components
from xval.measures.statistics.differences import cut_difference
from xval.measures.statistics.intervals import Bounds

_ByFold = Mapping[int, Mapping[int, float]]  # figures by fold and repeat


def compare(
    instances: Sequence[Competitor],
    baseline: Competitor,
    *,
    metric: str,
    figure: str,
    higher_is_better: bool,
    rope: float = ROPE,
    baseline_reason: str = "as chosen",
    bounds: Bounds | None = None,
) -> Comparison:
    """Compare each instance with the baseline on the folds in which both have a figure.

    Args:
        instances: Without the baseline.
        baseline: What all of them are compared with.
        metric: Its name.
        figure: What is compared, in words.
        higher_is_better: Of the metric.
        rope: Half of the region of practical equivalence, in the unit of the metric; 0: no difference is too small.
        baseline_reason: Why it is the baseline, in words.
        bounds: Least and largest possible figure, with inf for none; None: any figure is possible.
    """
    notes, pairs = [], []
    for instance in instances:
        left_out = _describe_left_out(instance, baseline)
        pair = _compare_pair(instance, baseline, left_out, rope, bounds, higher_is_better=higher_is_better)
        if pair is None:
            notes.append(f"Instance {instance.name} is left out, no fold is common with the baseline: {left_out}.")
        else:
            pairs.append(pair)
    if not pairs:
        raise ResultsError(f"no fold to compare instance {baseline.name} on. {' '.join(notes)} Run the missing folds first.")
    if all(competitor.is_random_split for competitor in (baseline, *instances)):
        notes.append(
            "Most items have one clip. Where several clips come from one speaker, they are not independent, and p values and "
            "intervals are too small: put speakers into folds, not clips."
        )
    adjusted = holm(np.array([pair.test.p for pair in pairs]))
    level = LEVEL / max(1, int(np.sum(~np.isnan(adjusted))))
    final = tuple(replace(pair, p_holm=float(p), level=level) for pair, p in zip(pairs, adjusted, strict=True))
    largest = bounds[1] - bounds[0] if bounds else math.inf
    return Comparison(metric, figure, higher_is_better, rope, baseline.name, baseline_reason, final, tuple(notes), largest)


def _compare_pair(
    instance: Competitor, baseline: Competitor, left_out: str, rope: float, bounds: Bounds | None, *, higher_is_better: bool
) -> Pair | None:
    """Return the pair, with a p that is not adjusted yet; None: no fold in common."""
    folds = sorted(instance.by_fold.keys() & baseline.by_fold.keys())
    if not folds:
        return None
    own, other = ({fold: competitor.by_fold[fold] for fold in folds} for competitor in (instance, baseline))
    means, baseline_means = ({fold: fmean(by_fold[fold].values()) for fold in folds} for by_fold in (own, other))
    of_folds = {fold: means[fold] - baseline_means[fold] for fold in folds}
    of_items = _item_differences(instance, baseline, folds)
    ratios = [(key.fold, ratio) for competitor in (instance, baseline) for key, ratio in competitor.ratios.items()]
    ratio = fmean(max(ratio for of_fold, ratio in ratios if of_fold == fold) for fold in folds)
    differences = np.array(list(of_folds.values()))
    notes = [f"Compared on {counted(len(folds), 'fold')}; left out: {left_out}."] if left_out else []
    figures = {value for by_fold in (own, other) for by_repeat in by_fold.values() for value in by_repeat.values()}
    if len(figures) == 1 and len(folds) > 1:  # such as a correlation with numbers that do not vary
        notes.append(f"Both have {figures.pop():.3f} in every fold, which shows neither a difference nor equality.")
        differences = np.full(len(folds), math.nan)
    test = corrected_t(differences, ratio)
    low, high = cut_difference(test.low, test.high, bounds)
    flips = sign_flip(np.array(list(of_items.values()))) if of_items else None
    components = _components(own, other, differences)
    tested = [instance.tested(fold) for fold in folds]
    n_items = len({item for items in tested for item in items})
    n_repeats = tuple(sorted({len(by_repeat) for by_fold in (own, other) for by_repeat in by_fold.values()}))
    notes += _describe_limits(test, flips, n_repeats)
    return Pair(
        instance=instance.name,
        comment=instance.comment,
        mean=fmean(means.values()),
        baseline_mean=fmean(baseline_means.values()),
        of_folds=of_folds,
        of_items=of_items,
        n_items=n_items,
        n_repeats=n_repeats,
        ratio=ratio,
        test=test._replace(low=low, high=high),
        p_holm=test.p,
        flips=flips,
        posterior=bayesian_t(differences, ratio, rope, higher_is_better=higher_is_better),
        components=components,
        level=LEVEL,
        notes=tuple(notes),
        n_deals=sum(map(len, tested)) / n_items,
    )


def _item_differences(instance: Competitor, baseline: Competitor, folds: Sequence[int]) -> dict[str, float]:
    """Return the difference of each item, averaged over repeats and deals; empty where a fold has no figures of items."""
    own, other = instance.item_values(folds), baseline.item_values(folds)
    return {item: value - other[item] for item, value in own.items() if item in other}


def _components(own: _ByFold, other: _ByFold, differences: NDArray[np.float64]) -> Components:
    """Return the variance components of the differences per fold and repeat, of the repeats that both have."""
    repeats = sorted({repeat for by_repeat in own.values() for repeat in by_repeat})
    paired = [
        {repeat: (own[fold][repeat], other[fold][repeat]) for repeat in own[fold].keys() & other[fold].keys()} for fold in own
    ]
    rows = [
        [by_repeat[repeat][0] - by_repeat[repeat][1] if repeat in by_repeat else math.nan for repeat in repeats]
        for by_repeat in paired
    ]
    return variance_components(np.array(rows) if any(paired) else differences[:, np.newaxis])


def _describe_left_out(instance: Competitor, baseline: Competitor) -> str:
    """Return the folds that one of the two lacks, and why; empty: none."""
    competitors = {
        "": instance,
        f" in the baseline, instance {baseline.name}": baseline,
    }
    left_out = {where: competitor.left_out for where, competitor in competitors.items()}
    folds = sorted({fold for where in competitors for fold in (*competitors[where].by_fold, *left_out[where])})
    return ", ".join(
        f"fold {fold} ({left_out[where].get(fold, 'missing')}{where})"
        for where, competitor in competitors.items()
        for fold in folds
        if fold not in competitor.by_fold
    )


def _describe_limits(test: CorrectedT, flips: SignFlip | None, n_repeats: tuple[int, ...]) -> list[str]:
    """Return what cannot be said here, in sentences."""
    notes = []
    if test.n_folds == 1:
        notes.append("One fold has no deviation, so there is no test.")
    elif math.isnan(test.p):
        notes.append("All folds differ by the same amount: no deviation can be estimated, so there is no test.")
    if flips is None:
        notes.append("The figure of a fold is not the mean over its items, so there is no sign flip test over items.")
    elif flips.least_p > LEVEL:
        items = f"{flips.n_items} item{'s' * (flips.n_items > 1)}"
        notes.append(f"With {items} the sign flip test cannot be significant (least p {flips.least_p:.3g}).")
    if len(n_repeats) > 1:
        listed = " or ".join(map(str, n_repeats))
        notes.append(f"Folds have {listed} repeats; each fold counts with the mean of those that it has.")
    return notes
