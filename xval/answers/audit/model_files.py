"""The rule that the file of every model, also of the final ones, is the one that its job wrote, by its SHA-256."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from xval.answers.audit.evidence import Evidence, NotCheckableError
from xval.answers.audit.verdict import Findings
from xval.base.findings import Finding, Rule
from xval.base.json_files import read_json
from xval.jobs.model_files import hash_model_files
from xval.results.folder import ALL_ITEMS


@Rule(17.5, Finding("the file of every model is the one that its job wrote", slug="model files"))
def _check(evidence: Evidence, findings: Findings) -> None:
    for job in evidence.jobs:
        with findings.looking_at(job.name):
            findings.add_faults(job.name, _faults(job.folder, job.record))
    for number in evidence.numbers:
        folder = evidence.folder.fold_folder(number, ALL_ITEMS)
        if folder.is_dir():
            name = f"instance {number}, final model"
            with findings.looking_at(name):
                findings.add_faults(name, _faults(folder, read_json(folder / "record.json") or {}))


def _faults(folder: Path, record: Mapping[str, Any]) -> Iterator[str]:
    """Yield which files of a model are others than its job wrote; the rule on files names those that are missing."""
    written = record.get("model_sha256")
    if not isinstance(written, Mapping):
        raise NotCheckableError("an earlier version of xval wrote its record, without the SHA-256 of its model")
    for file, found in hash_model_files(folder).items():
        if found != written.get(file):
            yield (
                f"{file} is not the file that its job wrote: its SHA-256 is {found}, but record.json has "
                f"{written.get(file, 'none')}. Restore the file, or run the job again"
            )
