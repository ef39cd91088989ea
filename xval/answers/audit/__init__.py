"""The audit of an experiment: rules on the items of training, validation and test, and on the origin of the scores.

Files are only read: no model is loaded, and nothing is written.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from xval.answers.audit.evidence import Evidence
from xval.answers.audit.verdict import AuditVerdict, Findings
from xval.base.findings import Rule, rules_of
from xval.base.item_word import ITEM, call_items
from xval.results.folder import ExperimentFolder

NOT_CHECKED = (
    "one speaker under two names: items are distinguished only by their names and by columns of the dataset",
    "copies of a clip with another pitch, speed or room, for example augmented before the dataset was prepared",
    "how a script made arrays: features selected or scaled with all labels look like any others",
    "shortcuts to a label other than the intended sound, such as the microphone or the length of a clip",
    "whether the clips match the time, places and people that the model is for",
)
"""What no rule checks."""


_OF_RECORDS = ("scores", "items", "folds hash", "settings hash")


def audit(folder: ExperimentFolder, data_folder: Path | None = None, *, with_checksums: bool = True) -> list[AuditVerdict]:
    """Return the verdict of each rule on an experiment.

    Args:
        folder: The results folder.
        data_folder: The folder of corpora; None: that of the experiment's settings, relative to the current folder.
        with_checksums: Read the whole feature stores to compare their checksums; each run does this when it begins.
    """
    return _verdicts(rules_of(__name__), Evidence(folder, data_folder, with_checksums=with_checksums))


def faults_of_records(folder: ExperimentFolder, instances: Collection[int]) -> list[str]:
    """Return the faults that `audit` finds in the records of some instances from their own files, without store or model."""
    rules = [rule for rule in rules_of(__name__) if rule.findings[0].slug in _OF_RECORDS]
    verdicts = _verdicts(rules, Evidence(folder, None, instances=instances))
    return [f"{verdict.rule}: {fault}" for verdict in verdicts for fault in verdict.faults]


def _verdicts(rules: Sequence[Rule], evidence: Evidence) -> list[AuditVerdict]:
    words = {job.written.item_word for job in evidence.jobs if job.written} - {""}
    word = words.pop() if len(words) == 1 else ITEM
    verdicts = []
    for rule in rules:
        findings = Findings()
        rule.find(evidence, findings)
        verdict = findings.verdict(rule)
        verdicts.append(replace(verdict, statement=call_items(verdict.statement, word)))
    return verdicts
