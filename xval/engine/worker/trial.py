"""One trial of a search: train with the tried settings and score it on the validation items, without test or saving.

It writes history.csv, and a record with the monitored value of the best epoch and the state.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from xval.base.errors import DivergenceError
from xval.engine.learners import Fit
from xval.jobs.job import COMPLETE, DIVERGED, PRUNED, Job
from xval.jobs.observers import Observer, Observers
from xval.jobs.record import write_history
from xval.results.scores import Scores, write_scores
from xval.settings.further_metrics import monitor_is_maximised

if TYPE_CHECKING:
    from xval.engine.learners.network import FoldNetwork


def score_trial(job: Job, folder: Path, observers: Observers, fit: Fit) -> dict[str, Any]:
    """Train a trial like a fold, and return the entries of its record other than the job.

    Training ends if the best value so far is worse than the limit of an epoch. A loss that is NaN or infinite in any epoch is a
    result, because the trial would diverge each time.
    """
    limits = EpochLimits(job)
    observers.add(limits, is_needed=True)
    try:
        with fit(job, folder, observers) as fitted:
            history = cast("FoldNetwork", fitted).history
    except DivergenceError:
        history = None
    if history is None or history.diverged:
        ended = limits.describe(DIVERGED)
    else:
        write_history(folder / "history.csv", history.epochs)
        ended = limits.describe(PRUNED if limits.is_reached else COMPLETE, history.best_epoch)
    score = {} if ended["score"] is None else {job.settings.monitor: ended["score"]}
    write_scores(folder, Scores({"validation": score}))
    return ended


class EpochLimits(Observer):
    """Observes the monitored value of a trial, and ends it if the best one so far is worse than a limit (`is_reached`)."""

    def __init__(self, job: Job) -> None:
        settings = job.settings
        self._trial, self._monitor = job.trial, settings.monitor
        self._sign = 1 if monitor_is_maximised(settings.monitor, settings.task_type, settings.metrics) else -1
        # Early stopping then may choose another epoch than that of the best value.
        self._is_chosen = settings.restore_best_weights and bool(settings.min_delta or settings.start_from_epoch)
        self._values: list[float] = []
        self.is_reached = False

    def epoch(self, values: Mapping[str, float]) -> bool:
        """Receive an epoch; return whether training should end."""
        self._values.append(float(values[self._monitor]))
        limits = self._trial.limits if self._trial else ()
        limit = limits[len(self._values) - 1] if len(self._values) <= len(limits) else None
        self.is_reached = limit is not None and self._sign * self._best() < self._sign * limit
        return self.is_reached

    def describe(self, state: str, best_epoch: int = 0) -> dict[str, Any]:
        """Return the entries of the record on the result: the values of all epochs, and that of the best one as score.

        A diverged trial has no score. The best epoch, from 1, is the one that early stopping has chosen.
        """
        score = None if state == DIVERGED else self._values[best_epoch - 1] if self._is_chosen else self._best()
        return {
            "status": "done",
            "state": state,
            "trial": self._trial.number if self._trial else 0,
            "tried": dict(self._trial.values) if self._trial else {},
            "score": score,
            "values": self._values,
            "epochs": len(self._values),
        }

    def _best(self) -> float:
        known = [self._sign * value for value in self._values if math.isfinite(value)]
        return self._sign * max(known)
