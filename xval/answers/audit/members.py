"""The rule that the predictions and models of the members of an ensemble have not changed since it was made."""

from xval.answers.audit.evidence import Evidence, JobEvidence, NotCheckableError
from xval.answers.audit.verdict import NOT_CHECKABLE, NOTE, Findings
from xval.base.errors import SettingsError, brief
from xval.base.findings import Finding, Rule
from xval.models.saved.initial import hash_bytes, hash_member
from xval.results.job_key import JobKey

MEMBERS = Finding("every ensemble was made from the current predictions and models of its members", slug="members")
NO_ENSEMBLE = Finding("no instance is an ensemble", level=NOTE)
OTHER_FOLD = Finding("its member {member} is of another fold")
MISSING = Finding("its member {member} is missing")
CHANGED = Finding("{member} has {what} than when it was made; make the ensemble again")
UNREADABLE = Finding("its member {member} cannot be read ({error})", level=NOT_CHECKABLE)


@Rule(11, MEMBERS, NO_ENSEMBLE, OTHER_FOLD, MISSING, CHANGED, UNREADABLE)
def _check(evidence: Evidence, findings: Findings) -> None:
    jobs = {job.key: job for job in evidence.jobs}
    ensembles = [job for job in evidence.jobs if job.is_ensemble]
    if not ensembles:
        findings.add(NO_ENSEMBLE)
    for job in ensembles:
        with findings.looking_at(job.name):
            for member in job.record["members"]:
                key = JobKey.of(member)
                if key.fold != job.key.fold:
                    findings.add(OTHER_FOLD.fill(member=key), what=job.name)
                elif key not in jobs:
                    findings.add(MISSING.fill(member=key), what=job.name)
                else:
                    _check_member(job, jobs[key], member, findings)


def _check_member(job: JobEvidence, made_of: JobEvidence, member: dict[str, object], findings: Findings) -> None:
    try:
        if hash_bytes(made_of.folder / "predictions.parquet") != member["predictions_hash"]:
            findings.add(CHANGED.fill(member=made_of.name, what="other predictions"), what=job.name)
        if hash_member(made_of.model_path) != member["hash"]:
            findings.add(CHANGED.fill(member=made_of.name, what="another model"), what=job.name)
    except (OSError, SettingsError, KeyError) as error:
        raise NotCheckableError(UNREADABLE.fill(member=made_of.name, error=brief(error, 300)).message) from error
