"""The rules that folds, corpus, settings and code are those that the records were made with.

Hashes are computed again.
"""

from xval.answers.audit.evidence import Evidence, JobEvidence, NotCheckableError
from xval.answers.audit.verdict import Findings
from xval.base.code_hash import find_changed_copies
from xval.base.errors import CorpusError, SettingsError
from xval.base.findings import Finding, Rule
from xval.base.user_code.modules import looking_in
from xval.results.identity import JobIdentity
from xval.settings.parameters import hash_parameters

_UNKNOWN_CODE = "which of your own code it used is not known, because an earlier version of xval wrote its record"


@Rule(12, Finding("folds.json matches its hash, and every record was made on its folds", slug="folds hash"))
def _check_folds(evidence: Evidence, findings: Findings) -> None:
    with findings.looking_at(""):
        plan = evidence.folds.plan
        written, computed = evidence.folds.hash, plan.hash
        if (written, evidence.folds.deal_hashes) != (computed, plan.deal_hashes):
            findings.faults.append(f"folds.json has been edited: its folds have the hash {computed}, but it says {written}")
    for job in evidence.jobs:
        with findings.looking_at(job.name):
            wanted = evidence.folds.hash_of(job.key.fold)
            if JobIdentity(folds_hash=wanted or None).changes(job.record):  # the rule on items names a fold that is not there
                findings.faults.append(f"{job.name}: was run on folds {job.record['folds_hash']}, but folds.json has {wanted}")


@Rule(13, Finding("the dataset has the index from which the folds were made", slug="corpus hash"))
def _check_corpus(evidence: Evidence, findings: Findings) -> None:
    with findings.looking_at(""):
        corpus = evidence.written_corpus
        if isinstance(corpus, NotCheckableError):
            raise corpus
        wanted = evidence.folds.plan.index_hash
        if corpus.index_hash != wanted:
            findings.faults.append(f"{corpus.folder} has the index {corpus.index_hash}, but the folds were made from {wanted}")
        try:
            computed = corpus.compute_hash()
        except CorpusError as error:
            raise NotCheckableError(str(error)) from error
        if computed != corpus.index_hash:
            findings.faults.append(
                f"{corpus.folder}: its index has been edited: it has the hash {computed}, but says {corpus.index_hash}"
            )


@Rule(14, Finding("settings.json matches its hash and every record", slug="settings hash"))
def _check_settings(evidence: Evidence, findings: Findings) -> None:
    for instance, written in evidence.instances.items():
        computed = hash_parameters(written.parameters)
        if written.settings_hash != computed:
            findings.faults.append(
                f"instance {instance}: settings.json has been edited: its settings have the hash {computed}, but it says "
                f"{written.settings_hash}"
            )
    for job in evidence.jobs:
        with findings.looking_at(job.name):
            if job.written is None:
                raise NotCheckableError("settings.json cannot be read")
            ran, has = job.record["settings_hash"], job.written.settings_hash
            if JobIdentity(settings_hash=has).changes(job.record):
                findings.faults.append(f"{job.name}: was run with settings {ran}, but settings.json has {has}")


@Rule(15, Finding("all folds ran on the same code, and your own parts are unchanged", slug="code hash"))
def _check_code(evidence: Evidence, findings: Findings) -> None:
    codes: dict[str, list[str]] = {}
    changed: dict[str, list[str]] = {}
    for job in evidence.jobs:
        codes.setdefault(str(job.record["code_hash"]), []).append(job.name)
        with findings.looking_at(job.name):
            if changes := _own_changes(job):
                changed.setdefault(changes, []).append(job.name)
    findings.faults += [
        f"{'; '.join(names)}: ran on different code than the current one: {text}" for text, names in changed.items()
    ]
    if others := find_changed_copies(evidence.folder.path / "code", codes):
        findings.notes.append(
            f"xval itself has changed since folds ran (code/{', code/'.join(others)}); their results remain valid"
        )
    if len(codes) > 1:
        for code, names in sorted(codes.items()):
            findings.warnings.append(f"code/{code}: {'; '.join(names)}")


def _own_changes(job: JobEvidence) -> str:
    """Return what of the user's own code has changed since a job ran."""
    ran, written = job.record.get("own_code"), job.written
    if ran == {}:
        return ""
    if written is None:
        raise NotCheckableError("settings.json cannot be read")
    try:
        now = written.present_code()
    except SettingsError as error:
        reason = "its code cannot be compared with the current code" if ran else _UNKNOWN_CODE
        raise NotCheckableError(f"{reason}: {error}") from error
    if ran is None and now:
        raise NotCheckableError(_UNKNOWN_CODE)
    with looking_in(written.own_folders):
        return JobIdentity(user_code=now).code_changes(job.record)
