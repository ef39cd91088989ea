"""What would help next where instances cannot be told apart: training again, more items, or taking the simplest of them.

Comes in: the differences that are not proven, and the instances. Goes out: a sentence, which the three lines, `compare` and the
finding XV303 share.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from xval.answers.figure_text import decimals
from xval.answers.item_words import item_word, items_word
from xval.answers.names import name_numbers
from xval.answers.summary import direction, test_side
from xval.measures.metrics import find
from xval.measures.statistics.planning import items_needed
from xval.results.instance import InstanceResults
from xval.settings.randomness import has_randomness

_REPETITIONS = 3
_MOST_SECONDS_TO_REPEAT = 3600  # what training once may take, so that twice more is the cheapest step
_MOST_TIMES = 4  # as many items as were tested; nobody records more than that


class Margin(NamedTuple):
    """A difference that is not proven.

    Attributes:
        to: Name of the other instance.
        difference: The observed one.
        n_items: That were tested.
        detectable: From a number of items to the true difference that they show with a probability of 80 %; NaN: not known.
        is_none: Both have the same value everywhere, so that no study of this kind shows a difference.
    """

    to: str
    difference: float
    n_items: int
    detectable: Callable[[int], float]
    is_none: bool = False


def ways_to_retrain(instances: Iterable[InstanceResults]) -> tuple[str, ...]:
    """Return the settings that train instances again with another result: ``fold_repeats`` and ``repeats``.

    Only balanced folds can be dealt in another way, and another seed changes nothing where nothing is drawn.
    """
    all_parameters = [instance.parameters for instance in instances]
    is_balanced = all(parameters.get("fold_strategy", "balanced") == "balanced" for parameters in all_parameters)
    return ("fold_repeats",) * is_balanced + ("repeats",) * any(map(has_randomness, all_parameters))


def settings_to_retrain(ways: Iterable[str]) -> str:
    """Return ``fold_repeats = 3 or repeats = 3``; empty where no way is given."""
    return " or ".join(f"{way} = {_REPETITIONS}" for way in ways)


def simplest_of(names: Iterable[str]) -> str:
    """Return ``the simplest of instances 1-4``, of two ``the simpler of instances 1 and 3``."""
    listed = list(names)
    if not all(name.isdecimal() for name in listed):
        return "the simplest instance"
    numbers = sorted(map(int, listed))
    if len(numbers) == 2:
        return f"the simpler of instances {numbers[0]} and {numbers[1]}"
    return f"the simplest of instances {name_numbers(numbers)}"


def describe_next_step(margins: Sequence[Margin], instances: Sequence[InstanceResults], simplest: str) -> str:
    """Return what would tell instances apart, in a sentence.

    Args:
        margins: At least one.
        instances: All that are compared, with finished folds.
        simplest: What to take where nothing helps; see `simplest_of`.
    """
    if are_perfect(instances):
        return "All are perfect: look for what gives the answers away, such as length, silence or names, or test harder clips."
    if all(margin.is_none for margin in margins):
        return f"Take {simplest}: they have the same values for every {item_word(instances)}."
    margins = [margin for margin in margins if not margin.is_none]
    is_trained_once = all(instance.n_deals == instance.n_repeats == 1 for instance in instances)
    ways = ways_to_retrain(instances)
    if is_trained_once and ways and sum(instance.seconds for instance in instances) <= _MOST_SECONDS_TO_REPEAT:
        return f"Run three repetitions ({settings_to_retrain(ways[:1])}): what training again would change is unknown."
    known = [margin for margin in margins if not math.isnan(margin.detectable(margin.n_items))]
    if not known:
        return f"Test more {items_word(instances)}: no error can be estimated from these."
    needed = [(n_more, margin) for margin in known if (n_more := _items_needed(margin)) is not None]
    if not needed:
        most = max(known, key=lambda margin: margin.n_items)
        n_more = (_MOST_TIMES - 1) * most.n_items
        return f"Take {simplest}: even {n_more} more {items_word(instances)} would hardly show differences as small as these."
    n_more, margin = min(needed, key=lambda pair: pair[0])
    size, more = decimals(abs(margin.difference)), f"{n_more} more {items_word(instances, n_more)}"
    return f"Take {simplest}, or test {more} to show the observed difference of {size} to instance {margin.to}."


def are_perfect(instances: Sequence[InstanceResults]) -> bool:
    """Return whether several instances all have the best possible value of the main test metric."""
    side, name = test_side(instances), instances[0].task.main_metrics[0]
    bounds, is_higher = find(instances[0].task.name, name).bounds, direction(instances, name)
    if bounds is None or is_higher is None or len(instances) < 2:
        return False
    return all(instance.over_folds(side, name)["mean"] == bounds[is_higher] for instance in instances)


def _items_needed(margin: Margin) -> int | None:
    """Return how many more items would show the observed difference, were it the true one; None: too many."""
    needed = items_needed(margin.detectable, margin.difference, margin.n_items + 1, _MOST_TIMES * margin.n_items)
    return None if needed is None else needed - margin.n_items
