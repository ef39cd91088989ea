"""If each speaker has only some of the classes, recognising the speaker is enough to be above chance.

Such a model need not have learned the class. *Shuffled*: the same predictions with true classes permuted within each speaker.
*By group*: one prediction for each group of speakers with the same classes.
"""

from collections.abc import Iterator

from xval.answers.score_text import rounded
from xval.answers.variants import Variants, is_better
from xval.base.findings import Finding, Rule

FINDING = Finding.coded(
    __name__,
    "Above chance, but no better than recognising the {item}: {who} {levels}.",
    "Compare with these levels instead of chance, or test {items} of other groups (train_where, test_where).",
)


@Rule(17, FINDING)
def recognised(variants: Variants) -> Iterator[Finding]:
    """Yield the variants above chance that are not above the score of knowing only the item of a clip.

    See `xval.measures.statistics.item_chance`.
    """
    numbers: list[int] = []
    levels = ""
    for number, score in variants.main_scores.items():
        group_chance, permuted, high = score.get("group_chance"), score.get("permuted"), score.get("permuted_high")
        value = score[score["of"]]
        is_above_permuted = value is None or high is None or value > high
        is_named = number in variants.at_chance or number in variants.baselines
        if is_named or (is_above_permuted and is_better(score, group_chance, 1)):
            continue
        numbers.append(number)
        shuffled = f", with labels shuffled within each {variants.item} "
        by_group = f", with one prediction for all {variants.items} that have the same classes "
        named = {"": value, shuffled: permuted, by_group: group_chance}
        there = {name: number for name, number in named.items() if number is not None}
        levels = levels or "".join(f"{name}{text}" for name, text in zip(there, rounded(*there.values()), strict=True))
    if numbers:
        who = f"{variants.call(numbers)}{variants.by_nested(numbers)}{', the first' * (len(numbers) > 1)}"
        yield FINDING.fill(numbers, item=variants.item, items=variants.items, who=who, levels=levels)
