"""The rules that folds, corpus, settings and code are those that the records were made with.

Comes in: evidence. Goes out: findings. Hashes are computed again.
"""

from xval.answers.audit.evidence import Evidence, JobEvidence, NotCheckableError
from xval.answers.audit.verdict import Findings, Rule
from xval.base.code_changes import describe_changes
from xval.base.code_hash import find_changed_copies
from xval.base.errors import CorpusError, SettingsError
from xval.base.module_places import looking_in
from xval.settings.parameters import hash_parameters

_UNKNOWN_CODE = "which code of your own it ran on is not known: an earlier version of xval wrote its record"


def _check_folds(evidence: Evidence, findings: Findings) -> None:
    with findings.looking_at(""):
        plan = evidence.folds.plan
        written, computed = evidence.folds.hash, plan.hash
        if (written, evidence.folds.deal_hashes) != (computed, plan.deal_hashes):
            findings.faults.append(f"folds.json: its folds have the hash {computed}, and it says {written}; it has been edited")
    for job in evidence.jobs:
        with findings.looking_at(job.name):
            wanted = evidence.folds.hash_of(job.key.fold)
            if wanted and job.record["folds_hash"] != wanted:  # the rule on items names a fold that is not there
                findings.faults.append(f"{job.name}: was run on folds {job.record['folds_hash']}, folds.json has {wanted}")


def _check_corpus(evidence: Evidence, findings: Findings) -> None:
    with findings.looking_at(""):
        corpus = evidence.written_corpus
        if isinstance(corpus, NotCheckableError):
            raise corpus
        wanted = evidence.folds.plan.index_hash
        if corpus.index_hash != wanted:
            findings.faults.append(f"{corpus.folder} has the index {corpus.index_hash}, the folds were made from {wanted}")
        try:
            computed = corpus.compute_hash()
        except CorpusError as error:
            raise NotCheckableError(str(error)) from error
        if computed != corpus.index_hash:
            findings.faults.append(
                f"{corpus.folder}: its index has the hash {computed}, and it says {corpus.index_hash}; it has been edited"
            )


def _check_settings(evidence: Evidence, findings: Findings) -> None:
    for instance, written in evidence.instances.items():
        computed = hash_parameters(written.parameters)
        if written.settings_hash != computed:
            findings.faults.append(
                f"instance {instance}: the parameters in settings.json have the hash {computed}, and it says "
                f"{written.settings_hash}; it has been edited"
            )
    for job in evidence.jobs:
        with findings.looking_at(job.name):
            if job.written is None:
                raise NotCheckableError("settings.json cannot be read")
            ran, has = job.record["settings_hash"], job.written.settings_hash
            if ran != has:
                findings.faults.append(f"{job.name}: was run with settings {ran}, settings.json has {has}")


def _check_code(evidence: Evidence, findings: Findings) -> None:
    codes: dict[str, list[str]] = {}
    changed: dict[str, list[str]] = {}
    for job in evidence.jobs:
        codes.setdefault(str(job.record["code_hash"]), []).append(job.name)
        with findings.looking_at(job.name):
            if changes := _own_changes(job):
                changed.setdefault(changes, []).append(job.name)
    findings.faults += [f"{'; '.join(names)}: ran on other code than there is now: {text}" for text, names in changed.items()]
    if others := find_changed_copies(evidence.folder.path / "code", codes):
        findings.notes.append(f"xval itself has changed since folds ran (code/{', code/'.join(others)}); their results hold")
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
        reason = "its code cannot be compared with that of now" if ran else _UNKNOWN_CODE
        raise NotCheckableError(f"{reason}: {error}") from error
    if ran is None and now:
        raise NotCheckableError(_UNKNOWN_CODE)
    with looking_in(written.own_folders):
        return describe_changes(ran, now)


FOLDS_HASH = Rule(
    "folds hash", "folds.json has the folds that its hash stands for, and every record was made on them", _check_folds
)
CORPUS_HASH = Rule("corpus hash", "the corpus has the index that the folds were made from", _check_corpus)
SETTINGS_HASH = Rule(
    "settings hash", "settings.json has the parameters that its hash and every record stand for", _check_settings
)
CODE_HASH = Rule("code hash", "all folds ran on the same code, and parts of your own are as they were", _check_code)
