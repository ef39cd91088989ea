"""Whether so few items were tested, of all or of a class, that scores say little, and the one advice that follows."""

from collections.abc import Sequence

from xval.answers.finding import Finding, make_finding
from xval.answers.item_words import item_word, items_word
from xval.answers.summary import metric_words
from xval.base.errors import counted
from xval.measures.statistics.intervals import FEWEST_ITEMS, FEWEST_ITEMS_TO_RELY_ON
from xval.results.instance import InstanceResults
from xval.settings.finding_codes import Code


def few_items(done: Sequence[InstanceResults]) -> Finding | None:
    """Return a finding where fewer than 6 items, or fewer of a class, were tested."""
    n_items, name = _fewest(done)
    if n_items >= FEWEST_ITEMS_TO_RELY_ON:
        return None
    return make_finding(
        Code.FEW_ITEMS,
        "" if not name else "without interval" if n_items < FEWEST_ITEMS else "of a class",
        n_items=counted(n_items, item_word(done)),
        items=items_word(done),
        class_word="label" if done[0].task.has_thresholds else "class",
        name=name,
        metric=metric_words(done[0].task.main_metrics[0]),
    )


def advice_on_few(done: Sequence[InstanceResults]) -> str:
    """Return what to do where scores rest on few items of a class, or on few decisions: more of them; empty: they do not."""
    found, (_, name) = few_items(done), _fewest(done)
    return found.advice if found and (name or done[0].decides_items) else ""


def name_few(done: Sequence[InstanceResults]) -> str:
    """Return ``2 patients of the class 'ill'``, or ``4 patients``, the fewest that scores rest on."""
    n_items, name = _fewest(done)
    word = "label" if done[0].task.has_thresholds else "class"
    return counted(n_items, item_word(done)) + (f" of the {word} '{name}'" if name else "")


def _fewest(done: Sequence[InstanceResults]) -> tuple[int, str]:
    """Return the number of tested items, or the fewest of a class where those are less and too few to rely on, and its name."""
    n_items = max(len(instance.n_clips) for instance in done)
    of_classes = [
        (recall["n_items"], name) for instance in done for name, recall in instance.class_recalls.items() if recall["n_items"]
    ]
    fewest, name = min(of_classes, default=(n_items, ""))
    return (fewest, name) if fewest < min(n_items, FEWEST_ITEMS_TO_RELY_ON) else (n_items, "")
