"""What was chosen is compared as chosen: the others with nested selection where there was a choice, else with the only one.

The test value of the instance that validation selects is too good where several competed, and so is its difference to them;
see `xval.measures.statistics.selection`.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from xval.answers.nested_selection import NestedInstance
from xval.answers.ranking import Ranking
from xval.answers.repeats import parameters_of, seed_twins
from xval.base.errors import ResultsError, SettingsError
from xval.results.instance import InstanceResults
from xval.settings.schema import TESTED_KEYS

if TYPE_CHECKING:
    from xval.answers.comparison.outcome import Comparison

_MOST_COMPARED = 20  # the best by validation


def compare_chosen(
    done: Sequence[InstanceResults], ranking: Ranking, selected: InstanceResults, nested: NestedInstance | None
) -> "Comparison | None":
    """Return the instances that were not selected minus the choice; None: nothing to compare, or not comparable.

    Args:
        done: Instances with finished folds.
        ranking: Theirs.
        selected: The one that validation selects, or the only one.
        nested: The choice as each fold makes it; None: there was none.
    """
    condition = _tested_by(selected)
    groups = seed_twins(parameters_of(done))
    own = next((group for group in groups if selected.number in group), ())
    left_out = {selected.number, *own, *(number for group in groups for number in group[1:])}
    others = [other for other in done if other.number not in left_out and _tested_by(other) == condition]
    best = ranking.best_of([other.number for other in others], _MOST_COMPARED)
    if not best:
        return None
    from xval.answers.comparison.choose import compare_with  # here, because it loads pandas and scipy

    try:
        return compare_with(nested or selected, [other for other in others if other.number in best])
    except (ResultsError, SettingsError):
        return None


def _tested_by(instance: InstanceResults) -> list[object]:
    return [instance.parameters.get(name) for name in TESTED_KEYS]
