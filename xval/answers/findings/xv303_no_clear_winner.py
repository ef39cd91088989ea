"""With other speakers another variant might be best.

Use the cheapest of the named variants, unless the advice names a study that would show the difference. The test is that of
[`xval compare`](../statistics.md), over test speakers; variants that are not above chance are skipped.
"""

import math
from collections.abc import Iterator

from xval.answers.chosen_comparison import compare_chosen
from xval.answers.score_text import rounded
from xval.answers.summary import metric_words
from xval.answers.variants import Variants
from xval.base.findings import Finding, Rule

FINDING = Finding.coded(
    __name__,
    "No clear winner: {who} is not significantly better than {others} (test: {shown}, against variant {to}).",
    "{step}",
)


@Rule(24, FINDING)
def _find(variants: Variants) -> Iterator[Finding]:
    done, ranking, nested, at_chance = variants.done, variants.ranking, variants.nested, variants.at_chance
    if ranking.selected is None or ranking.selected in at_chance or len(at_chance) == len(done):
        return
    selected = next(instance for instance in done if instance.number == ranking.selected)
    if len(selected.folds) < selected.n_folds:  # nothing is claimed yet
        return
    comparison = compare_chosen(done, ranking, selected, nested, at_chance)
    ties = {int(pair.instance): pair for pair in comparison.undecided} if comparison else {}
    ties = {number: pair for number, pair in ties.items() if number not in at_chance}
    if comparison is None or not ties or not comparison.next_step:  # where labels differ or models leak nothing would help
        return
    pair = next((ties[number] for number in ranking.instances if number in ties), next(iter(ties.values())))
    difference, low, high = rounded(0 - pair.difference, *(sorted(0 - end for end in pair.interval)))
    metric = metric_words(comparison.metric)
    shown = f"{metric} {difference}{', no test' if math.isnan(pair.interval[0]) else f' [{low}, {high}]'}"
    if pair.is_none:
        shown = f"the same {metric} for every {variants.item}"
    who = f"the choice among {nested.n_competing} variants" if nested else variants.call_methods([selected.number])
    others = variants.call_methods(sorted(ties))
    numbers = (selected.number, *ties)
    yield FINDING.fill(numbers, who=who, others=others, shown=shown, to=pair.instance, step=comparison.next_step)
