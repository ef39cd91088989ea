"""A worker process whose jobs sleep instead of training, for scaling.py: claims, records, messages and order are the real ones.

It loads no backend. It begins when as many workers are there as the benchmark wants, so that their start is not measured.
"""

import os
import time
from functools import partial
from pathlib import Path
from typing import Any

from xval.engine.worker.run import run_job
from xval.engine.worker.serve import WorkerTasks, main
from xval.jobs.job import Job
from xval.jobs.observers import Observers
from xval.jobs.record import describe_job

MEETING_PLACE, N_WORKERS = "XVAL_BENCHMARK_MEETING_PLACE", "XVAL_BENCHMARK_WORKERS"


def sleep(job: Job, _temporary: Path, observers: Observers) -> dict[str, Any]:
    """Sleep for as long as the job says, and return a record of it."""
    time.sleep(job.options["sleep_s"])
    observers.epoch({"epoch": 1})
    return describe_job(job) | {"status": "done", "metrics": {"test": {}}}


def load() -> WorkerTasks:
    """Wait for the other workers."""
    place = Path(os.environ[MEETING_PLACE])
    (place / str(os.getpid())).touch()
    while len(list(place.iterdir())) < int(os.environ[N_WORKERS]):
        time.sleep(0.01)
    return WorkerTasks(partial(run_job, work=sleep), check=lambda _jobs: [], preload=lambda _folder, _parameters: None)


if __name__ == "__main__":
    main(load)
