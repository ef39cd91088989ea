"""Compute the values that a trial must reach to continue, from the trials of earlier generations.

The trial carries a limit for each epoch wherever it runs, so that pruning does not depend on which trial ends first.

Sources: the median stopping rule of Golovin et al., Google Vizier, KDD 2017; Hyperband of Li et al., JMLR 18, 2018, with the
asynchronous successive halving of Li et al., MLSys 2020, in each of its brackets.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median

from xval.jobs.job import COMPLETE
from xval.settings.space import SearchPlan

_FEWEST = 5  # complete trials before a median stops any
_WARM_UP = 0.2  # of the epochs, in which a median stops none
_FACTOR = 3  # of Hyperband: a third continues


@dataclass
class Tried:
    """The state of a trial.

    Attributes:
        number: Number of the trial, from 1.
        values: The tried values by the names of the settings.
        state: complete, pruned, diverged or failed.
        curves: The monitored value of each epoch, for each inner fold.
        scores: The score of each inner fold.
        seconds: Wall-clock time.
    """

    number: int
    values: dict[str, object]
    state: str
    curves: list[Sequence[float]]
    scores: list[float]
    seconds: float = 0.0

    @property
    def score(self) -> float | None:
        """The mean over the inner folds; None if the trial is not complete."""
        return fmean(self.scores) if self.state == COMPLETE and self.scores else None


def epoch_limits(
    plan: SearchPlan, number: int, inner: int, earlier: Sequence[Tried], n_epochs: int, *, maximised: bool
) -> tuple[float | None, ...]:
    """Return the limit of each epoch of a trial except the last; None: no limit. Empty: no limits.

    Args:
        plan: Of the search.
        number: Of the trial.
        inner: Place of the inner fold that it trains, from 0.
        earlier: All trials of earlier generations.
        n_epochs: Largest number of epochs of a trial.
        maximised: Whether a higher monitored value is better.
    """
    sign = 1 if maximised else -1
    if plan.pruning == "median":
        complete = [[sign * value for value in trial.curves[inner]] for trial in earlier if trial.state == COMPLETE]
        first = math.ceil(_WARM_UP * n_epochs) + 1
        if len(complete) < _FEWEST:
            return ()
        return tuple(
            sign * median(max(curve[:epoch]) for curve in complete) if epoch >= first else None for epoch in range(1, n_epochs)
        )
    if plan.pruning == "hyperband":
        limits: list[float | None] = [None] * (n_epochs - 1)
        bracket = _bracket(number, n_epochs)
        rivals = [trial for trial in earlier if _bracket(trial.number, n_epochs) == bracket and len(trial.curves) > inner]
        for rung in _rungs(bracket, n_epochs):
            rung_trials = [trial for trial in rivals if len(trial.curves[inner]) >= rung or trial.state == COMPLETE]
            best = sorted((max(sign * value for value in trial.curves[inner][:rung]) for trial in rung_trials), reverse=True)
            if best:
                limits[rung - 1] = sign * best[max(1, (len(best) + 1) // _FACTOR) - 1]
        return tuple(limits)
    return ()


def is_behind(plan: SearchPlan, trial: Tried, earlier: Sequence[Tried], *, maximised: bool) -> bool:
    """Return whether a trial ends after an inner fold: its mean so far is worse than the median of the same folds of others."""
    n_folds, sign = len(trial.scores), 1 if maximised else -1
    means = [sign * fmean(other.scores[:n_folds]) for other in earlier if other.state == COMPLETE]
    return plan.pruning != "none" and len(means) >= _FEWEST and sign * fmean(trial.scores) < median(means)


def _bracket(number: int, n_epochs: int) -> int:
    """Return the bracket of a trial, which is the number of possible halvings; brackets with more halvings have more trials."""
    most = int(math.log(max(n_epochs, 1), _FACTOR) + 1e-9)
    sizes = [math.ceil((most + 1) * _FACTOR**bracket / (bracket + 1)) for bracket in range(most, -1, -1)]
    place = (number - 1) % sum(sizes)
    for bracket, size in zip(range(most, -1, -1), sizes, strict=True):
        if place < size:
            return bracket
        place -= size
    raise AssertionError


def _rungs(bracket: int, n_epochs: int) -> list[int]:
    first = max(1, n_epochs // _FACTOR**bracket)
    rungs = []
    while first < n_epochs:
        rungs.append(first)
        first *= _FACTOR
    return rungs
