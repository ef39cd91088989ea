"""Which jobs one program can train together: `engine = fused` on the backend jax.

Comes in: the jobs of a plan. Goes out: groups of jobs, a group for each turn of a worker, and why an instance is not among
them. Nothing of a model is loaded here: what only its layers show is found in
xval/training/fused, which then has the jobs run one by one.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from xval.jobs.job import Job
from xval.settings.architectures import COMBINATION
from xval.settings.schema import UNHASHED_KEYS, Settings, names_of
from xval.settings.scope import Scope

MOST_MEMBERS = 64
"""Members of a group at most; xval/training/fused makes programs of fewer where the memory of the device asks for it."""

GROUPING_EXECUTORS = ("auto", "inline", "processes")
"""The executors that hand a group to one process. The others, of clusters, run a process for each job."""


def group_jobs(jobs: Sequence[Job], *, n_slots: int = 1) -> list[tuple[Job, ...]]:
    """Put jobs together that one program can train, and leave every other one by itself.

    A group has folds of an instance, and of instances that differ only in learning rate, dropout and weight penalty, in what is
    done between the steps (schedule, early stopping, metrics ...), and in what cannot change a result.

    Args:
        jobs: The jobs of a stage, in the order in which they are to begin.
        n_slots: How many groups run at a time: groups are no larger than leaves one for each.

    Returns:
        The groups, in the order of the first job of each; the jobs of a group in their order.
    """
    alike: dict[str, list[Job]] = {}
    for number, job in enumerate(jobs):
        is_alone = job.settings.engine == "sequential" or job.refit is not None or why_alone(job.settings)
        key = str(number) if is_alone else _form(job)
        alike.setdefault(key, []).append(job)
    return [group for found in alike.values() for group in _cut(found, min(MOST_MEMBERS, -(-len(jobs) // n_slots)))]


def why_alone(settings: Settings) -> str:
    """Return why the folds of an instance cannot be trained together, as far as its parameters tell; nothing where they can."""
    if settings.architecture == COMBINATION:
        return "a combination of features trains no network"
    if settings.precision == "mixed_float16":
        return "precision=mixed_float16 scales the loss of each model by itself; choose mixed_bfloat16 or float32"
    if settings.task.is_reconstruction:
        return f"task_type={settings.task_type} is validated by Keras, one model at a time"
    if settings.crop_s is not None and settings.example_length_s is None:
        return "its clips are validated whole, each at its own length; set example_length_s to crop_s"
    return ""


def describe_engine(settings: Settings, executor: str) -> str:
    """Return a line on an instance whose folds are trained one by one although `engine` asks for more; else nothing."""
    if settings.engine == "sequential":
        return ""
    reason = "" if executor in GROUPING_EXECUTORS else f"executor {executor} runs a process for each job"
    reason = reason or why_alone(settings)
    return f"engine={settings.engine}, but its folds are trained one by one: {reason}." if reason else ""


def one_by_one(job: Job, reason: str = "", facts: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return what the record of a job says that is trained by itself; of the engine `sequential` nothing.

    Args:
        job: The job.
        reason: Why; nothing: what its parameters say, or that it came alone.
        facts: What else is known.
    """
    asked = job.settings.engine
    if asked == "sequential":
        return {}
    reason = reason or why_alone(job.settings) or "it came to its process without others of its form"
    return {"engine": {"asked": asked, "used": "sequential", "reason": reason, **(facts or {})}}


def _form(job: Job) -> str:
    """Return what the jobs of a group have in common, as a text."""
    apart = {*names_of(Scope.OF_MEMBER), *(name for name in job.options if _is_dropout(job, name))}
    common = {name: value for name, value in job.parameters.items() if name not in apart | UNHASHED_KEYS}
    return json.dumps([job.store_folder, tuple(job.options), job.settings.generator, common], sort_keys=True)


def _is_dropout(job: Job, name: str) -> bool:
    """Return whether an option is a rate of dropout, as its name says. Where it is anything else, training finds it out.

    In mixed precision a rate that differs would be computed in float32, and make other numbers.
    """
    return "dropout" in name and isinstance(job.options[name], int | float) and job.settings.precision == "float32"


def _cut(jobs: Sequence[Job], most: int) -> Iterator[tuple[Job, ...]]:
    """Cut jobs into groups of about the same size, none larger than `most`."""
    n_groups = -(-len(jobs) // most)
    bounds = [len(jobs) * number // n_groups for number in range(n_groups + 1)]
    return (tuple(jobs[first:stop]) for first, stop in pairwise(bounds))
