"""The rule that the files which the other rules check are complete and can be read.

Comes in: evidence. Goes out: findings.
"""

from xval.audit.evidence import DAMAGE, Evidence, JobEvidence, NotCheckableError
from xval.audit.verdict import Findings, Rule


def _check(evidence: Evidence, findings: Findings) -> None:
    findings.faults += evidence.damage
    for job in evidence.jobs:
        findings.n_checked += 1
        findings.faults += [f"{job.name}: {fault}" for fault in _faults(job)]


def _faults(job: JobEvidence) -> list[str]:
    """Return which files of a finished fold are missing or damaged."""
    from pyarrow import parquet

    name = "model.skops" if job.is_estimator else "model.ensemble" if job.is_ensemble else job.model_path.name
    model = job.folder / name
    faults = [] if model.is_file() else [f"{model.name} is missing"]
    try:
        job.description()
    except NotCheckableError as error:
        faults.append(str(error))
    predictions = job.folder / "predictions.parquet"
    try:
        missing = {"item", "clip", "side"} - set(parquet.read_schema(predictions).names)
        faults += [f"{predictions.name} has no column '{name}'" for name in sorted(missing)]
    except FileNotFoundError:
        faults.append(f"{predictions.name} is missing")
    except DAMAGE as error:
        faults.append(f"{predictions.name} is damaged ({' '.join(str(error).split())[:100]})")
    return faults


FILES = Rule("files", "every finished fold has its record, model, description and predictions, and they can be read", _check)
