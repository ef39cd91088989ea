"""The score of the selected variant is optimistically biased, because the best of several was taken.

In nested cross-validation each fold tests the variant that its own validation speakers choose (Varma and Simon 2006), so it
has no such bias. The selection bias is the selected score minus the nested one, an estimate that may be below 0.
"""

from collections.abc import Iterator

from xval.answers.leaking_column import leaking_column
from xval.answers.nested_selection import describe_nested
from xval.answers.pretrained import judge_instance
from xval.answers.variants import Variants
from xval.base.findings import Finding, Rule

VALID = Finding.coded(__name__, "{nested}", "Report this nested estimate first; {chosen}.")
LEAKED = Finding.coded(__name__, "{nested}", "Do not report this estimate, which has the same leak; {chosen}.")


@Rule(25, VALID, LEAKED)
def _find(variants: Variants) -> Iterator[Finding]:
    done = variants.done
    described = describe_nested(done, variants.ranking) if len(variants.at_chance) < len(done) else None
    if described:
        is_leaked = any(judge_instance(instance).state == "leaked" for instance in done) or leaking_column(done) is not None
        yield (LEAKED if is_leaked else VALID).fill(nested=described[0], chosen=described[1])
