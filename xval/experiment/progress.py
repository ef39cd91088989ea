"""What a user sees while jobs run: a live table with a line per worker, or plain lines where nothing can be updated.

A terminal can, and a notebook with ipywidgets.

Comes in: events of the executors and outcomes. Goes out: text. Nothing else prints while jobs run.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.live import Live
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from xval.jobs.claim import JobOutcome
from xval.results.job_key import JobKey
from xval.settings.tasks import find_task

_LONG_FOLD_S = 120


class JobProgress:
    """The progress of a run.

    Args:
        console: Where to print.
        n_jobs: How many jobs there are.
        n_epochs: Epochs of each instance, by its number.
        task_type: Decides which metric is shown.
        quiet: Print failures only.
    """

    def __init__(self, console: Console, *, n_jobs: int, n_epochs: Mapping[int, int], task_type: str, quiet: bool) -> None:
        self._console = console
        self._n_jobs = n_jobs
        self._n_epochs = n_epochs
        self._metric = find_task(task_type).training_metric
        self._quiet = quiet
        self._started = time.monotonic()
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
            self._workers[event["worker"]] = {**event, "since": time.monotonic()}
        else:
            self._workers[event["worker"]].update(event)
            self._say_pace(self._workers[event["worker"]])

    def end_job(self, outcome: JobOutcome) -> None:
        """Take the outcome of a job and print its line."""
        self._n_ended += 1
        name = str(outcome.key)
        count = f"{self._n_ended}/{self._n_jobs}"
        if outcome.status == "done":
            metric = f"test {self._metric} {outcome.test_metrics[self._metric]:.3f}"
            if not self._quiet:
                self._print(f"{count}  {name}: {metric}  ({describe_duration(outcome.seconds)}; {self._time_left()})")
        elif outcome.status == "elsewhere":
            self._print(f"{count}  {name}: another process is running it")
        else:
            self._print(f"{count}  {name} failed: {outcome.error}", style="red")

    def _say_pace(self, state: dict[str, Any]) -> None:
        """Say once for an instance how long an epoch takes, where a fold takes minutes; the first one compiles besides."""
        if state["epoch"] == 1:
            state["first"] = time.monotonic()
        elif state["epoch"] == 2 and "first" in state:
            epoch_s, n_epochs = time.monotonic() - state["first"], self._n_epochs[state["instance"]]
            if epoch_s * n_epochs >= _LONG_FOLD_S:
                longest = describe_duration(epoch_s * n_epochs)
                self.report(
                    {**state, "note": f"{describe_duration(epoch_s)} per epoch; all {n_epochs} of a fold take {longest}"}
                )

    def _print(self, line: str, style: str | None = None) -> None:
        self._console.print(Text(line, style=style or ""), soft_wrap=True)

    def _time_left(self) -> str:
        left = self._n_jobs - self._n_ended
        if not left:
            return "all jobs ended"
        return f"about {describe_duration((time.monotonic() - self._started) / self._n_ended * left)} left"

    def _table(self) -> Table:
        left = f", {self._time_left()}" if self._n_ended else ""
        table = Table(title=f"{self._n_ended} of {self._n_jobs} jobs{left}", title_justify="left", box=None)
        metric = self._metric
        for header in ("worker", "instance", "fold", "repeat", "epoch", "loss", "val_loss", metric, f"val_{metric}", "time"):
            table.add_column(header, justify="right")
        for number, state in sorted(self._workers.items()):
            values = state["values"]
            shown = (f"{values[key]:.3f}" if key in values else "" for key in ("loss", "val_loss", metric, f"val_{metric}"))
            epochs = f"{state['epoch']}/{self._n_epochs[state['instance']]}"
            since = describe_duration(time.monotonic() - state["since"])
            table.add_row(str(number + 1), *map(str, JobKey.of(state)), epochs, *shown, since)
        return table


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


def describe_duration(seconds: float) -> str:
    """Return a time as a person says it: 8 s, 3 min 20 s, 2 h 5 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"
