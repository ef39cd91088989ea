"""Findings that readers of results need to know: a file for each finding, named by its code and slug.

A file has a `Rule` whose function takes `Variants` and yields `Finding`s; its docstring says why the finding matters and how it
is computed, for docs/reference/findings.md (Markdown). XV1 findings are about the data, XV2 about the training, XV3 about the
result. A code that was used once keeps its meaning.
"""

from collections.abc import Sequence

from xval.answers.variants import Variants
from xval.base.findings import Finding, coded_rules
from xval.results.instance import InstanceResults


def find_findings(instances: Sequence[InstanceResults]) -> list[Finding]:
    """Return the findings on some instances (at least one) of one experiment, the most serious first.

    Findings that all of these instances silence are skipped.
    """
    variants = Variants(instances)
    if not variants.done:
        return []
    found = [finding for rule in coded_rules() for finding in rule.find(variants)]
    return [finding for finding in found if finding.code not in variants.silenced]
