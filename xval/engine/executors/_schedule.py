"""Choose the job that the next free worker gets.

A worker continues with an instance that it has already compiled, because a model is compiled once for all folds of an instance;
else it takes the instance with the longest remaining work, so that no long one is left for the end; else it helps where most is
left for each worker. If there are few instances, each is begun before one continues, so that the remaining time is known, and
failures show early. With one worker the declared order stays.
"""

from collections import Counter, deque
from collections.abc import Sequence
from itertools import islice

from xval.jobs.job import Job

ATTEMPTS = 2
"""How often a job is tried that crashes."""
_RECORDS_PER_INSTANCE = 3
# A cold job that is so much longer than the warm one is worth its own compilation, where it would be the last to end.
_MUCH_LONGER = 1.5
# For each worker: each begun early is one more compilation, and of more instances the mean of those known says enough.
_MOST_BEGUN_EARLY = 2


class Schedule:
    """The jobs of a run that no worker has yet, in their declared order."""

    def __init__(self, jobs: Sequence[Job], *, n_workers: int) -> None:
        self._n_workers = n_workers
        self._begins_each = len({job.instance for job in jobs}) <= _MOST_BEGUN_EARLY * n_workers
        self._retries: deque[Job] = deque()
        self._waiting: dict[int, deque[Job]] = {}  # as all here: by `_key`
        self._work: dict[int, float] = {}
        self._places: dict[int, int] = {}  # worker -> what it has warm
        self._seconds: dict[int, float] = {}
        self._work_done: dict[int, float] = {}
        for job in jobs:
            key = self._key(job)
            self._waiting.setdefault(key, deque()).append(job)
            self._work[key] = self._work.get(key, 0.0) + _work(job)

    def take(self, worker: int) -> Job | None:
        """Return the job that a worker is to run now, or None where nothing waits."""
        if self._retries:
            job = self._retries.popleft()
            self._places[worker] = self._key(job)
            return job
        key = self._choose(worker)
        if key is None:
            return None
        job = self._waiting[key].popleft()
        self._work[key] -= _work(job)
        if not self._waiting[key]:
            del self._waiting[key]
        self._places[worker] = key
        return job

    def guess(self, worker: int) -> Job | None:
        """Return the job that a worker will probably get after the one that it has, or None where nothing waits."""
        if self._retries:
            return self._retries[0]
        key = self._choose(worker)
        return None if key is None else self._waiting[key][0]

    def retry(self, job: Job) -> None:
        """Have a job run once more, before all others."""
        self._retries.appendleft(job)

    def forget(self, worker: int) -> None:
        """Take note that the process of a worker has ended, and with it its compiled model and data in memory."""
        self._places.pop(worker, None)

    def learn(self, job: Job, seconds: float, *, n_training_items: int | None = None) -> None:
        """Take note of how long a job took (s), or another fold of its instance with so many training items."""
        if seconds > 0:
            key, n_items = self._key(job), len(job.fold.training) if n_training_items is None else n_training_items
            self._seconds[key] = self._seconds.get(key, 0.0) + seconds
            self._work_done[key] = self._work_done.get(key, 0.0) + _n_epochs(job) * max(1, n_items)

    def learn_from_records(self) -> None:
        """Take note of how long the finished jobs of the waiting instances took; a few of each are read."""
        for job in {job.instance: job for jobs in self._waiting.values() for job in jobs}.values():
            folder = job.folder
            for key in islice(folder.jobs(job.instance), _RECORDS_PER_INSTANCE):
                record = folder.record(*key)
                if record and record["status"] == "done" and not job.identity.changes(record):
                    self.learn(job, record.get("seconds", 0.0), n_training_items=len(record["items"]["training"]))

    def _key(self, job: Job) -> int:
        """Return what jobs share that a warm worker runs without compiling anew; a single worker runs all jobs in order."""
        return 0 if self._n_workers == 1 else job.instance

    def _choose(self, worker: int) -> int | None:
        warm = self._places.get(worker)
        if not self._waiting or (warm in self._waiting and len(self._waiting) == 1):
            return warm if self._waiting else None
        n_workers_at = Counter(self._places.values())
        seconds = {key: self._work[key] * self._seconds_per_work(key) for key in self._waiting}
        cold = [key for key in self._waiting if not n_workers_at[key]]
        if self._begins_each and (unknown := [key for key in cold if key not in self._work_done]):
            return max(unknown, key=seconds.__getitem__)
        if warm is not None and warm in self._waiting:
            chosen = warm
        elif cold:
            chosen = max(cold, key=seconds.__getitem__)
        else:
            chosen = max(self._waiting, key=lambda key: seconds[key] / n_workers_at[key])
        if cold:
            # What would end last, if it began only after the chosen one, goes first.
            longest_s, longest = max(((self._next_seconds(key), key) for key in cold), key=lambda candidate: candidate[0])
            chosen_s = self._next_seconds(chosen)
            if longest_s > _MUCH_LONGER * chosen_s and longest_s + chosen_s > sum(seconds.values()) / self._n_workers:
                return longest
        return chosen

    def _next_seconds(self, key: int) -> float:
        return _work(self._waiting[key][0]) * self._seconds_per_work(key)

    def _seconds_per_work(self, key: int) -> float:
        """Return the seconds per example and epoch: measured, or as in the others that were measured."""
        if key in self._work_done:
            return self._seconds[key] / self._work_done[key]
        return sum(self._seconds.values()) / sum(self._work_done.values()) if self._work_done else 1.0


def _work(job: Job) -> float:
    """Return what the time of a job is taken to grow with."""
    return float(_n_epochs(job) * max(1, len(job.fold.training)))


def _n_epochs(job: Job) -> int:
    return job.refit.epochs if job.refit else job.settings.num_epochs
