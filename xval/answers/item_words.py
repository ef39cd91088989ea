"""The word for an item in texts, and sentences on scores that use all clips of an item for scaling or for one decision.

An item is a speaker, an actor, a patient ...; the setting ``item_name`` or else the corpus gives the word. The sentences are in
the protocol, the table for a paper and the model card.
"""

from collections.abc import Iterable, Mapping, Sequence

from xval.base.errors import join_words, plural_of
from xval.base.item_word import ITEM, call_items
from xval.results.instance import InstanceResults
from xval.settings.resolve import describe_numbers


def item_word(instances: Iterable[InstanceResults]) -> str:
    """Return the word for an item of all these instances; instances without a word take that of the others."""
    words = {instance.written.item_word for instance in instances} - {""}
    return words.pop() if len(words) == 1 else ITEM


def items_word(instances: Iterable[InstanceResults], number: int = 2) -> str:
    """Return the word for this number of items, without the number."""
    return plural_of(item_word(instances), number)


def call_items_of(instances: Iterable[InstanceResults], text: str) -> str:
    """Return a text of the program in which the word for an item is that of these instances."""
    return call_items(text, item_word(instances))


def describe_item_scaling(item: str = ITEM, whose: str = "", enrolment_s: float | None = None) -> str:
    """Return the sentence; `item` is the word for an item, `whose` names the instances if others scale differently."""
    if enrolment_s is not None:
        return (
            f"Features{whose} were scaled for each {item} by its own clips without labels; those of a tested {item} by its "
            f"first clips of at least {enrolment_s:g} s together, which are not tested themselves (enrolment)."
        )
    return (
        f"Features{whose} were scaled for each {item} by its own clips, of tested ones too, "
        f"without labels (transductive: a new {item} needs several clips before the first prediction)."
    )


def item_scaling_of(instances: Sequence[InstanceResults], names: Mapping[int, str] | None = None) -> str:
    """Return a sentence for the instances of each enrolment; empty if none scales by item.

    `names` are those of the instances by number; None: they are called by their number.
    """
    by_enrolment: dict[float | None, list[int]] = {}
    for instance in instances:
        if instance.parameters.get("normalization") == "per_item":
            by_enrolment.setdefault(instance.settings.enrolment_s, []).append(instance.number)
    sentences = []
    for enrolment_s, numbers in by_enrolment.items():
        called = f"instance{'s' * (len(numbers) > 1)} {describe_numbers(numbers)}"
        if names:
            called = join_words([f"'{names[number]}'" for number in numbers])
        whose = "" if len(numbers) == len(instances) else f" of {called}"
        sentences.append(describe_item_scaling(item_word(instances), whose, enrolment_s))
    return " ".join(sentences)


def describe_item_decision(how: str, item: str = ITEM) -> str:
    """Return what scores are computed from where each item has one decision; `how` is the setting item_decision."""
    made = {"mean": "the mean of the predictions for", "vote": "the most frequent prediction for"}[how]
    return f"Each {item} has one decision, {made} its clips; scores, intervals and chance are of {plural_of(item)}."


def item_decision_of(instances: Sequence[InstanceResults]) -> str:
    """Return the sentence for instances of an experiment, which share item_decision; empty if clips have own predictions."""
    how = instances[0].settings.item_decision
    return "" if how == "none" else describe_item_decision(how, item_word(instances))
