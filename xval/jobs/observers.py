"""Observers of jobs: one interface for the parts of xval and for observers that users write.

The observers of xval are in xval/engine/observers/, one file each.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any, TypeVar

from xval.base.errors import JobError, one_line
from xval.results.job_key import JobKey

Made = TypeVar("Made")

if TYPE_CHECKING:
    from xval.jobs.claim import Report
    from xval.jobs.job import Job
    from xval.jobs.outcome import JobOutcome, Outcomes

METHODS = ("begin", "epoch", "note", "end")
"""The methods of observers; a user's observer need not be an `Observer`."""


class Observer:
    """An observer of one job; this base class does nothing.

    Attributes:
        sees_past: Whether it receives the epochs of an earlier process when a job continues from its checkpoint.
    """

    sees_past = True

    def begin(self, job: "Job") -> None:
        """Receive the job before its data and model are loaded."""

    def epoch(self, values: Mapping[str, float]) -> bool | None:
        """Receive an ended epoch: its number ``epoch``, from 1, and the monitored values; return True to end the training."""

    def note(self, text: str) -> None:
        """Receive a line on the job, such as that it continues from a checkpoint."""

    def end(self, outcome: "JobOutcome") -> None:
        """Receive the outcome of the job. Files of the fold are written, but its folder has no final name yet."""


class Observers:
    """All observers of one job. An observer that raises an error is skipped from then on, and the job continues.

    Args:
        core_observers: The observers of xval. They may have ``complete(record)``, which adds to the record of a finished job,
            ``batches(first, losses)``, which receives the losses of the batches of an epoch with the number of the first one,
            counted from 1 over all epochs, and ``printed(line)``, which receives the output of the user's code.
        own: The user's observers, which come first.
        callbacks: The user's Keras callbacks for the training.

    Attributes:
        epochs: A dict per finished epoch: epoch, from 1, and the monitored values with six digits.
        has_ended_training: Whether one of them has requested the end of training.
        failed_parts: Optional parts of the job that failed, with the errors, for the record.
    """

    def __init__(self, core_observers: Iterable[Any] = (), own: Iterable[Any] = (), callbacks: Sequence[Any] = ()) -> None:
        self._core_observers, self._own, self._needed = list(core_observers), list(own), list[Any]()
        self.callbacks = callbacks
        self.failed_parts: dict[str, str] = {}
        self.epochs: list[dict[str, float]] = []
        self.has_ended_training = False

    @property
    def wants_batches(self) -> bool:
        """Whether one of them receives the losses of batches."""
        return any(hasattr(observer, "batches") for observer in self._core_observers)

    def add(self, observer: Observer, *, is_needed: bool = False) -> None:
        """Add an observer of xval at the end; errors of a required one end the job."""
        (self._needed if is_needed else self._core_observers).append(observer)

    def add_own(self, own: Iterable[Any], callbacks: Sequence[Any]) -> None:
        """Add the user's observers and Keras callbacks."""
        self._own += own
        self.callbacks = callbacks

    def begin(self, job: "Job") -> None:
        """Notify all of them of the start of a job, before its data and model are loaded."""
        self._tell("begin", job)

    def epoch(self, values: Mapping[str, float], *, is_past: bool = False) -> bool:
        """Report an ended epoch, of this or an earlier process; return whether training should end."""
        self.epochs.append(rounded(values))
        self._tell("epoch", dict(values), among=lambda observer: not is_past or getattr(observer, "sees_past", True))
        self.has_ended_training &= not is_past  # that process has gone on, or its checkpoint says that it has ended
        return self.has_ended_training

    def batches(self, first: int, losses: Sequence[float]) -> None:
        """Report the losses of the batches of an epoch."""
        self._tell("batches", first, losses, among=lambda observer: hasattr(observer, "batches"))

    def note(self, text: str) -> None:
        """Report a line on the job."""
        self._tell("note", text)

    def printed(self, line: str) -> None:
        """Report a line that the user's code has printed."""
        self._tell("printed", line, among=lambda observer: hasattr(observer, "printed"))

    def by_product(self, part: str, make: Callable[[], Made]) -> Made | None:
        """Return an optional result that no score of a job needs; None if it fails, which is noted and recorded."""
        try:
            return make()
        except Exception as error:  # noqa: BLE001 - whatever is wrong with it, the fold counts
            self.failed_parts[part] = one_line(error)
            self.note(f"{part} failed: {one_line(error)}. The fold is valid without it.")
            return None

    def complete(self, record: dict[str, Any]) -> None:
        """Let them add to the record of a finished job."""
        self._tell("complete", record, among=lambda observer: hasattr(observer, "complete"))
        if self.failed_parts:
            record["failed_parts"] = dict(self.failed_parts)

    def end(self, outcome: "JobOutcome") -> None:
        """Report the end of the job."""
        self._tell("end", outcome)

    def _tell(self, method: str, *content: Any, among: Callable[[Any], bool] = lambda _: True) -> None:
        for observer in [*filter(among, self._needed)]:
            self.has_ended_training |= getattr(observer, method)(*content) is True
        for kind in (self._own if method in METHODS else [], self._core_observers):
            for observer in [*filter(among, kind)]:
                try:
                    self.has_ended_training |= getattr(observer, method)(*content) is True
                except Exception as error:  # noqa: BLE001 - whatever is wrong with it, the job is not to blame
                    kind.remove(observer)
                    text = error.args[0] if isinstance(error, JobError) else f"{type(observer).__name__}: {one_line(error)}"
                    self.failed_parts[getattr(observer, "part", type(observer).__name__)] = text
                    self.note(f"{text}. It has stopped; the job continues.")


