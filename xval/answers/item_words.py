"""What texts call an item: speaker, actor, patient ... as the setting ``item_name`` has it.

Comes in: instances. Goes out: words.
"""

from collections.abc import Iterable

from xval.base.errors import counted
from xval.results.instance import InstanceResults

ITEM = "item"
"""The word where nothing says what an item is."""


def item_word(instances: Iterable[InstanceResults]) -> str:
    """Return what one item of all these instances is called."""
    words = {str(instance.parameters.get("item_name") or ITEM) for instance in instances}
    return words.pop() if len(words) == 1 else ITEM


def items_word(instances: Iterable[InstanceResults], number: int = 2) -> str:
    """Return what so many items are called, without the number."""
    return counted(number, item_word(instances)).partition(" ")[2]
