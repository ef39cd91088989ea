"""Which instances have figures that mean little: no better than chance, than knowing the item, or surer than they should be.

Comes in: instances with finished folds. Goes out: `Finding`s.
"""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence

from xval.answers.few_items import advice_on_few
from xval.answers.figure_text import estimate, rounded
from xval.answers.finding import Finding, make_finding
from xval.answers.item_words import item_word, items_word
from xval.answers.line_cases import AT_CHANCE, DO_NOT_RANK
from xval.answers.names import name_instances, name_numbers
from xval.answers.nested_selection import NestedInstance
from xval.answers.summary import direction, metric_words, side_name, test_side
from xval.answers.training_findings import last_epoch
from xval.base.errors import verb_of
from xval.results.instance import InstanceResults
from xval.results.item_figures import ItemFigure
from xval.settings.architectures import trains_network
from xval.settings.finding_codes import Code

_IGNORES_THE_AUDIO = "constant"
_WITHOUT_WEIGHTS = ("constant", "knn")  # of classes
_CROSSENTROPIES = ("sparse_categorical_crossentropy", "categorical_crossentropy")


def not_above_chance(done: Sequence[InstanceResults], nested: NestedInstance | None, selected: int | None) -> Finding | None:
    """Say which instances have a main test figure whose interval contains chance or is worse; those without one are not.

    A constant prediction is a baseline, and not named where another instance is above chance, unless it is the `selected` one.

    The instance that was chosen among others has the nested figure: with random labels and 30 instances, its own is above
    chance in every third study.
    """
    side, metric = test_side(done), done[0].task.main_metrics[0]
    sign = 1 if direction(done, metric) else -1
    numbers = [number for number, figure in _figures(done, nested).items() if not _is_better(figure, figure["chance"], sign)]
    baselines = _baselines(done) - {selected}
    if any(number not in numbers for number in _figures(done, nested) if number not in baselines):
        numbers = [number for number in numbers if number not in baselines]
    if not numbers:
        return None
    is_of_choice = nested is not None and nested.number in numbers
    has_interval = {_figures(done, nested)[number]["low"] is not None for number in numbers}
    return make_finding(
        Code.NOT_ABOVE_CHANCE,
        {(True,): "interval", (False,): "value", (False, True): "both"}[tuple(sorted(has_interval))],
        numbers,
        above_chance=beyond_chance(done),
        who=name_instances(numbers, done),
        metric=f"{side_name(side, done)} {metric_words(metric)}",
        by=f" ({nested.number} by its nested estimate)" if nested and is_of_choice else "",
        advice=what_to_try(done, numbers),
    )


def _baselines(done: Sequence[InstanceResults]) -> set[int]:
    return {instance.number for instance in done if instance.settings.architecture == _IGNORES_THE_AUDIO}


def beyond_chance(done: Sequence[InstanceResults]) -> str:
    """Return ``above chance``; of a main metric such as an error, of which less is better, ``better than chance``."""
    return "above chance" if direction(done, done[0].task.main_metrics[0]) else "better than chance"


def what_to_try(done: Sequence[InstanceResults], numbers: Collection[int]) -> str:
    """Return what may bring instances above chance, in sentences: epochs for networks, weights for rare classes."""
    chosen = [instance for instance in done if instance.number in numbers]
    concerned = [instance for instance in chosen if instance.settings.architecture != _IGNORES_THE_AUDIO]
    frequent = [instance.number for instance in concerned if _answers_the_frequent(instance)]
    last, few = last_epoch(chosen), advice_on_few(done)
    if not concerned:
        cause = "constant"
    elif few and any(map(_has_value_beyond_chance, concerned)):
        cause = "few"
    elif frequent:
        cause = "frequent"
    elif last and len(last.instances) == len(concerned):
        cause = "last epoch"
    else:
        cause = "network" if _are_networks(done, numbers) else "estimator"
    whose = f" of variant{'s' * (len(frequent) > 1)} {name_numbers(frequent)}" * (len(frequent) < len(concerned))
    text = AT_CHANCE[cause].format(items=items_word(done), of_frequent=whose, advice_on_few=few)
    return f"{DO_NOT_RANK if 1 < len(done) == len({*numbers} | _baselines(done)) else ''}{text}"


def _has_value_beyond_chance(instance: InstanceResults) -> bool:
    """Return whether the main test value is better than chance, whatever its interval."""
    metric = instance.task.main_metrics[0]
    found = estimate(instance, test_side([instance]), metric)
    if found.value is None or found.chance is None:
        return False
    return found.value > found.chance if direction([instance], metric) else found.value < found.chance


def _answers_the_frequent(instance: InstanceResults) -> bool:
    """Return whether a model without weights of classes answers the most frequent class for most clips of the other ones."""
    matrices = [record["confusion_matrix"]["test"] for record in instance.done.values() if "confusion_matrix" in record]
    if _weighs_classes(instance) or instance.settings.architecture in _WITHOUT_WEIGHTS or not matrices:
        return False
    counts = [[sum(cells) for cells in zip(*rows, strict=True)] for rows in zip(*matrices, strict=True)]
    n_true = [sum(row) for row in counts]
    frequent = n_true.index(max(n_true))
    others = sum(n_true) - n_true[frequent]
    missed = sum(row[frequent] for number, row in enumerate(counts) if number != frequent)
    return bool(max(n_true) > 2 * min(n_true) and 2 * missed > others)


def _weighs_classes(instance: InstanceResults) -> bool:
    return instance.parameters.get("class_weights", "none") != "none" or instance.parameters.get("sampling") == "balanced"


