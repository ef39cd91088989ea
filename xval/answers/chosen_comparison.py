"""Compare the other instances with the nested choice, or with the selected instance where there was nothing to choose.

The test score of the instance that validation selects is optimistically biased if several competed, and so is its difference
from them; see `xval.measures.statistics.selection`.
"""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from xval.answers.nested_selection import NestedInstance
from xval.answers.ranking import Ranking, join_seeds
from xval.answers.repeats import first_of_method, parameters_of
from xval.base.errors import ResultsError, SettingsError
from xval.results.instance import InstanceResults
from xval.settings.schema import TESTED_KEYS

if TYPE_CHECKING:
    from xval.answers.comparison.outcome import Comparison

_MOST_COMPARED = 20  # the best by validation


def compare_chosen(
    done: Sequence[InstanceResults],
    ranking: Ranking,
    selected: InstanceResults,
    nested: NestedInstance | None,
    at_chance: Collection[int],
) -> "Comparison | None":
    """Return the comparison of the other instances with the choice; None: nothing to compare, or not comparable.

    Args:
        done: Instances with finished folds.
        ranking: The ranking of these instances.
        selected: The instance that validation selects, or the only one.
        nested: The choices of the folds as one instance; None: there was no choice.
        at_chance: The numbers of the instances that are not above chance, about which the next step gives no advice.
    """
    condition = _tested_by(selected)
    methods = first_of_method(parameters_of(done))
    joined, _ = join_seeds(done, keep=[selected.number])
    one_of_each: dict[int, InstanceResults] = {}
    # Of copies the selected one, and of the others one with the most folds.
    for instance in sorted(joined, key=lambda instance: (instance.number != selected.number, -len(instance.folds))):
        one_of_each.setdefault(methods[instance.number], instance)
    chosen = one_of_each.pop(methods[selected.number])
    others = [other for other in one_of_each.values() if _tested_by(other) == condition]
    best = ranking.best_of([other.number for other in others], _MOST_COMPARED)
    if not best:
        return None
    from xval.answers.comparison.choose import compare_with  # here, because it loads pandas and scipy

    try:
        return compare_with(nested or chosen, [other for other in others if other.number in best], at_chance=at_chance)
    except (ResultsError, SettingsError):
        return None


def _tested_by(instance: InstanceResults) -> list[object]:
    return [instance.parameters.get(name) for name in TESTED_KEYS]
