"""Train folds together, in one program: the engine `fused`, on the backend jax.

Comes in: a group of jobs (xval/jobs/groups.py). Goes out: for each job, as soon as it has ended, its model with the weights
of its best epoch and its history; or that it has to be run by itself, and why. Each member has its own weights, optimizer,
normalisation, random numbers, shuffling, schedule, early stopping and best epoch; the numbers are those of the job run alone,
but for the rounding of sums.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import keras

from xval.jobs.claim import Report
from xval.jobs.groups import one_by_one
from xval.jobs.job import Job
from xval.training.compiled import CompiledModel
from xval.training.fit import History
from xval.training.fused.group import Group, NotFusedError, find_families
from xval.training.setup import FoldSetup, set_up_fold


@dataclass(frozen=True)
class Trained:
    """A job that has been trained together with others.

    Attributes:
        job: The job.
        setup: Its examples, store and initial model.
        model: Its model with the weights of its best epoch, until the next result is asked for.
        history: What training did.
        facts: What the record says of the engine.
    """

    job: Job
    setup: FoldSetup
    model: keras.Model
    history: History
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class OneByOne:
    """A job that has to be run by itself; `facts` is what its record says of the engine: the reason."""

    job: Job
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class Failed:
    """A job that failed while others went on."""

    job: Job
    error: Exception


Result: TypeAlias = Trained | OneByOne | Failed


def train_together(jobs: Sequence[Job], report: Report) -> Iterator[Result]:
    """Train a group of jobs.

    Args:
        jobs: A group of `group_jobs`.
        report: Called with what progresses: ``{"instance", "fold", "repeat", "epoch", "values"}``.

    Yields:
        A result for each job, in the order in which they end.

    Raises:
        Exception: What stops all of them, such as a device without memory left; jobs without a result have to be run again.
    """
    compiled: dict[int, CompiledModel] = {}
    setups: list[tuple[Job, FoldSetup]] = []
    for job in jobs:
        try:
            setup = set_up_fold(job)
        except Exception as error:  # noqa: BLE001 - it is this job's alone, and is recorded
            yield Failed(job, error)
            continue
        compiled.setdefault(job.instance, setup.compiled)
        setups.append((job, setup))
    for family in find_families(setups):
        if len(family) == 1:
            reason = "no other job of its group is built alike" if len(jobs) > 1 else "it is the only one of its group"
            yield OneByOne(family[0][0], one_by_one(family[0][0], reason))
            continue
        yield from _train_family(family, compiled, report)


def _train_family(
    family: Sequence[tuple[Job, FoldSetup]], compiled: Mapping[int, CompiledModel], report: Report
) -> Iterator[Result]:
    """Train jobs whose models are built alike, in as many programs as the memory asks for."""
    waiting = [family]
    while waiting:
        part = waiting.pop(0)
        jobs = [job for job, _ in part]
        if len(part) == 1:
            yield OneByOne(jobs[0], one_by_one(jobs[0], "the memory has room for no second one beside it"))
            continue
        try:
            group = Group(part, compiled, report)
            if group.n_fitting < len(part):
                half = -(-len(part) // 2)
                waiting = [part[:half], part[half:], *waiting]
                continue
            facts = group.choose()
        except NotFusedError as error:
            for job in jobs:
                yield OneByOne(job, one_by_one(job, str(error), error.facts))
            continue
        for member, ended in group.train():
            if isinstance(ended, Exception):
                yield Failed(member.job, ended)
            else:
                found = {"asked": member.job.settings.engine, "used": "fused", "members": [*group.widths], **facts}
                yield Trained(member.job, member.setup, member.compiled.whole, ended, {"engine": found})
