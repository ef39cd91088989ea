"""Every fold has a finished job, but not each of the `repeats` seeds.

Folds with fewer seeds vary more.
"""

from collections.abc import Iterator

from xval.answers.variants import Variants
from xval.base.errors import first_of
from xval.base.findings import Finding, Rule

_MOST_NAMED = 3
FINDING = Finding.coded(
    __name__,
    "{n:Variant|Variants} {listed} {n:lacks|lack} seeds, so means are over the finished ones.",
    "Run the same command again. Until then pooled scores are over the seeds that have every fold.",
)


@Rule(7, FINDING)
def _find(variants: Variants) -> Iterator[Finding]:
    whole = [instance for instance in variants.done if len(instance.folds) == instance.n_folds]
    lacking = [instance for instance in whole if len(instance.done) != instance.n_jobs]
    if lacking:
        jobs = (f"{instance.number} ({len(instance.done)}/{instance.n_jobs} jobs)" for instance in lacking)
        yield FINDING.fill([one.number for one in lacking], n=len(lacking), listed=first_of(jobs, _MOST_NAMED))
