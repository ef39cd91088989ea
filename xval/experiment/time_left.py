"""Estimate the remaining time of a run (s), and what the estimate assumes, from ended folds and from epochs of running ones.

The first job of an instance in a worker starts libraries, reads the features and compiles the model. This happens once, so such
a job counts from its first epoch on. Nothing is said until some job of an instance has ended or has two epochs. What is said
is a moving mean over the jobs that have ended: `SteadyEnd`.
"""

import heapq
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import fmean, median
from typing import NamedTuple

from xval.results.job_key import JobKey

_NEW_SHARE = 0.2  # of the estimate after the job that ended last


class TimeLeft(NamedTuple):
    """An estimate.

    Attributes:
        seconds: Until the end.
        is_limit: Early stopping may end it sooner, and no fold has shown yet by how much.
        n_unknown: Instances that nothing is known of; their jobs are taken to be as long as the others of their kind.
        n_cold: Instances known only by jobs that also started libraries, which further jobs do not.
    """

    seconds: float
    is_limit: bool
    n_unknown: int = 0
    n_cold: int = 0


@dataclass
class _Running:
    """A job that has begun; times are those of the clock that `Pace` is given (s)."""

    worker: int
    begun_at: float
    first_epoch: int = 0
    first_at: float = 0.0
    epoch: int = 0
    last_at: float = 0.0

    def seconds_per_epoch(self) -> float | None:
        """Return the mean from the first epoch that was seen to the last; None: no two were seen."""
        seen = self.epoch - self.first_epoch
        return (self.last_at - self.first_at) / seen if seen > 0 else None


@dataclass
class _Ended:
    """The seconds of the ended jobs of an instance: of those that found everything warm, and of the first of each worker.

    The first have their start-up taken off, unless they have no epochs (`is_cold`).
    """

    warm: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    is_cold: bool = False

    def typical(self) -> float | None:
        """Return the median of the warm ones, or else of the first ones."""
        known = self.warm or self.first
        return median(known) if known else None


