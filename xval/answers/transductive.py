"""What stands beside the figures of instances that scale each speaker by its own clips (normalization = per_item).

Comes in: settings of instances. Goes out: one sentence, for the protocol, the table of a paper and the model card.
"""

from collections.abc import Sequence

from xval.answers.item_words import ITEM, item_word
from xval.base.errors import counted
from xval.results.instance import InstanceResults
from xval.settings.resolve import describe_numbers


def describe_item_scaling(item: str = ITEM, whose: str = "") -> str:
    """Return the sentence; `item` is the word for an item, `whose` names the instances where others scale differently."""
    return (
        f"Features{whose} were scaled for each {item} by its own clips, of tested {counted(2, item).partition(' ')[2]} too, "
        f"without labels (transductive: a new {item} needs several clips before the first answer)."
    )


def item_scaling_of(instances: Sequence[InstanceResults]) -> str:
    """Return the sentence for instances; empty where none scales so."""
    numbers = [instance.number for instance in instances if instance.settings.scales_items]
    if not numbers:
        return ""
    plural = "s" * (len(numbers) > 1)
    whose = "" if len(numbers) == len(instances) else f" of instance{plural} {describe_numbers(numbers)}"
    return describe_item_scaling(item_word(instances), whose)
