"""The best of them is only the luckiest seed.

With `repeats` the mean and the standard deviation between seeds are shown.
"""

from collections.abc import Iterator

from xval.answers.repeats import SEED_REPLICATES, describe_seed_replicates, parameters_of, seed_replicates
from xval.answers.variants import Variants
from xval.base.findings import Finding, Rule


@Rule(14, SEED_REPLICATES)
def _find(variants: Variants) -> Iterator[Finding]:
    parameters = parameters_of(variants.done)
    yield from (describe_seed_replicates(group, parameters) for group in seed_replicates(parameters))
