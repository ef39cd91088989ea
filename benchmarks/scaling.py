"""Jobs that sleep on 1, 2, 4 and 8 workers: how well the executor keeps many devices busy. Prints the ratio last.

python benchmarks/scaling.py [--quick]      --quick: fewer jobs, on 1 and 4 workers

Worker processes, claims, records, messages and the order of jobs are the real ones; only what a job does is to sleep, so that
scheduling is measured and not the cores of this machine. Two workers share each of the GPUs, which need not be there. What is
measured is the time from the moment when all workers are ready to the last outcome: the start of their processes, which is the
same for 8 jobs and for 8,000, is left out.
"""

import argparse
import os
import tempfile
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from statistics import median

from _sleeping_worker import MEETING_PLACE, N_WORKERS

from xval.backend.devices import Slot
from xval.engine.executors import processes
from xval.folds.plan import Fold
from xval.jobs.job import Job
from xval.results.folder import ExperimentFolder
from xval.settings.resolve import Declaration, resolve

ROOT = Path(__file__).resolve().parents[1]
SHORTEST_S, LONGEST_S = 0.25, 0.5
WORKERS_PER_GPU = 2


def make_jobs(n_instances: int, n_folds: int) -> list[Job]:
    """Return jobs; those of the last instances are the longest ones."""
    declared = {"dataset": "none", "num_epochs": 1, "max_worker_memory_mb": 4000}
    settings = resolve(Declaration("scaling.py", "scaling.py", "benchmark", declared, {1: {}}))[0].settings
    jobs = []
    for instance in range(1, n_instances + 1):
        seconds = SHORTEST_S + (LONGEST_S - SHORTEST_S) * (instance - 1) / max(1, n_instances - 1)
        options = {"sleep_s": round(seconds, 3)}
        for number in range(1, n_folds + 1):
            fold = Fold(number, tuple(f"item_{n}" for n in range(20)), ("item_20",), ("item_21",))
            jobs.append(Job("", str(ROOT), "", instance, fold, settings, options, "settings", "folds", number))
    return jobs


def run(jobs: list[Job], n_workers: int) -> tuple[float, float]:
    """Run jobs in a separate folder.

    Returns:
        The seconds from the moment when all workers are ready to the last outcome, and those that their start took.
    """
    slots = [Slot(str(number // WORKERS_PER_GPU), 1, 1 / WORKERS_PER_GPU) for number in range(n_workers)]
    with tempfile.TemporaryDirectory() as experiment, tempfile.TemporaryDirectory() as place:
        os.environ |= {MEETING_PLACE: place, N_WORKERS: str(n_workers)}
        own = [replace(job, experiment_folder=experiment) for job in jobs]
        began = time.time()
        with closing(processes.run(own, slots, lambda _event: None, worker_module="_sleeping_worker")) as outcomes:
            ended = {(outcome.instance, outcome.fold): outcome.status for outcome in outcomes}
            last = time.time()
        ready = max(path.stat().st_mtime for path in Path(place).iterdir())
        records = [ExperimentFolder(Path(experiment)).record(job.instance, job.fold.number) for job in own]
        devices = {record["device"] for record in records if record}
    if set(ended.values()) != {"done"} or len(ended) != len(jobs) or None in records:
        raise SystemExit(f"{n_workers} workers: not every job is done: {ended}")
    if devices != {slot.device for slot in slots}:
        raise SystemExit(f"{n_workers} workers: jobs ran on GPUs {sorted(devices)} alone")
    return last - ready, ready - began


def main(counts: tuple[int, ...], *, n_instances: int, n_folds: int, n_rounds: int) -> None:
    """Time all numbers of workers in turn and print the results."""
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT / "benchmarks"), os.environ.get("PYTHONPATH", "")])
    jobs = make_jobs(n_instances, n_folds)
    slept_s = sum(job.options["sleep_s"] for job in jobs)
    print(
        f"{len(jobs)} jobs that sleep {slept_s:.1f} s together; median of {n_rounds} run(s), the start of workers not counted"
    )
    seconds: dict[int, list[float]] = {n_workers: [] for n_workers in counts}
    starts: dict[int, list[float]] = {n_workers: [] for n_workers in counts}
    for _ in range(n_rounds):
        for n_workers in counts:
            took_s, start_s = run(jobs, n_workers)
            seconds[n_workers].append(took_s)
            starts[n_workers].append(start_s)
    one_s = median(seconds[counts[0]])
    for n_workers in counts:
        found_s = median(seconds[n_workers])
        beyond_ms = 1000 * (found_s * n_workers - slept_s) / len(jobs)
        print(
            f"{n_workers} worker(s)  {found_s:7.2f} s  speed-up {one_s / found_s:5.2f}  beyond the sleep of each job "
            f"{beyond_ms:3.0f} ms of its worker  (start {median(starts[n_workers]):.1f} s)"
        )
    print(f"ratio    {one_s / median(seconds[counts[-1]]):7.3f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Jobs that sleep on 1, 2, 4 and 8 workers.")
    parser.add_argument("--quick", action="store_true", help="fewer jobs, on 1 and 4 workers")
    if parser.parse_args().quick:
        main((1, 4), n_instances=2, n_folds=4, n_rounds=1)
    else:
        main((1, 2, 4, 8), n_instances=16, n_folds=8, n_rounds=3)
