"""Compare the other instances with the nested choice, or with the selected instance where there was nothing to choose.

The test score of the instance that validation selects is optimistically biased if several competed, and so is its difference
from them; see see `xval.measures.statistics.selection`.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from xval.answers.nested_selection import NestedInstance, choose_nested
from xval.answers.pretrained import judge_instance
from xval.answers.ranking import Ranking, join_seeds, rank_instances
from xval.answers.repeats import first_of_method, parameters_of
from xval.answers.score_text import p_text
from xval.answers.summary import metric_words
from xval.base.errors import ResultsError, SettingsError, first_of
from xval.results.instance import InstanceResults
from xval.settings.schema import TESTED_KEYS

if TYPE_CHECKING:
    from xval.answers.comparison.outcome import Comparison

_MOST_COMPARED = 20  # the best by validation
_MOST_LISTED = 4


def compare_chosen(
    done: Sequence[InstanceResults], ranking: Ranking, selected: InstanceResults, nested: NestedInstance | None
) -> "Comparison | None":
    """Return the comparison of the other instances with the choice; None: nothing to compare, or not comparable.

    Args:
        done: Instances with finished folds.
        ranking: The ranking of these instances.
        selected: The instance that validation selects, or the only one.
        nested: The choices of the folds as one instance; None: there was no choice.
    """
    condition = _tested_by(selected)
    methods = first_of_method(parameters_of(done))
    joined, _ = join_seeds(done, keep=[selected.number])
    one_of_each: dict[int, InstanceResults] = {}
    for instance in joined:
        one_of_each.setdefault(methods[instance.number], instance)
    chosen = one_of_each.pop(methods[selected.number])
    others = [other for other in one_of_each.values() if _tested_by(other) == condition]
    best = ranking.best_of([other.number for other in others], _MOST_COMPARED)
    if not best:
        return None
    from xval.answers.comparison.choose import compare_with  # here, because it loads pandas and scipy

    try:
        return compare_with(nested or chosen, [other for other in others if other.number in best])
    except (ResultsError, SettingsError):
        return None


def describe_evidence(comparison: "Comparison", done: Sequence[InstanceResults]) -> str:
    """Return sentences on how a comparison with the selected instance differs from the line Evidence; empty: it does not.

    Args:
        comparison: A comparison of instances of an experiment.
        done: All instances of the experiment with finished folds.
    """
    ranking = rank_instances(done)
    selected = next((instance for instance in done if instance.number == ranking.selected), None)
    if selected is None or comparison.leaks or comparison.corrections or comparison.baseline != str(selected.number):
        return ""
    is_main = comparison.metric == selected.task.main_metrics[0]
    said = []
    if is_main and ranking.metric not in (comparison.metric, "loss"):
        by = f"Instance {selected.number} was selected by {metric_words(ranking.metric, done)}"
        said.append(f"{by}: --metric {ranking.metric} compares by it.")
    if is_main:
        said.append(_describe_other_p(comparison, done, ranking, selected))
    return " ".join(filter(None, said))


def _describe_other_p(
    comparison: "Comparison", done: Sequence[InstanceResults], ranking: Ranking, selected: InstanceResults
) -> str:
    """Return why the line Evidence has different p values; empty: it has the same ones."""
    nested = choose_nested(done, ranking)
    nested = None if nested and judge_instance(nested).state == "leaked" else nested
    evidence = compare_chosen(done, ranking, selected, nested)
    if evidence is None:
        return ""
    shown = {pair.instance: p_text(pair.p_holm) for pair in comparison.pairs}
    others = {pair.instance: p for pair in evidence.pairs if (p := p_text(pair.p_holm)) != shown.get(pair.instance, p)}
    from xval.answers.headline import find_headline  # here, because it imports this module

    line = find_headline(done).evidence
    if not others or not any(word in line for word in ("significant", "equal")):  # it may be of chance
        return ""
    listed = first_of((f"instance {name}: {p}" for name, p in others.items()), _MOST_LISTED)
    begin = f"The line Evidence rests on other p values ({listed}), because it"
    if nested and nested.is_varied:
        return (
            f"{begin} tests the choice among {nested.n_competing} variants (nested). Report those if validation chose the "
            f"variant: this table tests instance {selected.number} as if it had been fixed before, which is optimistic."
        )
    return f"{begin} is adjusted for {evidence.n_comparisons} comparisons."


def _tested_by(instance: InstanceResults) -> list[object]:
    return [instance.parameters.get(name) for name in TESTED_KEYS]