def _are_networks(done: Sequence[InstanceResults], numbers: Collection[int]) -> bool:
    """Return whether one of some instances is a network."""
    return any(trains_network(instance.settings.architecture) for instance in done if instance.number in numbers)


def item_known(done: Sequence[InstanceResults], at_chance: Finding | None, nested: NestedInstance | None) -> Finding | None:
    """Say which instances are above chance, but not above what knowing the item of a clip reaches.

    See `xval.measures.statistics.item_chance`.
    """
    hopeless = at_chance.instances if at_chance else ()
    numbers: list[int] = []
    levels = ""
    for number, figure in _figures(done, nested).items():
        group_chance, permuted, high = figure.get("group_chance"), figure.get("permuted"), figure.get("permuted_high")
        value = figure[figure["of"]]
        is_above_permuted = value is None or high is None or value > high
        if number in hopeless or number in _baselines(done) or (is_above_permuted and _is_better(figure, group_chance, 1)):
            continue
        numbers.append(number)
        shuffled = f", with labels shuffled within each {item_word(done)} "
        by_group = f", with one prediction for all {items_word(done)} that have the same classes "
        named = {"": value, shuffled: permuted, by_group: group_chance}
        there = {name: number for name, number in named.items() if number is not None}
        levels = levels or "".join(f"{name}{text}" for name, text in zip(there, rounded(*there.values()), strict=True))
    if not numbers:
        return None
    by = f" ({nested.number} by its nested estimate)" if nested and nested.number in numbers else ""
    who = f"{name_instances(numbers, done)}{by}{', the first' * (len(numbers) > 1)}"
    return make_finding(Code.ITEM_KNOWN, "", numbers, item=item_word(done), items=items_word(done), who=who, levels=levels)


def too_sure(done: Sequence[InstanceResults], at_chance: Finding | None) -> Iterator[Finding]:
    """Say which instances have a validation loss above that of guessing, though they are not known to be at chance."""
    hopeless = at_chance.instances if at_chance else ()
    overconfident, unsure = list[int](), list[int]()
    for instance in (candidate for candidate in done if candidate.number not in {*hopeless} | _baselines(done)):
        loss, guessing = (instance.over_folds(side, "loss")["mean"] for side in ("validation", "chance"))
        if loss is not None and guessing is not None and loss > guessing:
            (unsure if loss <= _loss_of_any_class(instance) else overconfident).append(instance.number)
    for numbers, case_of in ((overconfident, _overconfident), (unsure, _other_shares)):
        if numbers:
            chosen = [instance for instance in done if instance.number in numbers]
            who, first = (name_instances(numbers, done, is_first=is_first) for is_first in (False, True))
            are, its = verb_of(len(numbers)), "its" if len(numbers) == 1 else "their"
            fields = {"who": who, "Who": first, "are": are, "its": its, "items": items_word(done)}
            yield make_finding(Code.TOO_SURE, case_of(chosen, _are_networks(done, numbers)), numbers, **fields)


def _loss_of_any_class(instance: InstanceResults) -> float:
    """Return the loss of answering all classes alike; whoever has less is not overconfident. Known of crossentropy, else 0.

    Guessing has less where classes are uneven, since it answers each as often as it occurs.
    """
    n_classes = max(len(record.get("class_names", ())) for record in instance.done.values())
    is_known = instance.task.loss_name(str(instance.parameters.get("loss", "auto"))) in _CROSSENTROPIES and n_classes
    return math.log(n_classes) if is_known else 0.0


def _overconfident(chosen: Sequence[InstanceResults], are_networks: bool) -> str:
    """Return the case of its text."""
    if not chosen[0].task.has_classes:
        return "regression" if are_networks else "regression estimator"
    if not are_networks:
        return "estimator"
    return "network" if _may_be_calibrated(chosen) else "calibrated network"


def _other_shares(chosen: Sequence[InstanceResults], are_networks: bool) -> str:
    """Return the case of its text."""
    if any(_weighs_classes(instance) for instance in chosen):
        return "weighted"
    if not are_networks:
        return "shares of an estimator"
    return "shares" if _may_be_calibrated(chosen) else "calibrated shares"


def _may_be_calibrated(chosen: Sequence[InstanceResults]) -> bool:
    """Return whether temperature scaling can be advised: of one class per clip, where it is not in use."""
    return all(
        instance.task.name == "classification" and instance.parameters.get("calibration", "none") == "none"
        for instance in chosen
    )


def _figures(done: Sequence[InstanceResults], nested: NestedInstance | None) -> Mapping[int, ItemFigure]:
    """Return the main test figure of each instance that has one, by number: of the chosen one that of nested selection."""
    side, metric = test_side(done), done[0].task.main_metrics[0]
    figures = {instance.number: instance.item_figure(side, metric) for instance in done}
    of_choice = nested.item_figure(side, metric) if nested else None
    if nested and of_choice and of_choice["chance"] is not None:  # not known where predictions are gone
        figures[nested.number] = of_choice
    return {number: figure for number, figure in figures.items() if figure}


def _is_better(figure: ItemFigure, level: float | None, sign: int) -> bool:
    """Return whether the worse end of an interval is better than a level; True where that is not known.

    `sign` is 1 where more is better, else -1.
    """
    worst = figure["low"] if sign > 0 else figure["high"]
    if worst is None:
        worst = figure[figure["of"]]  # all items have the same figure, or there are few
    return worst is None or level is None or sign * (worst - level) > 0
