"""Show which jobs of an experiment are done, failed, running and to do, and the time left.

The command only reads, so it does not disturb a run. The time left is estimated for the running jobs and those to do, from
the mean time of the finished jobs of the same instance (or else of all networks, or all other instances), with as many at
once as now.

states of a job:
  done, failed, running, to do
  interrupted  its process ended early; the next run continues from its checkpoint or starts it again
  stale        done with other settings or folds than settings.json and folds.json have now, or with older code of yours
  damaged      its record cannot be read

--format json prints one object: experiment, folds_total (null: a run is starting, or folds.json is damaged), the number of
jobs in each state (done, failed, running, interrupted, stale, damaged, to_do), seconds_left (null: unknown), faults
(texts), at_work (the runs that have begun and not ended: script, since) and instances: each with instance, comment_1,
comment_2, architecture, the same numbers, seconds_left and jobs. Each job has fold, repeat, state, reason, since (Unix
time), epoch, epochs, seconds, checkpoint (the epoch after which training continues), null where there is none; and, if it is
running and this is known, gpu: utilisation (percent), used_mb, data_share (0 to 1).

exit code: 0 done; 1 if a job has failed or its record is damaged
"""

import argparse
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text

from preprocessing.console import EXIT_FAILED, make_console
from xval.answers.names import find_names
from xval.base.errors import counted
from xval.commands._output import add_output, output_of
from xval.experiment.time_left import describe_duration
from xval.report.terminal import make_table
from xval.results.folder import find_experiment
from xval.results.status import OPEN, ExperimentStatus, InstanceStatus, JobState, JobStatus, as_json, read_status
from xval.settings.architectures import ENSEMBLE
from xval.settings.resolve import describe_numbers

if TYPE_CHECKING:
    from xval.report.text_tables import Output

SUMMARY = "show which jobs are done, failed, running and to do, and the time left"
GROUP = "Results"

_RARE: tuple[JobState, ...] = ("stale", "damaged")
"""The states that have a column only where some job is in them."""
_WIDTH_OF_FILES = 200
_GPU = {
    "utilisation": "GPU {:.0f} % busy",
    "used_mb": "{:.0f} MB of its memory in use",
    "data_share": "{:.1%} of the training waited for data",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("folder", type=Path, metavar="EXPERIMENT", help="results/<dataset>/experiment_<n>")
    add_output(parser, "a row for each job (JSON: also the counts)")


def run(options: argparse.Namespace) -> int:
    """Print the status, and return 1 if a job has failed."""
    output = output_of(options)
    status = read_status(find_experiment(options.folder, may_be_starting=True))
    if not output.is_printed:
        _print(status)
    if output.is_printed or output.path is not None:
        _write(status, output)
    return EXIT_FAILED if status.count("failed", "damaged") else 0


def _write(status: ExperimentStatus, output: "Output") -> None:
    import pandas as pd

    from xval.report.text_tables import write_table

    document = as_json(status)
    rows = [{"instance": instance.instance, **_flat(job)} for instance in status.instances for job in instance.jobs]
    write_table(pd.DataFrame(rows), output, make_console(), document)


def _flat(job: JobStatus) -> dict[str, object]:
    """Return the facts of a job as cells of a row, with a cell for each value of its GPU."""
    facts = asdict(job)
    return {name: value for name, value in facts.items() if name != "gpu"} | {f"gpu_{name}": job.gpu.get(name) for name in _GPU}


def _print(status: ExperimentStatus) -> None:
    console = make_console(least_width=_WIDTH_OF_FILES)
    if status.is_starting:
        run = status.at_work[0]
        console.print(Text(f"{status.path}: {run.script} is starting{_since(run.since)}. It has no folds and no results yet."))
        return
    folds = "an unknown number of folds" if status.folds_total is None else counted(status.folds_total, "fold")
    console.print(f"{status.path}: {counted(len(status.instances), 'instance')}, {folds}")
    if status.instances:
        names = find_names({instance.instance: instance.parameters for instance in status.instances if instance.parameters})
        rare = [state for state in _RARE if status.count(state)]
        rows = [_row(str(each.instance), names.get(each.instance, ""), each, rare) for each in status.instances]
        if len(rows) > 1:
            rows.append(_row("all", "", status, rare))
        console.print(make_table(("instance", "name", "done", "failed", "running", "to do", *rare, "time left"), rows))
    else:
        console.print("No instance has been begun.")
    for instance in status.instances:
        for line in _describe_jobs(instance):
            console.print(Text(f"instance {instance.instance}, {line}"))
    for fault in status.faults:
        console.print(Text(fault))
    if status.at_work and not status.count("running"):
        for run in status.at_work:
            what = "No job is running: it is starting, its jobs wait in a queue, or it is writing its results."
            console.print(Text(f"{run.script} is at work{_since(run.since)}. {what}"))
    elif status.count(*OPEN) and not status.count("running"):
        how_long = (
            "The time left is known after the first fold."
            if status.seconds_left is None
            else "The time left is for one job at a time."
        )
        is_trained = any(
            instance.count(*OPEN) and instance.parameters.get("architecture") != ENSEMBLE for instance in status.instances
        )
        goes_on = ": run the experiment again to continue" if is_trained else ""
        console.print(f"Nothing is running{goes_on}. {how_long}")


def _row(number: str, name: str, status: ExperimentStatus | InstanceStatus, rare: Sequence[JobState]) -> tuple[str, ...]:
    jobs = (
        status.jobs if isinstance(status, InstanceStatus) else [job for instance in status.instances for job in instance.jobs]
    )
    left = "not known yet" if status.seconds_left is None else describe_duration(status.seconds_left)
    return (
        number,
        name,
        f"{status.count('done')}/{len(jobs)}",
        str(status.count("failed")),
        str(status.count("running")),
        str(status.count(*OPEN)),
        *(str(status.count(state)) for state in rare),
        left if status.count("running", *OPEN) else "",
    )


def _describe_jobs(status: InstanceStatus) -> list[str]:
    """Return a line per running job, and one for the jobs that share another state and its reason."""
    lines = [_describe_running(job) for job in status.jobs if job.state == "running"]
    alike: dict[tuple[str, str, str], list[int]] = {}
    for job in status.jobs:
        if job.reason:
            alike.setdefault((_repeat(job), job.state, job.reason), []).append(job.fold)
    return lines + [
        f"fold {describe_numbers(folds)}{repeat}: {state}: {reason}" for (repeat, state, reason), folds in alike.items()
    ]


def _describe_running(job: JobStatus) -> str:
    since = "" if job.since is None else _since(job.since)
    epochs = f", epoch {job.epoch} of {job.epochs}" if job.epoch else ""
    checkpoint = f", checkpoint at epoch {job.checkpoint}" if job.checkpoint else ""
    return f"fold {job.fold}{_repeat(job)}: running{since}{epochs}{checkpoint}{_describe_gpu(job.gpu)}"


def _since(begun_s: float) -> str:
    begun = datetime.fromtimestamp(begun_s).astimezone()
    return f" since {begun:%H:%M:%S} ({describe_duration(max(time.time() - begun_s, 0))})"


def _describe_gpu(gpu: Mapping[str, float]) -> str:
    """Return the known values of the GPU of a running job, as the end of a line."""
    return "".join(f", {form.format(gpu[name])}" for name, form in _GPU.items() if name in gpu)


def _repeat(job: JobStatus) -> str:
    return f", repeat {job.repeat}" if job.repeat > 1 else ""
