"""A worker process, which runs the jobs from its standard input.

The executor starts it with the device, the backend and the threads in its environment, and with the snapshot of the code first
on its path. It ends when its standard input ends, also if the executor is killed in the middle of a job.
"""

import json
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from preprocessing.interrupts import rescue
from xval.backend.devices import load_keras
from xval.base.operating_system import WARNING_SIGNALS
from xval.data.store_memory import preload
from xval.engine.worker.check_models import check_models
from xval.engine.worker.printed import PrintedLines
from xval.engine.worker.run import run_job
from xval.jobs.job import Job
from xval.jobs.job_file import FIRST_JOB, NO_NETWORK
from xval.jobs.outcome import JobOutcome
from xval.settings.architectures import trains_network
from xval.settings.parameters import from_parameters
from xval.settings.schema import Settings


@dataclass(frozen=True)
class WorkerTasks:
    """The functions of a worker.

    Attributes:
        run: Runs a job, as `xval.engine.worker.run.run_job`.
        check: Returns a line for each model of some jobs that cannot be built.
        preload: Loads a feature store for a job with these settings, so that it is in memory when the job starts.
    """

    run: Callable[..., JobOutcome]
    check: Callable[[Sequence[Job]], list[str]]
    preload: Callable[[Path, Settings], None]


def load_training() -> WorkerTasks:
    """Load the backend if the first job trains a network; return the functions for jobs."""
    if os.environ.get(FIRST_JOB) != NO_NETWORK:  # otherwise Keras is loaded by the first job that trains one
        load_keras()
        import xval.training.fit  # noqa: F401 - it loads while the executor prepares the first job

    return WorkerTasks(run_job, check_models, preload_next)


def preload_next(folder: Path, settings: Settings) -> None:
    """Read the feature store of a job into memory before the job starts.

    This is skipped if the job streams it, trains no network, or scales items, which may differ between folds.
    """
    if not settings.generator and not settings.scales_items and trains_network(settings.architecture):
        preload(folder, settings.in_memory_mb)


def main(load: Callable[[], WorkerTasks] = load_training) -> None:
    """Run jobs until the standard input ends; `load` is called when orders can be read and responses written."""
    for number in (signal.SIGINT, *WARNING_SIGNALS):  # they reach the whole group; the executor decides what ends
        signal.signal(number, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print must not mix with the answers
    lines: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_read_lines, args=(lines,), daemon=True).start()

    is_writing, running = threading.RLock(), dict[str, int]()

    def answer(message: Mapping[str, Any]) -> None:
        with is_writing:  # threads of the user's own may print
            answers.write(json.dumps(message) + "\n")
            answers.flush()

    def show(line: str) -> None:
        if running:
            answer({**running, "printed": line})
        else:
            sys.stderr.write(f"{line}\n")

    printed = PrintedLines(show)
    sys.stdout = printed.as_text()
    work = load()
    while True:
        order = json.loads(lines.get())
        if "check" in order:
            answer({"faults": work.check([Job.from_dict(job) for job in order["check"]])})
            continue
        job = Job.from_dict(order["job"])
        if store := order["next_store"]:
            settings, _ = from_parameters(order["next_settings"])
            threading.Thread(target=work.preload, args=(Path(store), settings), daemon=True).start()
        running = job.key._asdict()
        outcome = work.run(job, answer, device=os.environ["XVAL_DEVICE"])
        printed.end()
        running = {}
        answer({"outcome": asdict(outcome)})


def _read_lines(lines: "queue.Queue[str]") -> None:
    for line in sys.stdin:
        lines.put(line)
    rescue()
    os._exit(0)


if __name__ == "__main__":
    main()
