"""The best of them is only the luckiest seed.

With `repeats` the mean and the standard deviation between seeds are shown.
"""

from collections.abc import Iterator

from xval.answers.repeats import TWINS, describe_seed_twins, parameters_of, seed_twins
from xval.answers.variants import Variants
from xval.base.findings import Finding, Rule


@Rule(14, TWINS)
def _find(variants: Variants) -> Iterator[Finding]:
    parameters = parameters_of(variants.done)
    yield from (describe_seed_twins(group, parameters) for group in seed_twins(parameters))
