"""A fold that this process has locked: its temporary folder and its outcome.

A job ends with a `JobOutcome`; its fold folder is published completely or not at all.
"""

import shutil
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from preprocessing.store.checksums import find_not_finite
from preprocessing.store.layout import how_to_rebuild
from xval.base.errors import CorpusError, DivergenceError, FirstJobError, ResultsError, one_line
from xval.base.json_files import name_refused, write_json
from xval.base.operating_system import memory_mb, peak_memory_mb
from xval.base.user_code.modules import describe_place
from xval.jobs.job import Job
from xval.jobs.observers import Observers
from xval.jobs.outcome import JobOutcome, Status
from xval.results.checkpoint_note import checkpoint_path
from xval.results.scores import Scores, read_scores

Report = Callable[[Mapping[str, Any]], None]
# TensorFlow, torch, JAX; and what their libraries say that find no memory for themselves.
_OUT_OF_MEMORY = (
    "ResourceExhausted", "OutOfMemory", "RESOURCE_EXHAUSTED", "CUDA out of memory", "OOM when allocating",
    "CUDA_ERROR_OUT_OF_MEMORY", "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED", "Dst tensor is not initialized",
)  # fmt: skip


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error, or its cause, is a lack of memory."""
    cause = error.__cause__
    is_memory_error = isinstance(error, MemoryError) or any(mark in repr(error) for mark in _OUT_OF_MEMORY)
    return is_memory_error or (cause is not None and is_out_of_memory(cause))


class ClaimedFold:
    """A fold that this process has locked, from ``with`` until its outcome is known, or to the end of the block.

    Attributes:
        outcome: The outcome if there is nothing to do, because another process runs the job or has finished it; then there is
            no lock.
        temporary: The folder for its files, which is removed unless it is published.
        observers: The observers of the job, from `begin` on.
    """

    def __init__(self, job: Job, *, device: str) -> None:
        self.job, self.device = job, device
        self._folder = job.folder
        self._started = time.monotonic()
        self._stack = ExitStack()
        self.outcome: JobOutcome | None = None
        self.temporary = Path()
        self.observers = Observers()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            is_ours = stack.enter_context(self._folder.claim(*self.job.key))
            self.outcome = self._known_outcome() if is_ours else self._outcome("elsewhere")
            if self.outcome is None:
                self.temporary = self._folder.begin_fold(*self.job.key)
                stack.callback(shutil.rmtree, self.temporary, ignore_errors=True)
                self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, place: TracebackType | None
    ) -> bool | None:
        name_refused(error, self._folder.fold_folder(*self.job.key))
        return self._stack.__exit__(kind, error, place)

    def begin(self, observers: Observers) -> None:
        """Start observing the job."""
        self.observers = observers
        observers.begin(self.job)

    def publish(self, record: Mapping[str, Any]) -> JobOutcome:
        """Complete the record, publish the folder and release the lock."""
        completed = dict(record)
        self.observers.complete(completed)
        before = completed.get("went_on", {}).get("seconds_before", 0.0)
        seconds = round(before + time.monotonic() - self._started, 3)
        completed |= {"seconds": seconds, "peak_memory_mb": peak_memory_mb(), "device": self.device}
        write_json(self.temporary / "record.json", completed, flushed=False)
        gpu_memory_mb = completed.get("gpu", {}).get("peak_memory_mb", 0.0)
        outcome = self._done(completed, seconds=seconds, memory_mb=memory_mb(), gpu_memory_mb=gpu_memory_mb)
        self.observers.end(outcome)
        if self.observers.failed_parts != completed.get("failed_parts", {}):  # one has failed at the end
            completed["failed_parts"] = self.observers.failed_parts
            write_json(self.temporary / "record.json", completed, flushed=False)
        self._folder.publish(self.temporary, *self.job.key)
        checkpoint_path(self._folder, self.job.key).unlink(missing_ok=True)
        self._stack.close()
        return outcome

    def fail(self, error: Exception, *, raise_errors: bool = False) -> JobOutcome:
        """Return the outcome of an error and release the lock, so that the failure can be recorded or the job retried.

        If another process has taken the job over meanwhile, and with it the temporary folder, the outcome is that of the other
        process. With `raise_errors` raises a `FirstJobError`.
        """
        is_kept = self._is_kept()
        is_refused = is_kept and name_refused(error, self._folder.fold_folder(*self.job.key))
        if is_kept and isinstance(error, DivergenceError):
            error = _blame_store(error, Path(self.job.store_folder))
        out_of_memory = is_out_of_memory(error)
        outcome = (
            self._outcome("elsewhere")
            if not is_kept
            else self._outcome(
                "crashed" if out_of_memory else "failed",
                out_of_memory=out_of_memory,
                error=f"{describe_place(error)}{one_line(error)}",
                details="" if is_refused else "".join(traceback.format_exception(error)),  # the code is not to blame
                history=self.observers.epochs,
                seconds=round(time.monotonic() - self._started, 3),
                memory_mb=memory_mb(),
            )
        )
        self.observers.end(outcome)
        if is_kept and raise_errors:
            raise FirstJobError(f"{self.job.key}: {one_line(error)}") from error
        self._stack.close()
        return outcome

    def _is_kept(self) -> bool:
        """Return whether this process still holds the job, according to the disk."""
        try:
            return self._folder.keeps(*self.job.key)
        except OSError:
            return True

    def _known_outcome(self) -> JobOutcome | None:
        """Return the outcome if another run has finished the job meanwhile."""
        finished = self._folder.record(*self.job.key)
        if not finished or finished["status"] != "done":
            return None
        if not self.job.identity.changes(finished):
            try:
                return self._done(finished)
            except ResultsError:  # its scores are damaged, which whoever reads results names
                return self._outcome("done")
        if self.job.settings.overwrite_results or self.job.trial or _is_searched_on(finished, self.job):
            return None
        return self._outcome(
            "failed", error="another run has finished it in the meantime with other settings; its result is kept"
        )

    def _done(self, record: Mapping[str, Any], **facts: float) -> JobOutcome:
        """Return the outcome of a record, with the score of a trial; the folder of a running job is the temporary one."""
        folder = self.temporary if self.temporary.name else self._folder.fold_folder(*self.job.key)
        scores = read_scores(folder, record) if record["status"] == "done" else Scores()  # a final model is untested
        return self._outcome("done", test_metrics=scores.side("validation" if self.job.trial else "test"), **facts)

    def _outcome(self, status: Status, **facts: Any) -> JobOutcome:
        return JobOutcome.of(self.job.key, status, **facts)


def _is_searched_on(finished: Mapping[str, Any], job: Job) -> bool:
    """Return whether the search of a record continues the search of a job: it has the same trials, and more."""
    earlier, now = (
        [trial["values"] for trial in (search or {}).get("trials", ())] for search in (finished.get("search"), job.chosen)
    )
    return 0 < len(earlier) < len(now) and now[: len(earlier)] == earlier


def _blame_store(error: DivergenceError, store: Path) -> DivergenceError | CorpusError:
    """Return the error, or one that names the values in the store that are not finite, if they caused it."""
    damage = find_not_finite(store)
    return CorpusError(f"{damage}, so the features are damaged. {how_to_rebuild(store)}") if damage else error
