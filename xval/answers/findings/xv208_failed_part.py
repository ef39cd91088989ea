"""Without `calibration` the probabilities are those of the network.

Without `novelty`, `predict` cannot report out-of-distribution audio. The error is in `failed_parts` of `record.json`.
"""

from collections.abc import Iterator

from xval.answers.variants import Variants
from xval.base.findings import Finding, Rule

FINDING = Finding.coded(
    __name__,
    "A part that no score needs failed in {who}: {part}{more:? and {more} more}.",
    "The scores are valid. Read the error in record.json of the fold.",
)


@Rule(21, FINDING)
def _find(variants: Variants) -> Iterator[Finding]:
    failed = [
        (instance.number, part)
        for instance in variants.done
        for record in instance.done.values()
        for part in (record.get("failed_parts") or {}).items()
    ]
    if failed:
        numbers = dict.fromkeys(number for number, _ in failed)
        yield FINDING.fill(numbers, who=variants.call(numbers), part=failed[0][1][0], more=len(failed) - 1)
