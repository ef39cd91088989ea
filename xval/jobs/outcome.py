"""`JobOutcome`: the outcome of a job."""

import math
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import BeforeValidator, ConfigDict

from xval.results.job_key import JobKey

Status = Literal["done", "failed", "crashed", "elsewhere"]
FAILED = ("failed", "crashed")
Outcomes: TypeAlias = Generator["JobOutcome", None, None]
"""Outcomes of running jobs in the order in which they end; closing the iterator ends running and waiting jobs."""
Value = Annotated[float, BeforeValidator(lambda value: math.nan if value is None else value)]
"""A number; files have null for NaN because JSON lacks it."""


@dataclass(frozen=True)
class JobOutcome:
    """The outcome of a job.

    Attributes:
        status: done; failed; crashed (ended by memory or by force, worth another try); elsewhere (another process has it).
        error: The error in one line.
        details: The traceback.
        seconds: Wall-clock time.
        test_metrics: Test metrics of a finished job; empty if it has no test items.
        memory_mb: Resident memory of the process after the job.
        history: A dict per finished epoch of a job that failed: epoch (from 1) and the values that training reported.
        out_of_memory: Whether a crashed job had too little memory.
        gpu_memory_mb: Peak memory of the arrays of its process on its GPU (MB); 0: not known.
        trial: Number of the trial of a search, whose `test_metrics` have its validation score; 0: not a trial.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    instance: int
    fold: int
    status: Status
    error: str = ""
    details: str = ""
    seconds: float = 0.0
    test_metrics: dict[str, Value] = field(default_factory=dict)
    memory_mb: float = 0.0
    repeat: int = 1
    history: list[dict[str, Value]] = field(default_factory=list)
    trial: int = 0
    out_of_memory: bool = False
    gpu_memory_mb: float = 0.0

    @classmethod
    def of(cls, key: JobKey, status: Status, **facts: Any) -> Self:
        """Return the outcome of a job."""
        return cls(status=status, **key._asdict(), **facts)

    @property
    def key(self) -> JobKey:
        """The key of the job."""
        return JobKey.from_numbers(self.instance, self.fold, self.repeat, self.trial)
