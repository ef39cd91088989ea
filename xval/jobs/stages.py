"""Sort the jobs of a run into stages, because some read a model that others write: each needs only earlier stages."""

from collections.abc import Sequence
from contextlib import suppress
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from xval.base.errors import SettingsError
from xval.jobs.job import Job
from xval.results.folder import KERAS_NAME
from xval.settings.architectures import COMBINATION
from xval.settings.combination import CombinationOptions
from xval.settings.model_address import is_address


def in_stages(jobs: Sequence[Job]) -> list[list[Job]]:
    """Return the jobs in stages, each in the order in which they came; jobs that wait for each other are refused."""
    reads = [_read(job) for job in jobs]
    if not any(reads):
        return [list(jobs)] if jobs else []
    writers = {job.folder.fold_folder(*job.key).resolve() / KERAS_NAME: place for place, job in enumerate(jobs)}
    sorter = TopologicalSorter({place: {writers[path] for path in read & writers.keys()} for place, read in enumerate(reads)})
    with suppress(CycleError):  # what waits for no circle is sorted all the same
        sorter.prepare()
    stages: list[list[Job]] = []
    waiting = set(range(len(jobs)))
    while ready := sorter.get_ready():
        stages.append([jobs[place] for place in sorted(ready)])
        sorter.done(*ready)
        waiting.difference_update(ready)
    if waiting:
        listed = sorted({str(jobs[place].instance) for place in waiting})
        if len(listed) == 1:
            raise SettingsError(f"instance {listed[0]} waits for its own models. Give it existing models.")
        raise SettingsError(f"instances {', '.join(listed)} wait for each other's models. Give one of them existing models.")
    return stages


def _read(job: Job) -> set[Path]:
    """Return the models that a job combines or starts from, as far as they are files of this machine."""
    initial = job.settings.start_model
    paths = [] if initial is None or is_address(initial) else [initial.replace("{fold}", str(job.fold.number))]
    if job.settings.architecture == COMBINATION:
        combined = CombinationOptions.of(job.options).model_paths(job.fold.number)
        paths += [path for path in combined if not is_address(path)]
    return {Path(path).resolve() for path in paths}