class Pace:
    """Follows the jobs of a run: how many each instance has, the most epochs of one of them, and its kind, by its number."""

    def __init__(
        self, n_jobs: Mapping[int, int], n_epochs: Mapping[int, int], kinds: Mapping[int, object] | None = None
    ) -> None:
        self._kinds = kinds or {}
        self._waiting = Counter(n_jobs)
        self._n_epochs = n_epochs
        self._running: dict[JobKey, _Running] = {}
        self._begun: set[JobKey] = set()
        self._ended: dict[int, _Ended] = {number: _Ended() for number in n_jobs}
        self._warm: set[tuple[int, int]] = set()
        self._workers: set[int] = set()

    def begin(self, worker: int, key: JobKey, now: float) -> None:
        """Take note that a worker begins a job; also one that is tried once more."""
        self._workers.add(worker)
        if key not in self._begun:
            self._begun.add(key)
            self._waiting[key.instance] -= 1
        self._running[key] = _Running(worker, now)

    def end_epoch(self, key: JobKey, epoch: int, now: float) -> None:
        """Take note that an epoch of a job has ended."""
        job = self._running[key]
        if not job.first_epoch:
            job.first_epoch, job.first_at = epoch, now
        job.epoch, job.last_at = epoch, now

    def end(self, key: JobKey, seconds: float, now: float, *, is_done: bool) -> None:
        """Take note that a job has ended, after `seconds` by its record; one that failed or ran elsewhere does not count."""
        if key not in self._begun:
            self._begun.add(key)  # another process had finished or begun it
            self._waiting[key.instance] -= 1
        job = self._running.pop(key, None)
        if not is_done or job is None:
            return
        place = (job.worker, key.instance)
        ended = self._ended[key.instance]
        if place in self._warm:
            ended.warm.append(seconds)
            ended.is_cold = False
        else:
            per_epoch = job.seconds_per_epoch()
            ended.is_cold |= per_epoch is None and not ended.warm
            ended.first.append(seconds if per_epoch is None else min(seconds, now - job.first_at + per_epoch * job.first_epoch))
        self._warm.add(place)

    def job_time_left(self, key: JobKey, now: float) -> TimeLeft | None:
        """Return how long the training of a running job takes at most; None: not known yet."""
        job = self._running.get(key)
        per_epoch = job.seconds_per_epoch() if job else None
        if job is None or per_epoch is None:
            return None
        left = (self._n_epochs[key.instance] - job.epoch) * per_epoch - (now - job.last_at)
        return TimeLeft(max(left, 0.0), is_limit=True)

    def run_time_left(self, now: float) -> TimeLeft | None:
        """Return how long all jobs take yet, with as many at once as there are workers.

        An instance of which nothing is known is taken to be as long as those of its kind. None: not known yet, as while nothing
        is known of a kind.
        """
        limits: dict[int, float] = {}
        for key, job in self._running.items():
            if (per_epoch := job.seconds_per_epoch()) is not None:
                limits[key.instance] = max(limits.get(key.instance, 0.0), per_epoch * self._n_epochs[key.instance])
        means = {number: mean for number, ended in self._ended.items() if (mean := ended.typical()) is not None}
        known = limits | means
        if not known:
            return None
        ahead = {number: count for number, count in self._waiting.items() if count > 0}
        needed = ahead.keys() | {key.instance for key in self._running}
        seconds_by_kind: dict[object, list[float]] = {}
        for number, seconds in known.items():
            seconds_by_kind.setdefault(self._kinds.get(number), []).append(seconds)
        unknown = needed - known.keys()
        if any(self._kinds.get(number) not in seconds_by_kind for number in unknown):
            return None
        known |= {number: fmean(seconds_by_kind[self._kinds.get(number)]) for number in unknown}
        is_limit = bool(needed & (limits.keys() - means.keys()))
        loads = dict.fromkeys(self._workers, 0.0)
        for key, job in self._running.items():
            left = known[key.instance] - self._spent(key, now)
            if left <= 0 and (longest := self.job_time_left(key, now)):  # early stopping ended the others before
                left, is_limit = longest.seconds, True
            loads[job.worker] = max(loads[job.worker], left)
        ends = list(loads.values())
        heapq.heapify(ends)
        for number, count in ahead.items():
            for _ in range(count):
                heapq.heapreplace(ends, ends[0] + known[number])
        return TimeLeft(max(ends), is_limit, len(unknown), sum(self._ended[number].is_cold for number in needed))

    def _spent(self, key: JobKey, now: float) -> float:
        """Return how long a job has been running (s), without the start-up time of the first job of a worker."""
        job = self._running[key]
        per_epoch = job.seconds_per_epoch()
        if per_epoch is not None:
            return per_epoch * job.epoch + now - job.last_at
        return now - job.begun_at if (job.worker, key.instance) in self._warm else 0.0


class SteadyEnd:
    """A moving mean of when a run ends, so that what is said does not jump with each job that ends.

    It begins anew when something is known of every instance, and none is taken to be as long as others any more; and when a
    job of an instance has shown how long one takes without the start of libraries.
    """

    def __init__(self) -> None:
        self._end = 0.0
        self._n_unknown = self._n_cold = 0

    def take(self, left: TimeLeft | None, now: float) -> None:
        """Take note of an estimate, when a job has ended."""
        if left is not None:
            end = now + left.seconds
            is_known = (self._n_unknown > 0 and not left.n_unknown) or left.n_cold < self._n_cold
            is_new = self._end <= now or is_known
            self._end = end if is_new else self._end + _NEW_SHARE * (end - self._end)
            self._n_unknown, self._n_cold = left.n_unknown, left.n_cold

    def steady(self, left: TimeLeft | None, now: float) -> TimeLeft | None:
        """Return an estimate with the seconds until that mean; as it is, where that is not known or has passed."""
        return left._replace(seconds=self._end - now) if left is not None and left.seconds and self._end > now else left


def describe_duration(seconds: float) -> str:
    """Return a time as a person says it: 8 s, 3 min 20 s, 2 h 5 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"
