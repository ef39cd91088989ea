"""What is wrong with the clips of a corpus and with the corpus as a whole, the worst first, each with what to do about it."""

from collections.abc import Iterable
from dataclasses import replace

import pandas as pd

from preprocessing.quality.rules import PACKAGE, Criteria, Fault
from xval.base.findings import Finding, rules_of


def find_faults(facts: pd.DataFrame, criteria: Criteria) -> tuple[pd.DataFrame, list[Finding]]:
    """Judge every clip and the corpus as a whole.

    Args:
        facts: As `facts.read_headers` or `near_duplicates.find_near_duplicates` returns it, rows numbered from 0, and the
            column recording (`clips.same_files.first_paths`). Without those of the latter, what the headers tell is judged.
        criteria: What counts as a fault.

    Returns:
        facts: With the columns ``faults`` (slugs, separated by ``;``, the worst first) and ``reason`` (why, in the same order);
            both are empty for a clip without any.
        findings: Those that were found, the worst first.
    """
    limits = {"min_duration_s": criteria.min_duration_s, "clipped_share": 100 * criteria.clipped_share}
    found = [(rule.findings[0], rule.find(facts, criteria)) for rule in rules_of(PACKAGE, Fault)]
    findings = [finding.fill(reasons, **limits) for finding, reasons in found if reasons]
    clip_reasons: list[dict[str, str]] = [{} for _ in range(len(facts))]
    for finding in findings:
        for row, reason in finding.where.items():
            if isinstance(row, int):
                clip_reasons[row][finding.slug] = reason
    slugs, reasons = (
        (";".join(own_reasons) for own_reasons in clip_reasons),
        ("; ".join(own_reasons.values()) for own_reasons in clip_reasons),
    )
    return facts.assign(faults=list(slugs), reason=list(reasons)), findings


def without_refusal(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings on a corpus of which folds can be made, so that it is refused for none of them.

    Identical audio may be under items that the folds of the corpus itself keep on one side.
    """
    return [replace(found, level="doubtful") if found.level == "refused" else found for found in findings]
