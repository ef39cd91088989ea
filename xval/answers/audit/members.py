"""The rule that an ensemble was made of what its members predicted, and of their models, as they are now."""

from xval.answers.audit.evidence import Evidence, JobEvidence, NotCheckableError
from xval.answers.audit.verdict import Findings
from xval.base.errors import SettingsError, brief
from xval.base.findings import Finding, Rule
from xval.models.saved.initial import hash_bytes, hash_member
from xval.results.job_key import JobKey


@Rule(11, Finding("every ensemble was made from the current predictions and models of its members", slug="members"))
def _check(evidence: Evidence, findings: Findings) -> None:
    jobs = {job.key: job for job in evidence.jobs}
    ensembles = [job for job in evidence.jobs if job.is_ensemble]
    if not ensembles:
        findings.notes.append("no instance is an ensemble")
    for job in ensembles:
        with findings.looking_at(job.name):
            for member in job.record["members"]:
                key = JobKey.of(member)
                if key.fold != job.key.fold:
                    findings.faults.append(f"{job.name}: its member {key} is of another fold")
                elif key not in jobs:
                    findings.faults.append(f"{job.name}: its member {key} is missing")
                else:
                    _check_member(job, jobs[key], member, findings)


def _check_member(job: JobEvidence, made_of: JobEvidence, member: dict[str, object], findings: Findings) -> None:
    again = "make the ensemble again"
    try:
        if hash_bytes(made_of.folder / "predictions.parquet") != member["predictions_hash"]:
            findings.faults.append(f"{job.name}: {made_of.name} has other predictions than when it was made; {again}")
        if hash_member(made_of.model_path) != member["hash"]:
            findings.faults.append(f"{job.name}: {made_of.name} has another model than when it was made; {again}")
    except (OSError, SettingsError, KeyError) as error:
        raise NotCheckableError(f"its member {made_of.name} cannot be read ({brief(error, 300)})") from error
