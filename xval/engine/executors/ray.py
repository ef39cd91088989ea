"""Run jobs on a Ray cluster (extra `ray`).

[execution] of config.ini has the address of the cluster and the GPUs of a job. A job whose machine is lost continues on another
one. When the driver dies, Ray ends its running jobs; the same command continues them. All machines see the results, the feature
stores and this Python under the same paths.
"""

import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from xval.backend.devices import Slot
from xval.base.errors import SettingsError, brief, plural_of
from xval.engine.executors._launched import run_launched, slot_of_each
from xval.jobs.claim import Report
from xval.jobs.job import Job
from xval.jobs.job_file import JobProcess
from xval.jobs.outcome import Outcomes
from xval.settings.schema import Settings

_SECONDS_TO_CANCEL = 10.0
_SECONDS_TO_CONNECT = 10.0


def make_slots(settings: Settings) -> tuple[Sequence[Slot], str]:
    """Return the slot of a job, and a line on the cluster that runs it."""
    n_gpus, threads = settings.ray_gpus_per_job, settings.threads_per_job
    slot = slot_of_each("ray", "ray", n_gpus=n_gpus, threads=threads)
    where = f"Running on Ray, address {settings.ray_address}: {_describe(threads, n_gpus)} per job."
    return [slot], where


def run(jobs: Sequence[Job], slots: Sequence[Slot], report: Report) -> Outcomes:
    """Have a cluster run jobs, each with the first slot, and wait for their outcomes; see `Executor.run`."""
    settings = jobs[0].settings
    with _connection(settings.ray_address):
        engine = Cluster(n_cpus=slots[0].threads, n_gpus=settings.ray_gpus_per_job)
        yield from run_launched(jobs, slots[0], report, engine)


def _describe(n_cpus: float, n_gpus: float) -> str:
    return f"{n_cpus:g} {plural_of('CPU core', n_cpus)} and {n_gpus:g} {plural_of('GPU', n_gpus)}"


class Cluster:
    """The jobs of one driver on a Ray cluster, to which this process is connected.

    Args:
        n_cpus: CPU cores of a job.
        n_gpus: GPUs of a job; below 1 others share its GPU.
    """

    attempts_when_lost = 5
    """Machines may be lost for reasons that are no job's fault."""

    def __init__(self, *, n_cpus: int, n_gpus: float) -> None:
        import ray

        machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        if not any(machine.get("CPU", 0) >= n_cpus and machine.get("GPU", 0) >= n_gpus for machine in machines):
            listed = "; ".join(_describe(machine.get("CPU", 0), machine.get("GPU", 0)) for machine in machines)
            raise SettingsError(
                f"executor 'ray': no machine of the cluster has {_describe(n_cpus, n_gpus)} (threads_per_job, "
                f"ray_gpus_per_job). Its machines have: {listed}."
            )
        self._start = ray.remote(num_cpus=n_cpus, num_gpus=n_gpus, max_retries=0)(run_job_file).remote
        self._tasks: dict[Path, Any] = {}

    def is_alive(self, _path: Path) -> bool:
        """Return False: Ray ends what an earlier driver had launched."""
        return False

    def launch(self, paths: Sequence[Path]) -> None:
        """Have the cluster run jobs as soon as it has room."""
        self._tasks |= {path: self._start(str(path)) for path in paths}

    def end_of(self, path: Path) -> str:
        """Return how a task ended; nothing while it waits or runs."""
        import ray

        task = self._tasks[path]
        if not ray.wait([task], timeout=0)[0]:
            return ""
        try:
            return f"its process ended with exit code {ray.get(task)} without a message"
        except ray.exceptions.RayError as error:
            return f"Ray lost the job: {type(error).__name__}: {brief(error, 300)}"

    def cancel(self, paths: Sequence[Path]) -> None:
        """End tasks, waiting or running; their processes end with them."""
        import ray

        tasks = [self._tasks[path] for path in paths if path in self._tasks]
        for task in tasks:
            ray.cancel(task, force=True)
        if tasks:
            ray.wait(tasks, num_returns=len(tasks), timeout=_SECONDS_TO_CANCEL)


def run_job_file(path: str) -> int:
    """Run the job of a file to its end, on the machine that Ray chose; return the exit code."""
    return JobProcess(Path(path)).wait()


@contextmanager
def _connection(address: str) -> Iterator[None]:
    import ray

    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # a cluster of our own reports to nobody
    quiet = {"logging_level": "ERROR", "log_to_driver": False}
    local = {"include_dashboard": False} if address == "local" else {}
    try:
        host, _, port = address.rpartition(":")
        if port.isdecimal() and "/" not in host:  # Ray itself tries for minutes
            socket.create_connection((host, int(port)), timeout=_SECONDS_TO_CONNECT).close()
        ray.init(address=address, **quiet, **local)
    except (OSError, OverflowError, ValueError, RuntimeError, ray.exceptions.RayError) as error:
        raise SettingsError(
            f"ray_address={address}: no Ray cluster can be reached ({brief(error, 300)}). Start one with ray start --head, "
            "give another as ray_address=HOST:PORT, or set ray_address=local."
        ) from error
    try:
        yield
    finally:
        ray.shutdown()
