"""A model that was trained on the tested speakers recognises them, so its scores show nothing about unseen ones.

Models of xval are recognised by their hashes, others by their names; `xval prepare CORPUS --check` finds near-duplicates. The
worst verdict of all jobs counts, and it stays next to the scores even where XV101 is silenced.
"""

from collections.abc import Iterator

from xval.answers.names import name_instances
from xval.answers.pretrained import NEAR_DUPLICATES, Origin, judge_instance, name_parts
from xval.answers.variants import Variants
from xval.base.findings import Finding, Rule

_REMOVE = "The scores are optimistic: xval audit lists the clips. Remove them and run again."
LEAKED = Finding.coded(__name__, "{Who}: {parts} was trained on clips or {items} that are tested here.", _REMOVE)
NEARLY = Finding.coded(__name__, "{Who}: some tested clips are nearly identical to training clips.", _REMOVE)
UNKNOWN = Finding.coded(
    __name__,
    "{Who}: pretrained part of unknown origin: {parts}.",
    "It may have been trained on tested clips. State its training data (pretrained_on), or compare with a variant without it.",
)
STATED = Finding.coded(
    __name__,
    "{Who}: {parts} was trained on {vouched}, as you state (pretrained_on).",
    "Make sure that no tested {item} is in this data.",
)


@Rule(1, LEAKED, NEARLY, UNKNOWN, STATED)
def _find(variants: Variants) -> Iterator[Finding]:
    concerned: dict[Origin, list[int]] = {}
    for instance in variants.done:
        concerned.setdefault(judge_instance(instance), []).append(instance.number)
    for origin, numbers in concerned.items():
        if origin.state == "clean":
            continue
        finding = STATED if origin.vouched else UNKNOWN
        if origin.state == "leaked":
            finding = NEARLY if origin.parts == (NEAR_DUPLICATES,) else LEAKED
        who = name_instances(numbers, variants.done, is_first=True)
        fields = {"parts": name_parts(origin), "vouched": origin.vouched, "item": variants.item, "items": variants.items}
        yield finding.fill(numbers, Who=who, **fields)
