"""The rule that model files, including final models, still have the SHA-256 with which their job wrote them."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from xval.answers.audit.evidence import Evidence, NotCheckableError
from xval.answers.audit.verdict import DAMAGED, NOT_CHECKABLE, Findings
from xval.base.errors import brief
from xval.base.findings import Finding, Rule
from xval.base.json_files import read_json
from xval.jobs.model_files import find_replaced
from xval.results.folder import ALL_ITEMS

MODEL_FILES = Finding("no model file was changed since its job wrote it", slug="model files")
MISSING = Finding("{file} is missing", level=DAMAGED)
REPLACED = Finding(
    "{file} is not the file that its job wrote: its SHA-256 is {found}, but record.json has {written}. Restore the file, or "
    "run the job again"
)
NO_RECORD = Finding("it has no record.json", level=NOT_CHECKABLE)
UNREADABLE = Finding("its model cannot be read ({error})", level=NOT_CHECKABLE)
NO_HASH = Finding("an earlier version of xval wrote its record, without the SHA-256 of its model", level=NOT_CHECKABLE)


@Rule(17.5, MODEL_FILES, MISSING, REPLACED, NO_RECORD, UNREADABLE, NO_HASH)
def _check(evidence: Evidence, findings: Findings) -> None:
    for job in evidence.jobs:
        with findings.looking_at(job.name):
            findings.add(*_faults(job.folder, job.record), what=job.name)
    for number in evidence.numbers:
        folder = evidence.folder.fold_folder(number, ALL_ITEMS)
        if folder.is_dir():
            name = f"instance {number}, final model"
            with findings.looking_at(name):
                findings.add(*_faults(folder, read_json(folder / "record.json"), is_final=True), what=name)


def _faults(folder: Path, record: Mapping[str, Any] | None, *, is_final: bool = False) -> Iterator[Finding]:
    """Yield the changed and the missing files of a model; another rule names the missing files of folds."""
    if record is None:
        raise NotCheckableError(NO_RECORD.message)
    try:
        replaced = find_replaced(folder, record)
    except OSError as error:
        raise NotCheckableError(UNREADABLE.fill(error=brief(error)).message) from error
    if replaced is None:
        raise NotCheckableError(NO_HASH.message)
    written = record["model_sha256"]
    yield from (MISSING.fill(file=file) for file in written if is_final and not (folder / file).is_file())
    for file, found in replaced.items():
        yield REPLACED.fill(file=file, found=found, written=written.get(file, "none"))
