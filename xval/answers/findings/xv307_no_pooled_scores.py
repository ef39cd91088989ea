"""Predictions are missing or too large, or no seed has all folds.

Metrics that need all folds together are then missing.
"""

from collections.abc import Iterator

from xval.answers.variants import Variants
from xval.base.findings import Finding, Rule

FINDING = Finding.coded(
    __name__,
    "There are no pooled scores of {who}: {reason}.",
    "Intervals are those of means over {items}. Run these folds again if you want pooled scores.",
)


@Rule(13, FINDING)
def _find(variants: Variants) -> Iterator[Finding]:
    reasons = {instance.number: instance.over_items["missing"] for instance in variants.done if instance.over_items}
    missing = [number for number, reason in reasons.items() if reason]
    if missing:
        yield FINDING.fill(missing, who=variants.call(missing), reason=reasons[missing[0]], items=variants.items)
