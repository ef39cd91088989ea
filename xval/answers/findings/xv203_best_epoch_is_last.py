"""The scores are below what this network can reach.

`2 (5/6)` is variant 2, in 5 of 6 jobs; printed from half of the jobs on. Not known with `restore_best_weights = false`.
"""

from collections.abc import Iterator, Sequence

from xval.answers.variants import Variants, is_network
from xval.base.errors import first_of
from xval.base.findings import Finding, Rule
from xval.results.instance import InstanceResults

_MOST_NAMED = 3
FINDING = Finding.coded(
    __name__,
    "The best epoch is the last one in {n:variant|variants} {listed}, so training ended while it was still improving.",
    "Raise num_epochs; early_stopping ends training in time.",
)


def still_improving(done: Sequence[InstanceResults]) -> dict[int, str]:
    """Return the networks whose best epoch is the last one in at least half of the jobs, by number: ``2 (5/6)``.

    Networks that always keep the last epoch (``restore_best_weights = false``) or that diverged are skipped.
    """
    concerned: dict[int, str] = {}
    for instance in done:
        if not (is_network(instance) and instance.parameters.get("restore_best_weights", True)):
            continue
        whole = [record for record in instance.done.values() if not record.get("diverged")]
        ended = [(record.get("best_epoch"), record.get("epochs")) for record in whole]
        is_last = [best == epochs for best, epochs in ended if best and epochs]
        if is_last and 2 * sum(is_last) >= len(is_last):
            concerned[instance.number] = f"{instance.number} ({sum(is_last)}/{len(is_last)})"
    return concerned


@Rule(20, FINDING)
def _find(variants: Variants) -> Iterator[Finding]:
    if concerned := still_improving(variants.done):
        yield FINDING.fill(concerned.keys(), n=len(concerned), listed=first_of(concerned.values(), _MOST_NAMED))
