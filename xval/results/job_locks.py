"""The locks on the jobs of an experiment, and the lock on its derived files.

Claiming a job removes the files of a dead process.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from itertools import chain
from pathlib import Path

from xval.base.errors import ResultsError
from xval.base.operating_system import is_locked, remove_tree
from xval.results.job_key import SEARCH, JobKey
from xval.results.leases import is_open, living
from xval.results.lock import hold, lease_folder, lock_file, read_lease_s, wait_for


class JobLocks(ABC):
    """The locks of an `ExperimentFolder`, which inherits from this class."""

    path: Path

    def __init__(self) -> None:
        self._held: dict[tuple[int, ...], Callable[[], bool]] = {}

    @abstractmethod
    def fold_folder(self, instance: int, fold: int, repeat: int = 1, trial: int = 0) -> Path:
        """Return the folder of one job."""

    def refuse_moved(self) -> None:
        """Raise an error if the folder of the experiment is gone, because a second one must not be made in its place."""
        if not self.path.is_dir():
            raise ResultsError(
                f"{self.path}: the folder was moved, renamed or removed while the experiment was running, so the run stops "
                "here. Move it back and give the same command again; finished folds are kept."
            )

    def lock(self) -> AbstractContextManager[None]:
        """Return the lock for rebuilding the derived files of the experiment; it waits for other processes."""
        return wait_for(self.path / ".rebuild", read_lease_s(self.path))

    @contextmanager
    def claim(self, instance: int, fold: int, repeat: int = 1, trial: int = 0) -> Iterator[bool]:
        """Hold a job for this process until the block or the process ends in any way.

        Yields:
            True: this process holds the job, and the leftovers of a dead process are removed. False: another process holds it.
        """
        key = (instance, fold, repeat, trial)
        self.refuse_moved()
        self.fold_folder(*key).parent.mkdir(parents=True, exist_ok=True)
        with hold(self._lock(*key), read_lease_s(self.path)) as held:
            if held:
                self._held[key] = held
            try:
                for leftover in self.leftovers(*key) if held else ():
                    _take_away(leftover)
                yield held is not None
            finally:
                self._held.pop(key, None)

    def keeps(self, instance: int, fold: int, repeat: int = 1, trial: int = 0) -> bool:
        """Return whether this process still holds a claimed job; if it was suspended for long, it may have lost its lease."""
        held = self._held.get((instance, fold, repeat, trial))
        return held is None or held()

    def claimed(self) -> Callable[[JobKey], bool]:
        """Return a function that tests whether some process holds a job, or a trial of its search; no file is written.

        Leases are watched for some heartbeats.
        """
        if (lease_s := read_lease_s(self.path)) is None:
            return lambda key: is_locked(lock_file(self._lock(*key))) or any(map(is_locked, self._trial_locks(key, ".lock")))
        alive = living(self._every_lock(".lease"), lease_s)
        return lambda key: not alive.isdisjoint([lease_folder(self._lock(*key)), *self._trial_locks(key, ".lease")])

    def is_in_use(self) -> bool | None:
        """Return immediately whether some process holds a job; None: leases would have to be watched for some heartbeats."""
        if read_lease_s(self.path) is None:
            return any(map(is_locked, self._every_lock(".lock")))
        return None if any(map(is_open, self._every_lock(".lease"))) else False

    def leftovers(self, instance: int, fold: int, repeat: int = 1, trial: int = 0) -> list[Path]:
        """Return the temporary folders of a job, of the process that runs it or of one that died."""
        final = self.fold_folder(instance, fold, repeat, trial)
        return sorted(final.parent.glob(f".{final.name}.*.part"))

    def _every_lock(self, suffix: str) -> Iterator[Path]:
        """Return the locks of jobs, and of the trials of searches."""
        return chain(self.path.glob(f"instance_*/.*{suffix}"), self.path.glob(f"instance_*/{SEARCH}/.*{suffix}"))

    def _trial_locks(self, key: JobKey, suffix: str) -> Iterator[Path]:
        folder = self.fold_folder(*key).parent / SEARCH
        return folder.glob(f".fold_{key.fold}_trial_*{suffix}") if key.repeat == 1 else iter(())

    def _lock(self, *key: int) -> Path:
        final = self.fold_folder(*key)
        return final.with_name(f".{final.name}")


def _take_away(leftover: Path) -> None:
    """Remove the folder of a seemingly dead process at once; if it is alive, it never finds half of the folder."""
    gone = leftover.with_name(f"{leftover.name}.old.part")
    with suppress(FileNotFoundError):
        leftover.rename(gone)
        remove_tree(gone)
