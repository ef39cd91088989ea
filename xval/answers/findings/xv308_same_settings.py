"""Comments and numbers do not change a model.

Copies only take time, and no test can show a difference between them, so the three lines compare only the first of them. To
see how much the seed matters, declare one variant with `repeats = 3`.
"""

from collections.abc import Iterator

from xval.answers.repeats import COPIES, copies, describe_copies, parameters_of
from xval.answers.variants import Variants
from xval.base.findings import Finding, Rule


@Rule(15, COPIES)
def _find(variants: Variants) -> Iterator[Finding]:
    yield from map(describe_copies, copies(parameters_of(variants.done)))
