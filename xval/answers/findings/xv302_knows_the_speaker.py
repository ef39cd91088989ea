"""If each speaker has only some of the classes, recognising the speaker is enough to be above chance.

Such a model need not have learned the class. *Shuffled*: the same predictions with true classes permuted within each speaker.
*By group*: one prediction for each group of speakers with the same classes.
"""

from collections.abc import Iterator

from xval.answers.score_text import rounded
from xval.answers.variants import Variants, is_better
from xval.base.findings import Finding, Rule

_ADVICE = "Compare with these levels instead of chance, or test {items} of other groups (train_where, test_where)."
INTERVAL = Finding.coded(__name__, "Above chance, but no better than recognising the {item}: {who} {levels}.", _ADVICE)
VALUE = Finding.coded(__name__, "No better than recognising the {item}, and without an interval: {who} {levels}.", _ADVICE)


@Rule(17, INTERVAL, VALUE)
def recognised(variants: Variants) -> Iterator[Finding]:
    """Yield the variants above chance that are not above the score of knowing only the item of a clip.

    A score without an interval, as of two tested items, is not called above chance.
    See `xval.measures.statistics.item_chance`.
    """
    levels_by_number: dict[int, str] = {}
    for number, score in variants.main_scores.items():
        group_chance, permuted, high = score.get("group_chance"), score.get("permuted"), score.get("permuted_high")
        value = score[score["of"]]
        is_above_permuted = value is None or high is None or value > high
        is_named = number in variants.at_chance or number in variants.baselines
        if is_named or (is_above_permuted and is_better(score, group_chance, 1)):
            continue
        shuffled = f", with labels shuffled within each {variants.item} "
        by_group = f", with one prediction for all {variants.items} that have the same classes "
        named = {"": value, shuffled: permuted, by_group: group_chance}
        there = {name: number for name, number in named.items() if number is not None}
        texts = zip(there, rounded(*there.values()), strict=True)
        levels_by_number[number] = "".join(f"{name}{text}" for name, text in texts)
    for finding, has_interval in ((INTERVAL, True), (VALUE, False)):
        numbers = [number for number in levels_by_number if (variants.main_scores[number]["low"] is not None) is has_interval]
        if numbers:
            who = f"{variants.call(numbers)}{variants.by_nested(numbers)}{', the first' * (len(numbers) > 1)}"
            levels = levels_by_number[numbers[0]]
            yield finding.fill(numbers, item=variants.item, items=variants.items, who=who, levels=levels)
