"""What a user sees while jobs run: a live table with a line per worker, or plain lines where nothing can be updated.

A terminal can, and a notebook with ipywidgets. A line has the epoch, the losses, and the validation figures that an epoch has:
of the monitored metric, of the main metric of the table, and of the user's own. docs/progress.md describes it.

Comes in: events of the executors and outcomes. Goes out: text. Nothing else prints while jobs run.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.live import Live
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from xval.experiment.time_left import Pace, TimeLeft, describe_duration
from xval.jobs.claim import JobOutcome
from xval.jobs.job import Job
from xval.results.job_key import JobKey
from xval.settings.further_metrics import followed

_LONG_FOLD_S = 120


class JobProgress:
    """The progress of a run.

    Args:
        console: Where to print.
        jobs: The jobs of the run.
        quiet: Print failures only.
    """

    def __init__(self, console: Console, jobs: Sequence[Job], *, quiet: bool) -> None:
        self._console = console
        self._n_jobs = len(jobs)
        self._settings = {job.instance: job.settings for job in jobs}
        self._metrics = {number: followed(of.task_type, of.metrics) for number, of in self._settings.items()}
        self._quiet = quiet
        self._pace = Pace(
            Counter(job.instance for job in jobs),
            {number: settings.num_epochs for number, settings in self._settings.items()},
        )
        self._n_ended = 0
        self._workers: dict[int, dict[str, Any]] = {}
        self._notes: set[str] = set()
        can_update = console.is_terminal or (console.is_jupyter and find_spec("ipywidgets") is not None)
        live = can_update and not quiet and not console.quiet
        self._live = Live(console=console, refresh_per_second=4, transient=True, get_renderable=self._table) if live else None

    def __enter__(self) -> Self:
        """Begin the live table."""
        if self._live:
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """End the live table."""
        if self._live:
            self._live.stop()

    def report(self, event: Mapping[str, Any]) -> None:
        """Take an event of an executor: ``{"worker", "instance", "fold", "repeat", "epoch", "values"}``; epoch 0 begins a job.

        Or a note on an instance, ``{"worker", "instance", "fold", "repeat", "note"}``, which is printed once.
        """
        if "note" in event:
            note = f"instance {event['instance']}: {event['note']}"
            if note not in self._notes and not self._quiet:
                self._print(note)
            self._notes.add(note)
        elif event["epoch"] == 0:
            self._workers[event["worker"]] = dict(event)
            self._pace.begin(event["worker"], JobKey.of(event), time.monotonic())
        else:
            self._workers[event["worker"]].update(event)
            self._pace.end_epoch(JobKey.of(event), event["epoch"], time.monotonic())
            self._say_pace(self._workers[event["worker"]])

    def end_job(self, outcome: JobOutcome) -> None:
        """Take the outcome of a job and print its line."""
        self._n_ended += 1
        self._workers = {worker: state for worker, state in self._workers.items() if JobKey.of(state) != outcome.key}
        self._pace.end(outcome.key, outcome.seconds, time.monotonic(), is_done=outcome.status == "done")
        name = str(outcome.key)
        count = f"{self._n_ended}/{self._n_jobs}"
        if outcome.status == "done":
            if not self._quiet:
                times = "; ".join(filter(None, (describe_duration(outcome.seconds), self._time_left())))
                self._print(f"{count}  {name}: {self._describe_test(outcome)}  ({times})")
        elif outcome.status == "elsewhere":
            self._print(f"{count}  {name}: another process is running it")
        else:
            self._print(f"{count}  {name} failed: {outcome.error}", style="red")

    def _describe_test(self, outcome: JobOutcome) -> str:
        """Return the main metric of the task and the further metrics of the instance as text; of a trial its score."""
        if outcome.trial:
            return ", ".join(f"{name} {value:.3f}" for name, value in outcome.test_metrics.items()) or "diverged"
        names = [self._settings[outcome.instance].task.main_metrics[0], *self._metrics[outcome.instance]]
        found = {name: value for name in names if (value := outcome.test_metrics.get(name)) is not None}
        return f"test {', '.join(f'{name} {value:.3f}' for name, value in found.items())}"

    def _say_pace(self, state: dict[str, Any]) -> None:
        """Say once for an instance how long an epoch takes, where a fold takes minutes; the first one compiles besides."""
        if state["epoch"] == 1:
            state["first"] = time.monotonic()
        elif state["epoch"] == 2 and "first" in state:
            epoch_s, n_epochs = time.monotonic() - state["first"], self._settings[state["instance"]].num_epochs
            if epoch_s * n_epochs >= _LONG_FOLD_S:
                longest = describe_duration(epoch_s * n_epochs)
                self.report(
                    {**state, "note": f"{describe_duration(epoch_s)} per epoch; all {n_epochs} of a fold take {longest}"}
                )

    def _print(self, line: str, style: str | None = None) -> None:
        self._console.print(Text(line, style=style or ""), soft_wrap=True)

    def _time_left(self) -> str:
        """Return how long the run takes yet; nothing while that is not known."""
        if self._n_ended == self._n_jobs:
            return "all jobs ended"
        return describe_time_left(self._pace.of_run(time.monotonic()))

    def _followed(self, instance: int) -> list[str]:
        """Return which values of an epoch a line shows."""
        figures = [f"val_{name}" for name in self._metrics[instance]]
        return list(dict.fromkeys(["loss", "val_loss", self._settings[instance].monitor, *figures]))

    def _table(self) -> Table:
        title = ", ".join(filter(None, (f"{self._n_ended} of {self._n_jobs} jobs", self._time_left())))
        table = Table(title=title, title_justify="left", box=None)
        states = sorted(self._workers.items())
        shown = {number: self._followed(state["instance"]) for number, state in states}
        columns = list(dict.fromkeys(name for names in shown.values() for name in names))
        has_repeats = any(of.repeats > 1 for of in self._settings.values())
        job = ("instance", "fold", "repeat") if has_repeats else ("instance", "fold")
        for header in ("worker", *job, "epoch", *columns, "at most"):
            table.add_column(header.replace("_", " "), justify="right", overflow="fold")  # spaces: a terminal may be narrow
        now = time.monotonic()
        for number, state in states:
            values, key = state["values"], JobKey.of(state)
            figures = (f"{values[name]:.3f}" if name in shown[number] and name in values else "" for name in columns)
            epochs = f"{state['epoch']}/{self._settings[key.instance].num_epochs}"
            left = self._pace.of_job(key, now)
            time_left = describe_duration(left.seconds) if left else ""
            table.add_row(str(number + 1), *map(str, key[: len(job)]), epochs, *figures, time_left)
        return table


def describe_time_left(left: TimeLeft | None) -> str:
    """Return an estimate as text, with its assumptions; empty without an estimate."""
    if left is None or round(left.seconds) == 0:  # none is left here: perhaps another process runs the rest
        return ""
    text = f"{'at most' if left.is_limit else 'about'} {describe_duration(left.seconds)} left"
    if left.n_unknown:
        several = left.n_unknown > 1
        have = f"{left.n_unknown} instances that have" if several else "instance that has"
        text += f" if the {have} not begun take{'s' * (not several)} as long"
    return text


@contextmanager
def task_progress(console: Console, name: str, *, quiet: bool) -> Iterator[Callable[[int, int], None] | None]:
    """Show how far a task is: a bar on a terminal, nothing elsewhere or when quiet.

    Yields:
        A function that takes (done, total), or None where nothing is shown.
    """
    if quiet or not console.is_terminal:
        yield None
        return
    with Progress(*Progress.get_default_columns(), console=console, transient=True) as bar:
        task = bar.add_task(name, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
