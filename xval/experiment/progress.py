"""The display while jobs run: a live table with a line per worker, or plain lines where output cannot be updated.

Terminals and notebooks with ipywidgets show the table. A line has the epoch, the losses, and the validation scores of an epoch:
the monitored metric, the main metric of the table, and the user's own metrics. See docs/progress.md.

A `JobLine` observes each job. No other module prints while jobs run.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from xval.answers.score_text import rounded
from xval.base.errors import ResultsError, counted
from xval.experiment.time_left import Pace, SteadyEnd, TimeLeft, describe_duration
from xval.jobs.job import Job
from xval.jobs.observers import Observer
from xval.jobs.outcome import JobOutcome
from xval.results.checkpoint_note import checkpoint_path, read_position
from xval.results.job_key import JobKey
from xval.settings.architectures import trains_network
from xval.settings.further_metrics import followed

_LONG_FOLD_S = 120
_MOST_LINES = 20  # jobs of which each has a line when it ends
_N_PARTS = 10  # lines of a run of more


class JobProgress:
    """The progress of a run: only failures if it is quiet; with many jobs, a line for each only if it `is_verbose`."""

    def __init__(self, console: Console, jobs: Sequence[Job], *, quiet: bool, is_verbose: bool = False) -> None:
        self._console = console
        self.n_jobs, self.n_ended = len(jobs), 0
        self.quiet = quiet
        n_epochs = {job.instance: job.settings.num_epochs for job in jobs}
        kinds = {job.instance: trains_network(job.settings.architecture) for job in jobs}
        self.pace = Pace(Counter(job.instance for job in jobs), n_epochs, kinds)
        self._end = SteadyEnd()
        self._says_each = is_verbose or self.n_jobs <= _MOST_LINES
        self._has_repeats = any(job.settings.repeats > 1 for job in jobs)
        self.lines: dict[int, JobLine] = {}
        self.notes: set[str] = set()
        self.errors: set[str] = set()
        can_update = console.is_terminal or (console.is_jupyter and find_spec("ipywidgets") is not None)
        live = can_update and not quiet and not console.quiet
        self._live = Live(console=console, refresh_per_second=4, transient=True, get_renderable=self._table) if live else None

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._live:
            self._live.stop()
        if kind is KeyboardInterrupt and not self.quiet:
            self._print_where_it_continues()

    def watch(self, job: Job, worker: int) -> "JobLine":
        """Return the line of a job that a worker runs."""
        return JobLine(self, job, worker)

    def print(self, line: str, style: str | None = None) -> None:
        """Print a line above the table."""
        self._console.print(Text(line, style=style or ""), soft_wrap=True)

    def _print_where_it_continues(self) -> None:
        """Print of each job that was running after which epoch the same command continues it; its process has ended."""
        for _, line in sorted(self.lines.items()):
            if line.is_done():
                self.print(f"{line.key}: done")
            else:
                epoch = read_position(line.checkpoint)
                self.print(f"{line.key}: {f'continues after epoch {epoch}' if epoch else 'will start from its beginning'}")

    def time_left(self) -> str:
        """Return the remaining time of the run; empty while it is not known."""
        if self.n_ended == self.n_jobs:
            return "all jobs ended"
        now = time.monotonic()
        return describe_time_left(self._end.steady(self.pace.run_time_left(now), now))

    def end(self, key: JobKey, seconds: float, *, is_done: bool) -> None:
        """Count a job as ended."""
        now = time.monotonic()
        self.n_ended += 1
        self.pace.end(key, seconds, now, is_done=is_done)
        self._end.take(self.pace.run_time_left(now), now)

    @property
    def has_line(self) -> bool:
        """Whether to print a line for the job that has just ended: for each one, or ten in all of many without a table."""
        is_tenth = self.n_ended * _N_PARTS // self.n_jobs > (self.n_ended - 1) * _N_PARTS // self.n_jobs
        return not self.quiet and (self._says_each or (self._live is None and is_tenth))

    def _table(self) -> Table:
        title = ", ".join(filter(None, (f"{self.n_ended} of {counted(self.n_jobs, 'job')}", self.time_left())))
        table = Table(title=title, title_justify="left", box=None)
        lines = sorted(self.lines.items())
        columns = list(dict.fromkeys(name for _, line in lines for name in line.shown))
        job = ("instance", "fold", "repeat") if self._has_repeats else ("instance", "fold")
        for header in ("worker", *job, "epoch", *columns, "at most"):
            table.add_column(header.replace("_", " "), justify="right", overflow="fold")  # spaces: a terminal may be narrow
        now = time.monotonic()
        for number, line in lines:
            values = line.values
            scores = (rounded(values[name])[0] if name in line.shown and name in values else "" for name in columns)
            epochs = f"{values['epoch']:.0f}/{line.settings.num_epochs}"
            left = self.pace.job_time_left(line.key, now)
            time_left = describe_duration(left.seconds) if left else ""
            table.add_row(str(number + 1), *map(str, line.key[: len(job)]), epochs, *scores, time_left)
        return table


class JobLine(Observer):
    """The display of one job.

    Attributes:
        shown: The values of an epoch that its line shows.
        values: The values of its last epoch.
        checkpoint: The path of its checkpoint, which may not exist.
    """

    def __init__(self, run: JobProgress, job: Job, worker: int) -> None:
        self._run, self._worker = run, worker
        self.key, self.settings = job.key, job.settings
        self.checkpoint, self._folder = checkpoint_path(job.folder, job.key), job.folder
        self._metrics = followed(job.settings.task_type, job.settings.metrics)
        scores = [f"val_{name}" for name in self._metrics]
        self.shown = list(dict.fromkeys(["loss", "val_loss", job.settings.monitor, *scores]))
        self.values: Mapping[str, float] = {"epoch": 0}
        self._first = 0.0

    def is_done(self) -> bool:
        """Return whether the job has left its result, though nothing has shown it."""
        with suppress(ResultsError, OSError):
            return (self._folder.record(*self.key) or {}).get("status") == "done"
        return False

    def begin(self, job: Job) -> None:  # noqa: ARG002 - as of each observer
        """Add a line to the table."""
        self._run.lines[self._worker] = self
        self._run.pace.begin(self._worker, self.key, time.monotonic())

    def epoch(self, values: Mapping[str, float]) -> None:
        """Show an epoch; if a fold takes minutes, print the time of the second epoch, because the first one also compiles."""
        self.values = values
        self._run.pace.end_epoch(self.key, int(values["epoch"]), time.monotonic())
        if values["epoch"] == 1:
            self._first = time.monotonic()
        elif values["epoch"] == 2 and self._first:
            epoch_s, n_epochs = time.monotonic() - self._first, self.settings.num_epochs
            if epoch_s * n_epochs >= _LONG_FOLD_S:
                longest = describe_duration(epoch_s * n_epochs)
                self.note(f"{describe_duration(epoch_s)} per epoch; all {n_epochs} of a fold take {longest}")

    def note(self, text: str) -> None:
        """Print a note, only once for an instance."""
        note = f"instance {self.key.instance}: {text}"
        if note not in self._run.notes and not self._run.quiet:
            self._run.print(note)
        self._run.notes.add(note)

    def printed(self, line: str) -> None:
        """Print the output of the user's code after the name of the job."""
        if not self._run.quiet:
            self._run.print(f"{self.key}: {line}")

    def end(self, outcome: JobOutcome) -> None:
        """Print the outcome of the job."""
        run = self._run
        run.lines = {worker: line for worker, line in run.lines.items() if line.key != self.key}
        run.end(self.key, outcome.seconds, is_done=outcome.status == "done")
        count = f"{run.n_ended}/{run.n_jobs}  {self.key}"
        if outcome.status == "done":
            if run.has_line:
                times = "; ".join(filter(None, (describe_duration(outcome.seconds), run.time_left())))
                run.print(f"{count}: {self._describe_test(outcome)}  ({times})")
        elif outcome.status == "elsewhere":
            run.print(f"{count}: another process is running it")
        elif outcome.error not in run.errors:  # the end of the run names all jobs that failed alike
            run.errors.add(outcome.error)
            run.print(f"{count} failed: {outcome.error}", style="red")

    def _describe_test(self, outcome: JobOutcome) -> str:
        """Return the main metric of the task and the further metrics of the instance as text; for a trial, its score."""
        if outcome.trial:
            return ", ".join(f"{name} {rounded(value)[0]}" for name, value in outcome.test_metrics.items()) or "diverged"
        names = [self.settings.task.main_metrics[0], *self._metrics]
        scores = {name: value for name in names if (value := outcome.test_metrics.get(name)) is not None}
        return f"test {', '.join(f'{name} {rounded(value)[0]}' for name, value in scores.items())}"


def describe_time_left(left: TimeLeft | None) -> str:
    """Return an estimate as text, with its assumptions; empty without an estimate."""
    if left is None or round(left.seconds) == 0:  # none is left here: perhaps another process runs the rest
        return ""
    text = f"{'at most' if left.is_limit else 'about'} {describe_duration(left.seconds)} left"
    if left.n_unknown:
        several = left.n_unknown > 1
        subject = f"{left.n_unknown} instances that have" if several else "instance that has"
        text += f" if the {subject} not begun take{'s' * (not several)} as long"
    return text


@contextmanager
def task_progress(console: Console, name: str) -> Iterator[Callable[[int, int], None] | None]:
    """Show the progress of a task: a bar on a terminal, nothing elsewhere or on a quiet console.

    Yields:
        A function of (done, total), or None if nothing is shown.
    """
    if console.quiet or not console.is_terminal:
        yield None
        return
    with Progress(*Progress.get_default_columns(), console=console, transient=True) as bar:
        task = bar.add_task(name, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
