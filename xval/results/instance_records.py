"""The jobs of an instance that count: which of them are done, which failed and which are missing."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from xval.results.folder import ExperimentFolder
from xval.results.job_key import JobKey
from xval.results.read import Record, WrittenInstance


@dataclass(frozen=True)
class InstanceRecords:
    """The jobs of an instance: those that were asked for (`wanted`), and the records of those that have ended."""

    experiment: ExperimentFolder
    written: WrittenInstance
    wanted: tuple[JobKey, ...]
    done: Mapping[JobKey, Record]
    failed: Mapping[JobKey, Record]

    @property
    def number(self) -> int:
        """Number of the instance."""
        return self.written.instance

    @property
    def keys(self) -> dict[str, Any]:
        """The columns that identify the instance."""
        settings = self.written.settings
        return {"dataset": settings.dataset, "experiment": settings.num_experiment, "instance": self.number}

    def not_done(self) -> list[dict[str, Any]]:
        """Return the keys, status (failed or missing) and error of each wanted job that is not done."""
        jobs = []
        for key in self.wanted:
            if key not in self.done:
                status, error = ("failed", self.failed[key]["error"]) if key in self.failed else ("missing", None)
                jobs.append(self.keys | key._asdict() | {"status": status, "error": error})
        return jobs
