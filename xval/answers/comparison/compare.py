"""Compare instances with a baseline on the folds that they share: tests, intervals, and the differences that could be found.

Items are the unit: no test takes clips as units. The scores that are compared are those that tables show with their intervals,
means over items or pooled over all that was tested, and their difference is tested over items, with the variance between
training runs where there are several (`item_difference`). Scores that have no values for items, such as losses, are tested by
the corrected resampled t test over folds (Nadeau and Bengio 2003). p values are adjusted by Holm's method (1979) in the family
"all against the baseline"; each interval is the usual one, of its own comparison.
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import replace
from statistics import fmean
from typing import TypeAlias

import numpy as np

from xval.answers.comparison.competitor import Competitor, are_alike
from xval.answers.comparison.item_values import ItemValues
from xval.answers.comparison.outcome import FEWEST_FOLDS_OF_EQUALITY, ROPE, Comparison, Pair
from xval.answers.item_words import call_items_of, item_word, items_word
from xval.answers.names import call_compared
from xval.answers.next_step import ways_to_retrain
from xval.base.errors import ResultsError, capital, counted, first_of
from xval.measures.statistics.comparison import corrected_t, holm, item_difference
from xval.measures.statistics.differences import cut_difference
from xval.measures.statistics.intervals import FEWEST_ITEMS, Bounds
from xval.measures.statistics.planning import LEVEL
from xval.settings.randomness import has_randomness
from xval.settings.resolve import describe_numbers

_MOST_REASONS = 4
_Both: TypeAlias = tuple[ItemValues, ItemValues]  # of the instance and of the baseline


def compare(
    instances: Sequence[Competitor],
    baseline: Competitor,
    *,
    metric: str,
    score: str,
    higher_is_better: bool,
    rope: float = ROPE,
    baseline_reason: str = "as chosen",
    bounds: Bounds | None = None,
) -> Comparison:
    """Compare each instance with the baseline on the folds in which both have a score.

    Args:
        instances: The instances without the baseline.
        baseline: What all of them are compared with.
        metric: Name of the metric.
        score: Name of the compared score in words.
        higher_is_better: Whether a higher value of the metric is better.
        rope: Half of the region of practical equivalence, in the unit of the metric; 0: no difference is too small.
        baseline_reason: Why it is the baseline, in words.
        bounds: Least and largest possible score, with inf for none; None: any score is possible.
    """
    notes, pairs = [], []
    for instance in instances:
        pair = _compare_pair(instance, baseline, rope, higher_is_better=higher_is_better)
        if pair is None:
            left_out = _describe_left_out(instance, baseline, ())
            lacking = (
                "it shares no fold with"
                if _has_same_folds(instance, baseline)
                else "there are no scores of the same items for it and"
            )
            notes.append(f"{capital(call_compared([instance.name]))} is excluded, because {lacking} the baseline: {left_out}.")
        else:
            pairs.append(pair)
    if not pairs:
        raise ResultsError(
            f"there is no fold on which to compare {call_compared([baseline.name])}. {' '.join(notes)} Run the missing folds "
            "first."
        )
    if all(competitor.is_random_split for competitor in (baseline, *instances)):
        notes.append(
            "Most items have one clip. If one speaker has several clips, they are not independent, and p values and "
            "intervals are too small: use speakers as items, not clips."
        )
    adjusted, equal = (holm(np.array([getattr(pair, name) for pair in pairs])) for name in ("p_holm", "p_equal"))
    level = LEVEL / max(1, int(np.sum(~np.isnan(adjusted))))
    final = tuple(
        replace(pair, p_holm=float(p), p_equal=float(p_equal), interval=cut_difference(*pair.interval, bounds), level=level)
        for pair, p, p_equal in zip(pairs, adjusted, equal, strict=True)
    )
    item = item_word(competitor.instance for competitor in (baseline, *instances))
    largest = bounds[1] - bounds[0] if bounds else math.inf
    return Comparison(metric, score, higher_is_better, rope, baseline.name, baseline_reason, final, tuple(notes), item, largest)


def _compare_pair(instance: Competitor, baseline: Competitor, rope: float, *, higher_is_better: bool) -> Pair | None:
    """Return the pair with unadjusted p values; None: no common fold or, where the folds differ, no common item."""
    has_same_folds = _has_same_folds(instance, baseline)
    folds, values = (_share_folds if has_same_folds else _share_items)(instance, baseline)
    if not folds:
        return None
    common = sorted(folds & instance.by_fold.keys() & baseline.by_fold.keys()) if has_same_folds else []
    means, baseline_means = ([fmean(of.by_fold[fold].values()) for fold in common] for of in (instance, baseline))
    fold_differences = {fold: own - other for fold, own, other in zip(common, means, baseline_means, strict=True)}
    tested = [item for fold in folds for item in instance.instance.folds[fold]["items"]["test"]]
    n_items, n_repeats = len(set(tested)), tuple(sorted(instance.n_repeats(folds) | baseline.n_repeats(folds)))
    both = [instance.instance, baseline.instance]
    item, notes = item_word(both), []
    if not has_same_folds:
        notes.append(
            f"The experiments have different folds, so they are compared over the {items_word(both)} that both have tested."
        )
    elif left_out := _describe_left_out(instance, baseline, folds):
        notes.append(f"Compared on {counted(len(folds), 'fold')}; excluded: {left_out}.")
    if values:
        own, other = (of.by_training() for of in values)
        differences = own.minus(other)
        mean, baseline_mean = float(own.scores.mean()), float(other.scores.mean())
        test = item_difference(differences.values, mean - baseline_mean, own.weights, differences.scores)
        too_few = own.too_few or other.too_few
        item_differences = {} if too_few else dict(zip(own.items, differences.values.mean(axis=1).tolist(), strict=True))
        seed_share = values[0].minus(values[1]).seed_share
    else:
        mean, baseline_mean, item_differences, seed_share, too_few = fmean(means), fmean(baseline_means), {}, math.nan, ""
        ratio = fmean(max(instance.ratio(fold), baseline.ratio(fold)) for fold in folds)
        test = corrected_t(np.array(list(fold_differences.values())), ratio)
        notes.append(
            f"The metric has no value per {item}, so folds are compared with the corrected resampled t-test, which has less "
            "power."
        )
    if not test.components:
        few = f"Only {counted(n_items, item)} tested: too few for a test." if n_items < FEWEST_ITEMS else ""
        if too_few:
            few = f"{capital(call_items_of(both, too_few))} tested: too few for a test."
        is_none = not any(item_differences.values() or fold_differences.values())
        alike = f"Both have the same scores for every {item}" if is_none else "All differ by the same amount"
        notes.append(few or f"{alike}, so the standard error is unknown and there is no test.")
    if any(len(of.n_repeats(folds)) > 1 for of in (instance, baseline)):
        listed = " or ".join(map(str, n_repeats))
        notes.append(f"Folds have {listed} seeds; the mean over its seeds counts for each fold.")
    p_equal = test.p_equal(rope)
    return Pair(
        instance=instance.name,
        comment=instance.comment,
        mean=mean,
        baseline_mean=baseline_mean,
        basis=values[0].of if values else "folds",
        fold_differences=fold_differences,
        item_differences=item_differences,
        n_items=n_items,
        n_folds=len(folds),
        has_same_folds=has_same_folds,
        n_repeats=n_repeats,
        n_fold_repeats=len(tested) / n_items,
        n_runs=len(values[0].by_training().runs) if values else 1,
        seed_share=seed_share,
        test=test,
        interval=test.interval(),
        p_holm=test.p,
        p_equal=p_equal if len(folds) >= FEWEST_FOLDS_OF_EQUALITY else math.nan,
        level=LEVEL,
        higher_is_better=higher_is_better,
        ways_to_retrain=ways_to_retrain(both),
        notes=tuple(notes),
    )


def _has_same_folds(instance: Competitor, baseline: Competitor) -> bool:
    """Return whether the repeats that both have are the same folds."""
    if instance.instance.experiment.path == baseline.instance.experiment.path:
        return True
    return are_alike(instance.folds_by_repeat, baseline.folds_by_repeat)


def _share_folds(instance: Competitor, baseline: Competitor) -> tuple[frozenset[int], _Both | None]:
    """Return the folds on which to compare two instances, and both of their item values; None: compare folds.

    These are the folds that both have finished or, without item values, the folds in which both scores are defined.
    """
    finished = frozenset(instance.instance.folds.keys() & baseline.instance.folds.keys())
    defined = frozenset(finished & instance.by_fold.keys() & baseline.by_fold.keys())
    for folds in dict.fromkeys((finished, defined)):
        own, other = (of.item_values(folds) if folds else None for of in (instance, baseline))
        if own and other and (own.of, own.items) == (other.of, other.items):
            return folds, _match_runs(instance, own, baseline, other)
    return defined, None


def _match_runs(instance: Competitor, own: ItemValues, baseline: Competitor, other: ItemValues) -> _Both:
    """Return both values in the same training runs; if the numbers of seeds differ, as means over seeds or over all runs.

    A model without randomness is fitted once per repeat, and has the same values for each seed.
    """
    if own.runs != other.runs:
        own = own if has_randomness(instance.instance.parameters) else own.in_runs(other.runs)
        other = other if has_randomness(baseline.instance.parameters) else other.in_runs(own.runs)
    if own.runs != other.runs:
        own, other = own.by_fold_repeat(), other.by_fold_repeat()
    return (own, other) if own.runs == other.runs else (own.averaged(), other.averaged())


def _share_items(instance: Competitor, baseline: Competitor) -> tuple[frozenset[int], _Both | None]:
    """Return the folds of the instance, and the values of two instances with different folds for the items that both tested."""
    own, other = (of.item_values(frozenset(of.instance.folds)) if of.instance.folds else None for of in (instance, baseline))
    if own and other and own.of == other.of == "items":
        common = [item for item in own.items if item in other.items]
        own, other = own.select_items(common), other.select_items(common)
    if not own or not other or (own.of, own.items) != (other.of, other.items) or not own.items:
        return frozenset(), None
    return frozenset(instance.instance.folds), (own.averaged(), other.averaged())


def _describe_left_out(instance: Competitor, baseline: Competitor, folds: Collection[int]) -> str:
    """Return the folds that are not compared, grouped by reason: ``folds 3-18 (missing)``; empty: none."""
    competitors = {"": instance, f" in the baseline, {call_compared([baseline.name])}": baseline}
    reasons = {where: competitor.left_out for where, competitor in competitors.items()}
    every = {fold for where in competitors for fold in (*competitors[where].by_fold, *reasons[where])} - set(folds)
    folds_by_reason: dict[str, list[int]] = {}
    for where, competitor in competitors.items():
        for fold in sorted(every - competitor.by_fold.keys()):
            folds_by_reason.setdefault(f"{reasons[where].get(fold, 'missing')}{where}", []).append(fold)
    listed = [
        f"fold{'s' * (len(numbers) > 1)} {describe_numbers(numbers)} ({reason})" for reason, numbers in folds_by_reason.items()
    ]
    return first_of(listed, _MOST_REASONS)
