"""Whether so few items were tested, of all or of a class, that scores say little, and the one advice that follows."""

from collections.abc import Mapping, Sequence

from xval.answers.item_words import item_word, items_word
from xval.base.errors import counted, join_words, plural_of
from xval.measures.statistics.intervals import FEWEST_ITEMS_TO_RELY_ON
from xval.results.instance import InstanceResults

MORE_ITEMS = "Record more {items}; more clips of the same ones do not help."
MORE_OF_CLASSES = "Record more {items} of {classes}; more clips of the same ones do not help."
_MOST_NAMED = 4  # classes


def advice_on_few(done: Sequence[InstanceResults]) -> str:
    """Return what to do where scores rest on few items of a class, or on few decisions: more of them; empty: they do not."""
    fewest, rare = fewest_items(done)
    if fewest >= FEWEST_ITEMS_TO_RELY_ON or not (rare or done[0].decides_items):
        return ""
    return (MORE_OF_CLASSES if rare else MORE_ITEMS).format(items=items_word(done), classes=call_classes(done, rare))


def name_few(done: Sequence[InstanceResults]) -> str:
    """Return ``2 patients of the class 'ill'``, ``2 and 3 patients of the classes 'ill' and 'mild'``, or ``4 patients``."""
    fewest, rare = fewest_items(done)
    if not rare:
        return counted(fewest, item_word(done))
    numbers = [str(number) for number in rare.values()][:_MOST_NAMED]
    is_one_number = len(set(rare.values())) == 1
    listed = counted(fewest, item_word(done)) if is_one_number else f"{join_words(numbers)} {items_word(done)}"
    return f"{listed}{' each' if is_one_number and len(rare) > 1 else ''} of {call_classes(done, rare)}"


def call_classes(done: Sequence[InstanceResults], rare: Mapping[str, int]) -> str:
    """Return ``the class 'ill'``, or ``the classes 'ill' and 'mild'``, of many the rarest."""
    word = "label" if done[0].task.has_thresholds else "class"
    names = [f"'{name}'" for name in rare][:_MOST_NAMED]
    return f"the {word if len(names) == 1 else plural_of(word)} {join_words(names)}"


def fewest_items(done: Sequence[InstanceResults]) -> tuple[int, dict[str, int]]:
    """Return the number of tested items and no class; or, where some have too few to rely on, these and the least of them."""
    n_items = max(len(instance.n_clips) for instance in done)
    n_items_by_class: dict[str, int] = {}
    for instance in done:
        for name, recall in instance.class_recalls.items():
            if recall["n_items"]:
                n_items_by_class[name] = min(recall["n_items"], n_items_by_class.get(name, n_items))
    few = min(n_items, FEWEST_ITEMS_TO_RELY_ON)
    rare = dict(sorted(((name, n) for name, n in n_items_by_class.items() if n < few), key=lambda pair: (pair[1], pair[0])))
    return min(rare.values(), default=n_items), rare
