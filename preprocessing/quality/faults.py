"""What is wrong with the clips of a corpus and with the corpus as a whole, the worst first, each with what to do about it.

Comes in: the facts about every clip. Goes out: the facts with the faults of each clip, and a finding per kind of fault.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from preprocessing.quality.fault_kinds import FAULTS, Fault
from preprocessing.quality.rules import Criteria, Reasons

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Finding:
    """A kind of fault that was found.

    Attributes:
        meaning: When it is found, with the criteria in force.
        reasons: Who has it and why.
    """

    fault: Fault
    meaning: str
    reasons: Reasons


def find_faults(facts: "pd.DataFrame", criteria: Criteria) -> "tuple[pd.DataFrame, list[Finding]]":
    """Judge every clip and the corpus as a whole.

    Args:
        facts: As `facts.read_headers` or `near_duplicates.find_near_duplicates` returns it, rows numbered from 0, and the
            column recording (`clips.same_files.first_paths`). Without those of the latter, what the headers tell is judged.
        criteria: What counts as a fault.

    Returns:
        facts: With the columns ``faults`` (names, separated by ``;``, the worst first) and ``reason`` (why, likewise); both are
            empty for a clip without any.
        findings: Those that were found, the worst first.
    """
    findings = []
    for fault in FAULTS:
        reasons = fault.find(facts, criteria)
        if reasons:
            meaning = fault.meaning.format(min_duration_s=criteria.min_duration_s, clipped_share=100 * criteria.clipped_share)
            findings.append(Finding(fault, meaning, reasons))
    names: list[list[str]] = [[] for _ in range(len(facts))]
    reasons_of: list[list[str]] = [[] for _ in range(len(facts))]
    for finding in findings:
        for row, reason in finding.reasons.items():
            if isinstance(row, int):
                names[row].append(finding.fault.name)
                reasons_of[row].append(reason)
    return facts.assign(
        faults=[";".join(texts) for texts in names], reason=["; ".join(texts) for texts in reasons_of]
    ), findings


def without_refusal(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings on a corpus of which folds can be made, so that it is refused for none of them.

    Identical audio may lie under items that the folds of the corpus itself keep on one side.
    """
    return [
        replace(finding, fault=replace(finding.fault, level="doubtful")) if finding.fault.level == "refused" else finding
        for finding in findings
    ]
