"""Such a model may have learned nothing, so its rank is luck.

Look at labels and learning curves; train longer, balance the classes (`class_weights = balanced`), try other features, or
test more speakers. For a variant that was chosen among others, the nested estimate is tested.
"""

from collections.abc import Iterator

from xval.answers.findings.xv203_best_epoch_is_last import still_improving
from xval.answers.line_cases import AT_CHANCE, DO_NOT_RANK
from xval.answers.names import name_numbers
from xval.answers.next_step import advice_on_few
from xval.answers.score_text import estimate
from xval.answers.summary import direction, test_side
from xval.answers.variants import IGNORES_THE_AUDIO, Variants, weighs_classes
from xval.base.findings import Finding, Rule
from xval.results.instance import InstanceResults
from xval.settings.architectures import trains_network

_WITHOUT_WEIGHTS = ("constant", "knn")  # of classes

_NOT_ABOVE = "Not {above_chance}: {who}, because "
INTERVAL = Finding.coded(__name__, _NOT_ABOVE + "the 95 % interval of {metric} includes chance or is worse{by}.", "{advice}")
VALUE = Finding.coded(__name__, _NOT_ABOVE + "{metric} is not {above_chance} and has no interval{by}.", "{advice}")
BOTH = Finding.coded(
    __name__,
    _NOT_ABOVE + "the 95 % interval of {metric}, or the score where it has none, includes chance or is worse{by}.",
    "{advice}",
)


@Rule(16, INTERVAL, VALUE, BOTH)
def _find(variants: Variants) -> Iterator[Finding]:
    if not variants.at_chance:
        return
    has_interval = {variants.main_scores[number]["low"] is not None for number in variants.at_chance}
    finding = BOTH if len(has_interval) > 1 else INTERVAL if has_interval == {True} else VALUE
    yield finding.fill(
        variants.at_chance,
        above_chance=variants.above_chance,
        who=variants.call(variants.at_chance),
        metric=variants.main_score,
        by=variants.by_nested(variants.at_chance),
        advice=what_to_try(variants),
    )


def what_to_try(variants: Variants) -> str:
    """Return advice that may bring variants above chance: more epochs for networks, weights for rare classes."""
    done = variants.done
    chosen = [instance for instance in done if instance.number in variants.at_chance]
    concerned = [instance for instance in chosen if instance.settings.architecture != IGNORES_THE_AUDIO]
    frequent = [instance.number for instance in concerned if _answers_the_frequent(instance)]
    few = advice_on_few(done)
    if not concerned:
        cause = "constant"
    elif few and any(map(_has_value_beyond_chance, concerned)):
        cause = "few"
    elif frequent:
        cause = "frequent"
    elif len(still_improving(chosen)) == len(concerned):
        cause = "last epoch"
    else:
        cause = "network" if any(trains_network(one.settings.architecture) for one in chosen) else "estimator"
    whose = f" of variant{'s' * (len(frequent) > 1)} {name_numbers(frequent)}" * (len(frequent) < len(concerned))
    text = AT_CHANCE[cause].format(items=variants.items, whose=whose, advice_on_few=few)
    are_all = 1 < len(done) == len({*variants.at_chance} | variants.baselines)
    return f"{DO_NOT_RANK if are_all else ''}{text}"


def _has_value_beyond_chance(instance: InstanceResults) -> bool:
    """Return whether the main test value is better than chance, whatever its interval."""
    metric = instance.task.main_metrics[0]
    found = estimate(instance, test_side([instance]), metric)
    if found.value is None or found.chance is None:
        return False
    return found.value > found.chance if direction([instance], metric) else found.value < found.chance


def _answers_the_frequent(instance: InstanceResults) -> bool:
    """Return whether a model without class weights predicts the most frequent class for most clips of the other classes."""
    matrices = [record["confusion_matrix"]["test"] for record in instance.done.values() if "confusion_matrix" in record]
    if weighs_classes(instance) or instance.settings.architecture in _WITHOUT_WEIGHTS or not matrices:
        return False
    counts = [[sum(cells) for cells in zip(*rows, strict=True)] for rows in zip(*matrices, strict=True)]
    n_true = [sum(row) for row in counts]
    frequent = n_true.index(max(n_true))
    others = sum(n_true) - n_true[frequent]
    missed = sum(row[frequent] for number, row in enumerate(counts) if number != frequent)
    return bool(max(n_true) > 2 * min(n_true) and 2 * missed > others)
