"""Whether so few items were tested, of all or of a class, that scores say little, and the one advice that follows."""

from collections.abc import Mapping, Sequence

from xval.answers.finding import Finding, make_finding
from xval.answers.item_words import item_word, items_word
from xval.answers.summary import metric_words
from xval.base.errors import counted, join_words, plural_of, verb_of
from xval.measures.statistics.intervals import FEWEST_ITEMS, FEWEST_ITEMS_TO_RELY_ON
from xval.results.instance import InstanceResults
from xval.settings.finding_codes import Code

_MOST_NAMED = 4  # classes


def few_items(done: Sequence[InstanceResults]) -> Finding | None:
    """Return a finding where fewer than 6 items, or fewer of some classes, were tested."""
    fewest, rare = _fewest(done)
    if fewest >= FEWEST_ITEMS_TO_RELY_ON:
        return None
    return make_finding(
        Code.FEW_ITEMS,
        "" if not rare else "without interval" if fewest < FEWEST_ITEMS else "of a class",
        few=name_few(done),
        were=verb_of(sum(rare.values()) if rare else fewest, "were"),
        items=items_word(done),
        classes=_call_classes(done, rare),
        metric=metric_words(done[0].task.main_metrics[0]),
    )


def advice_on_few(done: Sequence[InstanceResults]) -> str:
    """Return what to do where scores rest on few items of a class, or on few decisions: more of them; empty: they do not."""
    found, (_, rare) = few_items(done), _fewest(done)
    return found.advice if found and (rare or done[0].decides_items) else ""


def name_few(done: Sequence[InstanceResults]) -> str:
    """Return ``2 patients of the class 'ill'``, ``2 and 3 patients of the classes 'ill' and 'mild'``, or ``4 patients``."""
    fewest, rare = _fewest(done)
    if not rare:
        return counted(fewest, item_word(done))
    numbers = [str(number) for number in rare.values()][:_MOST_NAMED]
    is_one_number = len(set(rare.values())) == 1
    listed = counted(fewest, item_word(done)) if is_one_number else f"{join_words(numbers)} {items_word(done)}"
    return f"{listed}{' each' if is_one_number and len(rare) > 1 else ''} of {_call_classes(done, rare)}"


def _call_classes(done: Sequence[InstanceResults], rare: Mapping[str, int]) -> str:
    """Return ``the class 'ill'``, or ``the classes 'ill' and 'mild'``, of many the rarest."""
    word = "label" if done[0].task.has_thresholds else "class"
    names = [f"'{name}'" for name in rare][:_MOST_NAMED]
    return f"the {word if len(names) == 1 else plural_of(word)} {join_words(names)}"


def _fewest(done: Sequence[InstanceResults]) -> tuple[int, dict[str, int]]:
    """Return the number of tested items and no class; or, where some have too few to rely on, these and the least of them."""
    n_items = max(len(instance.n_clips) for instance in done)
    of_classes: dict[str, int] = {}
    for instance in done:
        for name, recall in instance.class_recalls.items():
            if recall["n_items"]:
                of_classes[name] = min(recall["n_items"], of_classes.get(name, n_items))
    few = min(n_items, FEWEST_ITEMS_TO_RELY_ON)
    rare = dict(sorted(((name, n) for name, n in of_classes.items() if n < few), key=lambda pair: (pair[1], pair[0])))
    return min(rare.values(), default=n_items), rare
