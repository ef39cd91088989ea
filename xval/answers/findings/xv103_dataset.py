"""A model can learn a property of the dataset instead of the target.

Examples are near-duplicates, contradicting or corrected labels, a class of one speaker, resampled, cut or padded clips,
channels that cancel, sound above half of `sample_rate_hz`. The model may then predict from length, silence, recorder or copy.
Found in the table of the dataset and the settings of the features, before training. [Messages about the
dataset](../data_messages.md) explains each.
"""

from collections.abc import Iterator

from xval.answers.variants import Variants
from xval.base.errors import capital
from xval.base.findings import Finding, Rule

FINDING = Finding.coded(__name__, "{What}{whose}.", "{Advice}.")


@Rule(2, FINDING)
def _find(variants: Variants) -> Iterator[Finding]:
    concerned: dict[str, list[int]] = {}
    for instance in variants.done:
        for text in instance.written.cautions:
            concerned.setdefault(text, []).append(instance.number)
    for text, numbers in concerned.items():
        whose = f" (variant {numbers[0]})" if len(numbers) == 1 else f" ({len(numbers)} of {len(variants.done)} variants)"
        whose = whose if len(numbers) < len(variants.done) else ""
        what, _, advice = text.partition(". ")
        advice = capital(advice or "read the scores with this in mind").rstrip(".")
        yield FINDING.fill(numbers if whose else (), What=capital(what.rstrip(".")), whose=whose, Advice=advice)
