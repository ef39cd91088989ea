"""What stands beside figures that took all clips of each speaker: scaled by them, or one decision from them.

Comes in: instances. Goes out: sentences, for the protocol, the table of a paper and the model card.
"""

from collections.abc import Sequence

from xval.answers.item_words import item_word, items_word
from xval.base.item_word import ITEM
from xval.results.instance import InstanceResults
from xval.settings.resolve import describe_numbers


def describe_item_scaling(item: str = ITEM, whose: str = "") -> str:
    """Return the sentence; `item` is the word for an item, `whose` names the instances where others scale differently."""
    return (
        f"Features{whose} were scaled for each {item} by its own clips, of tested ones too, "
        f"without labels (transductive: a new {item} needs several clips before the first answer)."
    )


def item_scaling_of(instances: Sequence[InstanceResults]) -> str:
    """Return the sentence for instances; empty where none scales so."""
    numbers = [instance.number for instance in instances if instance.parameters.get("normalization") == "per_item"]
    if not numbers:
        return ""
    plural = "s" * (len(numbers) > 1)
    whose = "" if len(numbers) == len(instances) else f" of instance{plural} {describe_numbers(numbers)}"
    return describe_item_scaling(item_word(instances), whose)


def describe_item_decision(how: str, item: str = ITEM, items: str = f"{ITEM}s") -> str:
    """Return what figures are of where each item has one decision; `how` is the setting item_decision."""
    made = {"mean": "the mean of the answers to", "vote": "the class answered most to"}[how]
    return f"Each {item} has one decision, {made} its clips; values, intervals and chance are of {items}."


def item_decision_of(instances: Sequence[InstanceResults]) -> str:
    """Return the sentence for instances; empty where clips have answers of their own."""
    deciding = [instance for instance in instances if instance.settings.item_decision != "none"]
    how = deciding[0].settings.item_decision if deciding else ""
    return describe_item_decision(how, item_word(deciding), items_word(deciding)) if how else ""
