"""What texts call an item: speaker, actor, patient ..., as the setting ``item_name`` has it, or else the corpus.

Comes in: instances. Goes out: words.
"""

from collections.abc import Iterable

from xval.base.errors import counted
from xval.results.instance import InstanceResults

ITEM = "item"
"""The word where nothing says what an item is."""
_AS_THE_CORPUS = ("auto", None)  # None: of results that are older than the setting


def item_word(instances: Iterable[InstanceResults]) -> str:
    """Return what one item of all these instances is called; those of which nothing is known are called as the others."""
    words = set()
    for instance in instances:
        given = instance.parameters.get("item_name")
        words.add(instance.written.item_name if given in _AS_THE_CORPUS else str(given))
    words.discard("")
    return words.pop() if len(words) == 1 else ITEM


def items_word(instances: Iterable[InstanceResults], number: int = 2) -> str:
    """Return what so many items are called, without the number."""
    return plural_of(item_word(instances), number)


def plural_of(item: str, number: int = 2) -> str:
    """Return the word for so many items, without the number."""
    return counted(number, item).partition(" ")[2]
