"""Advice where no difference between variants is shown: train again, test more items, or use the cheapest variant.

The three lines, `compare` and the finding XV303 use the same sentence.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from xval.answers.item_words import item_word, items_word
from xval.answers.line_cases import STEP_OF_DECISIONS
from xval.answers.names import name_numbers
from xval.answers.score_text import rounded
from xval.answers.summary import direction, test_side
from xval.base.errors import counted, join_words, plural_of
from xval.measures.metrics import find
from xval.measures.statistics.intervals import FEWEST_ITEMS_TO_RELY_ON
from xval.measures.statistics.planning import items_needed
from xval.results.instance import InstanceResults
from xval.settings.randomness import has_randomness

_REPETITIONS = 3
_MOST_SECONDS_TO_REPEAT = 3600  # what training once may take, so that twice more is the cheapest step
_MOST_TIMES = 4  # as many items as were tested; nobody records more than that
_MOST_NAMED = 4  # classes
MORE_ITEMS = "Record more {items}; more clips of the same ones do not help."
MORE_OF_CLASSES = "Record more {items} of {classes}; more clips of the same ones do not help."

STEPS = {
    "perfect": "All variants are perfect, so look for what reveals the label, such as length, silence or names, or test harder "
    "clips.",
    "perfect decisions": STEP_OF_DECISIONS,
    "same": "Use whichever of {variants} is cheapest, because {compared} have the same score for every {item}.",
    "train again": "Set {ways} and run again, because retraining may change these scores by more than the variants differ.",
    "no error": "Test more {items}, because no error can be estimated from these.",
    "too small": "Use whichever of {variants} is cheapest: telling them apart would take more than {most} {items} "
    "(you have {n_items}).",
    "constant": "Do not use a model that is not shown to be better than the constant prediction. Test more {items}, or try "
    "other features or networks.",
    "more items": "Test {needed} more {needed_items} to confirm the difference of {difference} {between}; until then use "
    "the cheapest.",
}


class Margin(NamedTuple):
    """A difference that is not proven.

    Attributes:
        between: The other side of the difference, such as ``to variant 3``.
        difference: The observed difference.
        n_items: Number of tested items.
        detectable: Function from a number of items to the true difference that they show with a probability of 80 %; NaN: not
            known.
        is_none: Whether both have the same value everywhere, so that no study of this kind can show a difference.
    """

    between: str
    difference: float
    n_items: int
    detectable: Callable[[int], float]
    is_none: bool = False


def ways_to_retrain(instances: Iterable[InstanceResults]) -> tuple[str, ...]:
    """Return the settings that train instances again with a different result: ``fold_repeats`` and ``repeats``.

    Only balanced folds can be assigned differently, and another seed changes only models with randomness.
    """
    all_parameters = [instance.parameters for instance in instances]
    is_balanced = all(parameters.get("fold_strategy", "balanced") == "balanced" for parameters in all_parameters)
    return ("fold_repeats",) * is_balanced + ("repeats",) * any(map(has_randomness, all_parameters))


def settings_to_retrain(ways: Iterable[str]) -> str:
    """Return ``fold_repeats = 3 or repeats = 3``; empty if no setting is given."""
    return " or ".join(f"{way} = {_REPETITIONS}" for way in ways)


def call_variants(names: Iterable[str]) -> str:
    """Return ``variants 1-4``, ``variants 1 and 3``, ``variant 1``; ``these variants`` for many that are not all numbers."""
    listed = list(names)
    if not all(name.isdecimal() for name in listed):
        return f"variants {join_words(listed)}" if 1 < len(listed) <= _MOST_NAMED else "these variants"
    numbers = sorted(map(int, listed))
    if len(numbers) == 1:
        return f"variant {numbers[0]}"
    return f"variants {' and '.join(map(str, numbers)) if len(numbers) == 2 else name_numbers(numbers)}"


def describe_next_step(
    margins: Sequence[Margin], instances: Sequence[InstanceResults], variants: str, compared: str = "they"
) -> str:
    """Return a sentence on how to show a difference.

    Args:
        margins: The unproven differences, at least one.
        instances: All compared instances, with finished folds.
        variants: Their names, as from `call_variants`.
        compared: The names of both sides if one of them is not a variant but a choice.
    """

    def step(case: str, **fields: object) -> str:
        words = {"variants": variants, "compared": compared, "item": item_word(instances), "items": items_word(instances)}
        return STEPS[case].format(**words, **fields)

    few = advice_on_few(instances)
    if all(margin.is_none for margin in margins):
        decided = "perfect decisions" if instances[0].decides_items else "perfect"
        return (few or step(decided)) if are_perfect(instances) else step("same")
    margins = [margin for margin in margins if not margin.is_none]
    if few and all(math.isnan(margin.detectable(margin.n_items)) for margin in margins):
        return few
    is_trained_once = all(instance.n_fold_repeats == instance.n_repeats == 1 for instance in instances)
    ways = ways_to_retrain(instances)
    if is_trained_once and ways and sum(instance.seconds for instance in instances) <= _MOST_SECONDS_TO_REPEAT:
        return step("train again", ways=settings_to_retrain(ways[:1]))
    known = [margin for margin in margins if not math.isnan(margin.detectable(margin.n_items))]
    if not known:
        return step("no error")
    needed = [(n_more, margin) for margin in known if (n_more := _items_needed(margin)) is not None]
    if not needed:
        n_items = max(margin.n_items for margin in known)
        return step("too small", most=_MOST_TIMES * n_items, n_items=n_items)
    n_more, margin = min(needed, key=lambda pair: pair[0])
    (difference,) = rounded(abs(margin.difference))
    more = items_word(instances, n_more)
    return step("more items", needed=n_more, needed_items=more, difference=difference, between=margin.between)


def no_better_than_constant(instances: Sequence[InstanceResults]) -> str:
    """Return the advice where no difference from a constant prediction is shown."""
    return STEPS["constant"].format(items=items_word(instances))


def are_perfect(instances: Sequence[InstanceResults]) -> bool:
    """Return whether all instances have the best possible value of the main test metric."""
    side, name = test_side(instances), instances[0].task.main_metrics[0]
    bounds, is_higher = find(instances[0].task.name, name).bounds, direction(instances, name)
    if bounds is None or is_higher is None:
        return False
    return all(instance.over_folds(side, name)["mean"] == bounds[is_higher] for instance in instances)


def _items_needed(margin: Margin) -> int | None:
    """Return how many more items would show the observed difference if it were the true one; None: too many."""
    needed = items_needed(margin.detectable, margin.difference, margin.n_items + 1, _MOST_TIMES * margin.n_items)
    return None if needed is None else needed - margin.n_items


def advice_on_few(done: Sequence[InstanceResults]) -> str:
    """Return the advice to test more items if scores depend on few items of a class or on few decisions; empty: they do not."""
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
    """Return ``the class 'ill'``, or ``the classes 'ill' and 'mild'``; only the rarest of many."""
    word = "label" if done[0].task.has_thresholds else "class"
    names = [f"'{name}'" for name in rare][:_MOST_NAMED]
    return f"the {word if len(names) == 1 else plural_of(word)} {join_words(names)}"


def fewest_items(done: Sequence[InstanceResults]) -> tuple[int, dict[str, int]]:
    """Return the number of tested items and no class, or the smallest number and the classes with too few items."""
    n_items = max(len(instance.n_clips) for instance in done)
    n_items_by_class: dict[str, int] = {}
    for instance in done:
        for name, recall in instance.class_recalls.items():
            if recall["n_items"]:
                n_items_by_class[name] = min(recall["n_items"], n_items_by_class.get(name, n_items))
    few = min(n_items, FEWEST_ITEMS_TO_RELY_ON)
    rare = dict(sorted(((name, n) for name, n in n_items_by_class.items() if n < few), key=lambda pair: (pair[1], pair[0])))
    return min(rare.values(), default=n_items), rare
