"""Which jobs the next free worker gets.

Comes in: groups of jobs in their declared order, the number of workers, the seconds of jobs that have ended. Goes out: a group
for each worker that asks. A worker goes on with what it has warm, because a model is compiled once for all folds of an
instance; else it takes the instance with the longest work ahead, so that no long one is left for the end; else it helps where
most is left for each worker. With one worker the declared order stays.
"""

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

from xval.jobs.job import Job
from xval.results.folder import ExperimentFolder
from xval.results.read import is_current

JobGroup = tuple[Job, ...]
Key = tuple[int, ...]

ATTEMPTS = 2
"""How often a job is tried that crashes."""
_RECORDS_PER_INSTANCE = 3
# A cold job that is so much longer than the warm one is worth a compilation of its own, where it would be the last to end.
_MUCH_LONGER = 1.5


class Schedule:
    """The groups of jobs of a run that no worker has yet.

    Args:
        groups: Each is run by one worker together; in their declared order.
        n_workers: How many workers ask.
    """

    def __init__(self, groups: Sequence[JobGroup], *, n_workers: int) -> None:
        self._n_workers = n_workers
        self._retries: deque[JobGroup] = deque()
        self._waiting: dict[Key, deque[JobGroup]] = {}
        self._work: dict[Key, float] = {}
        self._places: dict[int, Key] = {}  # worker -> what it has warm
        self._seconds: dict[Key, float] = {}
        self._work_done: dict[Key, float] = {}
        for group in groups:
            key = self._key(group)
            self._waiting.setdefault(key, deque()).append(group)
            self._work[key] = self._work.get(key, 0.0) + _work(group)
        self._keys = {job.instance: self._key(group) for group in groups for job in group}

    def take(self, worker: int) -> JobGroup | None:
        """Return the group that a worker is to run now, or None where nothing waits."""
        if self._retries:
            group = self._retries.popleft()
            self._places[worker] = self._keys[group[0].instance]
            return group
        key = self._choose(worker)
        if key is None:
            return None
        group = self._waiting[key].popleft()
        self._work[key] -= _work(group)
        if not self._waiting[key]:
            del self._waiting[key]
        self._places[worker] = key
        return group

    def guess(self, worker: int) -> JobGroup | None:
        """Return the group that a worker will probably get after the one that it has, or None where nothing waits."""
        if self._retries:
            return self._retries[0]
        key = self._choose(worker)
        return None if key is None else self._waiting[key][0]

    def retry(self, jobs: Iterable[Job]) -> None:
        """Have jobs run once more, before all others and each alone."""
        self._retries.extendleft(reversed([(job,) for job in jobs]))

    def forget(self, worker: int) -> None:
        """Take note that the process of a worker has ended, and what was warm in it is gone."""
        self._places.pop(worker, None)

    def learn(self, job: Job, seconds: float, *, n_training_items: int | None = None) -> None:
        """Take note of how long a job took.

        Args:
            job: It, or another fold of its instance.
            seconds: Wall-clock time.
            n_training_items: Of the fold that took this time; None: the job itself.
        """
        if seconds > 0 and (key := self._keys.get(job.instance)) is not None:
            n_items = len(job.fold.training) if n_training_items is None else n_training_items
            self._seconds[key] = self._seconds.get(key, 0.0) + seconds
            self._work_done[key] = self._work_done.get(key, 0.0) + _n_epochs(job) * max(1, n_items)

    def learn_from_records(self) -> None:
        """Take note of how long the finished jobs of the waiting instances took; a few of each are read.

        Raises:
            ResultsError: A record is damaged.
        """
        for job in {job.instance: job for groups in self._waiting.values() for group in groups for job in group}.values():
            folder = ExperimentFolder(Path(job.experiment_folder))
            for key in islice(folder.jobs(job.instance), _RECORDS_PER_INSTANCE):
                record = folder.record(*key)
                if record and record["status"] == "done" and is_current(record, job.settings_hash, job.folds_hash):
                    self.learn(job, record.get("seconds", 0.0), n_training_items=len(record["items"]["training"]))

    def _key(self, group: JobGroup) -> Key:
        """Return what groups share that one warm worker runs without compiling anew; of one worker all, so that order stays."""
        return () if self._n_workers == 1 else tuple(sorted({job.instance for job in group}))

    def _choose(self, worker: int) -> Key | None:
        """Return what a worker goes on with."""
        warm = self._places.get(worker)
        if not self._waiting or (warm in self._waiting and len(self._waiting) == 1):
            return warm if self._waiting else None
        at = Counter(self._places.values())
        seconds = {key: self._work[key] * self._seconds_per_work(key) for key in self._waiting}
        cold = [key for key in self._waiting if not at[key]]
        if warm is not None and warm in self._waiting:
            chosen = warm
        elif cold:
            chosen = max(cold, key=seconds.__getitem__)
        else:
            chosen = max(self._waiting, key=lambda key: seconds[key] / at[key])
        if cold:
            # What would end last, if it began only after the chosen one, goes first.
            longest_s, longest = max(((self._next_seconds(key), key) for key in cold), key=lambda found: found[0])
            chosen_s = self._next_seconds(chosen)
            if longest_s > _MUCH_LONGER * chosen_s and longest_s + chosen_s > sum(seconds.values()) / self._n_workers:
                return longest
        return chosen

    def _next_seconds(self, key: Key) -> float:
        return _work(self._waiting[key][0]) * self._seconds_per_work(key)

    def _seconds_per_work(self, key: Key) -> float:
        """Return the seconds per example and epoch: measured, or as in the others that were measured."""
        if key in self._work_done:
            return self._seconds[key] / self._work_done[key]
        return sum(self._seconds.values()) / sum(self._work_done.values()) if self._work_done else 1.0


def _work(group: JobGroup) -> float:
    """Return what the time of a group is taken to grow with."""
    return float(sum(_n_epochs(job) * max(1, len(job.fold.training)) for job in group))


def _n_epochs(job: Job) -> int:
    return job.refit.epochs if job.refit else job.settings.num_epochs