class WatchedJobs:
    """Observes all jobs of a run in the process that waits for them.

    Each `watch` returns the observer of a job, given the job and the number of its worker.
    """

    def __init__(self, jobs: Sequence["Job"], *watch: Callable[["Job", int], Observer]) -> None:
        self._jobs = {job.key: job for job in jobs}
        self._watch = watch
        self._observers: dict[JobKey, Observers] = {}

    def run(
        self,
        run_jobs: Callable[[Sequence["Job"], "Report"], "Outcomes"],
        take: Callable[["Job", "JobOutcome"], object] = lambda *_: None,
    ) -> list["JobOutcome"]:
        """Run the jobs by an executor; return what became of each, which `take` gets before its observers do."""
        outcomes = []
        with closing(run_jobs([*self._jobs.values()], self.report)) as endings:
            for outcome in endings:
                take(self._jobs[outcome.key], outcome)
                outcomes.append(outcome)
                self.end(outcome)
        return outcomes

    def report(self, event: Mapping[str, Any]) -> None:
        """Receive an event of an executor.

        Args:
            event: ``{"worker", "instance", "fold", "repeat", "epoch", "values"}``, where epoch 0 begins a job; or, in the place
                of the last two, a "note" or a line that the user's own code has "printed".
        """
        key = JobKey.of(event)
        if event.get("epoch") == 0:
            self._observers.pop(key, None)  # it is tried again
            self._of(key, event["worker"]).begin(self._jobs[key])
        elif "note" in event:
            self._of(key, event["worker"]).note(event["note"])
        elif "printed" in event:
            self._of(key, event["worker"]).printed(event["printed"])
        else:
            self._of(key, event["worker"]).epoch({"epoch": event["epoch"], **event["values"]})

    def end(self, outcome: "JobOutcome") -> None:
        """Receive the outcome of a job, which is recorded."""
        self._of(outcome.key).end(outcome)
        del self._observers[outcome.key]

    def _of(self, key: JobKey, worker: int = 0) -> Observers:
        if key not in self._observers:
            self._observers[key] = Observers([watch(self._jobs[key], worker) for watch in self._watch])
        return self._observers[key]


def rounded(values: Mapping[str, float]) -> dict[str, float]:
    """Return the values of an epoch with six digits."""
    return {name: value if name == "epoch" else float(f"{value:.6g}") for name, value in values.items()}
