"""The rules that folds, corpus, settings and code are the ones that the records were made with.

Hashes are computed again.
"""

from xval.answers.audit.evidence import Evidence, JobEvidence, NotCheckableError
from xval.answers.audit.verdict import NOT_CHECKABLE, NOTE, WARNING, Findings
from xval.base.code_hash import find_changed_copies
from xval.base.errors import SettingsError
from xval.base.findings import Finding, Rule
from xval.base.user_code.modules import looking_in
from xval.results.identity import JobIdentity
from xval.settings.parameters import hash_parameters

FOLDS_HASH = Finding("folds.json matches its hash, and every record was made on its folds", slug="folds hash")
EDITED_FOLDS = Finding("folds.json has been edited: its folds have the hash {computed}, but it records {written}")
OTHER_FOLDS = Finding("was run on folds {ran}, but folds.json has {written}")


@Rule(12, FOLDS_HASH, EDITED_FOLDS, OTHER_FOLDS)
def _check_folds(evidence: Evidence, findings: Findings) -> None:
    with findings.looking_at(""):
        plan = evidence.folds.plan
        written, computed = evidence.folds.hash, plan.hash
        if (written, evidence.folds.repeat_hashes) != (computed, plan.repeat_hashes):
            findings.add(EDITED_FOLDS.fill(computed=computed, written=written))
    for job in evidence.jobs:
        with findings.looking_at(job.name):
            wanted = evidence.folds.hash_of(job.key.fold)
            if JobIdentity(folds_hash=wanted or None).changes(job.record):  # the rule on items names a fold that is not there
                findings.add(OTHER_FOLDS.fill(ran=job.record["folds_hash"], written=wanted), what=job.name)


CORPUS_HASH = Finding("the dataset has the index from which the folds were made", slug="corpus hash")
OTHER_INDEX = Finding("{folder} has the index {index}, but the folds were made from {wanted}")
EDITED_INDEX = Finding("{folder}: its index has been edited: it has the hash {computed}, but records {index}")


@Rule(13, CORPUS_HASH, OTHER_INDEX, EDITED_INDEX)
def _check_corpus(evidence: Evidence, findings: Findings) -> None:
    with findings.looking_at(""):
        corpus = evidence.written_corpus
        if isinstance(corpus, NotCheckableError):
            raise corpus
        wanted = evidence.folds.plan.index_hash
        if corpus.index_hash != wanted:
            findings.add(OTHER_INDEX.fill(folder=corpus.folder, index=corpus.index_hash, wanted=wanted))
        computed = corpus.compute_hash()
        if computed != corpus.index_hash:
            findings.add(EDITED_INDEX.fill(folder=corpus.folder, computed=computed, index=corpus.index_hash))


SETTINGS_HASH = Finding("settings.json matches its hash and every record", slug="settings hash")
EDITED_SETTINGS = Finding(
    "instance {instance}: settings.json has been edited: its settings have the hash {computed}, but it records {written}"
)
OTHER_SETTINGS = Finding("was run with settings {ran}, but settings.json has {written}")
NO_SETTINGS = Finding("settings.json cannot be read", level=NOT_CHECKABLE)


@Rule(14, SETTINGS_HASH, EDITED_SETTINGS, OTHER_SETTINGS, NO_SETTINGS)
def _check_settings(evidence: Evidence, findings: Findings) -> None:
    for instance, written in evidence.instances.items():
        computed = hash_parameters(written.parameters)
        if written.settings_hash != computed:
            findings.add(EDITED_SETTINGS.fill(instance=instance, computed=computed, written=written.settings_hash))
    for job in evidence.jobs:
        with findings.looking_at(job.name):
            if job.written is None:
                raise NotCheckableError(NO_SETTINGS.message)
            ran, has = job.record["settings_hash"], job.written.settings_hash
            if JobIdentity(settings_hash=has).changes(job.record):
                findings.add(OTHER_SETTINGS.fill(ran=ran, written=has), what=job.name)


CODE_HASH = Finding("all folds ran on the same code, and your own parts are unchanged", slug="code hash")
OTHER_CODE = Finding("{jobs}: ran on different code than the current one: {changes}")
OTHER_XVAL = Finding("xval itself has changed since folds ran (code/{codes}); their results remain valid", level=NOTE)
SEVERAL_CODES = Finding("code/{code}: {jobs}", level=WARNING)
NOT_COMPARABLE = Finding("its code cannot be compared with the current code", level=NOT_CHECKABLE)
UNKNOWN_CODE = Finding(
    "which of your own code it used is not known, because an earlier version of xval wrote its record", level=NOT_CHECKABLE
)


@Rule(15, CODE_HASH, OTHER_CODE, OTHER_XVAL, SEVERAL_CODES, NO_SETTINGS, NOT_COMPARABLE, UNKNOWN_CODE)
def _check_code(evidence: Evidence, findings: Findings) -> None:
    codes: dict[str, list[str]] = {}
    changed: dict[str, list[str]] = {}
    for job in evidence.jobs:
        codes.setdefault(str(job.record["code_hash"]), []).append(job.name)
        with findings.looking_at(job.name):
            if changes := _own_changes(job):
                changed.setdefault(changes, []).append(job.name)
    findings.add(*(OTHER_CODE.fill(jobs="; ".join(names), changes=text) for text, names in changed.items()))
    if others := find_changed_copies(evidence.folder.path / "code", codes):
        findings.add(OTHER_XVAL.fill(codes=", code/".join(others)))
    if len(codes) > 1:
        findings.add(*(SEVERAL_CODES.fill(code=code, jobs="; ".join(names)) for code, names in sorted(codes.items())))


def _own_changes(job: JobEvidence) -> str:
    """Return the changes of the user's own code since a job ran."""
    ran, written = job.record.get("own_code"), job.written
    if ran == {}:
        return ""
    if written is None:
        raise NotCheckableError(NO_SETTINGS.message)
    try:
        now = written.present_code()
    except SettingsError as error:
        reason = NOT_COMPARABLE if ran else UNKNOWN_CODE
        raise NotCheckableError(f"{reason.message}: {error}") from error
    if ran is None and now:
        raise NotCheckableError(UNKNOWN_CODE.message)
    with looking_in(written.own_folders):
        return JobIdentity(user_code=now).code_changes(job.record)
