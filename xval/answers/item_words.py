"""What texts call an item: speaker, actor, patient ..., as the setting ``item_name`` has it, or else the corpus."""

from collections.abc import Iterable

from xval.base.errors import plural_of
from xval.base.item_word import ITEM, call_items
from xval.results.instance import InstanceResults


def item_word(instances: Iterable[InstanceResults]) -> str:
    """Return what one item of all these instances is called; those of which nothing is known are called as the others."""
    words = {instance.written.item_word for instance in instances} - {""}
    return words.pop() if len(words) == 1 else ITEM


def items_word(instances: Iterable[InstanceResults], number: int = 2) -> str:
    """Return what so many items are called, without the number."""
    return plural_of(item_word(instances), number)


def call_items_of(instances: Iterable[InstanceResults], text: str) -> str:
    """Return a text of the program in which an item is called what it is in these instances."""
    return call_items(text, item_word(instances))
