"""Find the faults of clips and of a dataset as a whole, by the rules in preprocessing/quality/findings/."""

from collections.abc import Iterable
from dataclasses import replace

import pandas as pd

from preprocessing.quality.rules import PACKAGE, Criteria, Fault
from xval.base.findings import Finding, rules_of


def find_faults(facts: pd.DataFrame, criteria: Criteria) -> tuple[pd.DataFrame, list[Finding]]:
    """Apply all rules to the clips and to the dataset as a whole.

    Args:
        facts: One row per clip, numbered from 0, as `facts.read_headers` or `near_duplicates.find_near_duplicates` returns
            them, with the column recording (`preprocessing.clips.same_files.first_paths`). Facts from the headers only are
            enough for a part of the rules.
        criteria: What counts as a fault.

    Returns:
        facts: The facts with the columns ``faults`` (slugs, separated by ``;``, the worst first) and ``reason`` (in the same
            order); both are empty for a clip without faults.
        findings: The faults that were found, the worst first.
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
    """Return the findings with the level doubtful instead of refused, for a dataset of which folds can be made after all.

    For example, identical audio may belong to two items that the folds of the dataset keep on one side.
    """
    return [replace(found, level="doubtful") if found.level == "refused" else found for found in findings]
