"""A loss, a monitored value or a weight became NaN or infinite.

Training then ends, and the model is that of the best epoch before (with `restore_best_weights = false` of the last good one).
`record.json` has epoch and reason (`diverged`). If the first epoch diverges, the job fails; a trial of a search that diverges
counts as the worst.
"""

from collections.abc import Iterator

from xval.answers.variants import Variants
from xval.base.errors import first_of
from xval.base.findings import Finding, Rule

_MOST_NAMED = 3
FINDING = Finding.coded(
    __name__,
    "Training diverged in {n:variant|variants} {listed}, so the models are those of an earlier epoch.",
    "Lower learning_rate or set clip_norm, because later epochs might have been better.",
)


@Rule(19, FINDING)
def _find(variants: Variants) -> Iterator[Finding]:
    n_jobs = {one.number: sum(bool(record.get("diverged")) for record in one.done.values()) for one in variants.done}
    listed = {one.number: f"{one.number} ({n_jobs[one.number]}/{len(one.done)})" for one in variants.done if n_jobs[one.number]}
    if listed:
        yield FINDING.fill(listed.keys(), n=len(listed), listed=first_of(listed.values(), _MOST_NAMED))
