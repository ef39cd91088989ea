"""Which instances have figures that mean little: no better than chance, than knowing the item, or surer than they should be.

Comes in: instances with finished folds. Goes out: `Finding`s.
"""

from collections.abc import Mapping, Sequence

from xval.answers.finding import Finding
from xval.answers.names import name_instances
from xval.answers.summary import SIDE_NAMES, direction, test_side
from xval.base.errors import first_of
from xval.results.instance import InstanceResults
from xval.results.item_figures import ItemFigure


def not_above_chance(done: Sequence[InstanceResults]) -> Finding | None:
    """Say which instances have a main test figure whose interval contains chance or is worse; those without one are not."""
    side, metric = test_side(done), done[0].task.main_metrics[0]
    sign = 1 if direction(done, metric) else -1
    numbers = [number for number, figure in _figures(done).items() if not _is_better(figure, figure["chance"], sign)]
    if not numbers:
        return None
    return Finding(
        "not above chance",
        f"Not above chance: {name_instances(numbers, done)}. The 95 % interval of the {SIDE_NAMES[side]} {metric} contains "
        "chance or is worse. Do not rank these; look at the labels and the curves, train longer (num_epochs), or test more "
        "items.",
        tuple(numbers),
    )


def item_known(done: Sequence[InstanceResults], at_chance: Finding | None) -> Finding | None:
    """Say which instances are above chance, but not above what knowing the item of a clip reaches.

    See `xval.measures.statistics.item_chance`.
    """
    hopeless = at_chance.instances if at_chance else ()
    reached: dict[int, str] = {}
    of_groups = None
    for number, figure in _figures(done).items():
        group_chance, permuted, high = figure.get("group_chance"), figure.get("permuted"), figure.get("permuted_high")
        value = figure[figure["of"]]
        is_above_permuted = value is None or high is None or value > high
        if number in hopeless or (is_above_permuted and _is_better(figure, group_chance, 1)):
            continue
        of_groups = of_groups or group_chance
        shuffled = "" if permuted is None else f", {permuted:.3f} with labels shuffled within items"
        reached[number] = f"{name_instances([number], done)}: {value:.3f}{shuffled}"
    if not reached:
        return None
    metric = f"{SIDE_NAMES[test_side(done)]} {done[0].task.main_metrics[0]}"
    one_answer = (
        "" if of_groups is None else f" One answer for each group of items with the same classes reaches {of_groups:.3f}."
    )
    return Finding(
        "item known",
        f"Above chance in {metric}, but not above what knowing the item reaches: {first_of(reached.values())}.{one_answer} "
        "Compare with these figures instead of chance, or test a group of items by itself (train_where, test_where).",
        tuple(reached),
    )


def too_sure(done: Sequence[InstanceResults], at_chance: Finding | None) -> Finding | None:
    """Say which instances have a validation loss above that of guessing, though they are not known to be at chance."""
    hopeless = at_chance.instances if at_chance else ()
    numbers = []
    for instance in (candidate for candidate in done if candidate.number not in hopeless):
        loss, guessing = (instance.over_folds(side, "loss")["mean"] for side in ("validation", "chance"))
        if loss is not None and guessing is not None and loss > guessing:
            numbers.append(instance.number)
    if not numbers:
        return None
    above = f"the validation loss of {name_instances(numbers, done)} is above that of guessing on the test items"
    text = f"Some answers are far off: {above}. Look at the worst answers, and try a lower learning_rate or fewer num_epochs."
    if done[0].task.has_classes:
        text = (
            f"Surer than it should be: {above}, so that wrong answers have high probabilities. Do not use the probabilities as "
            "they are; try monitor = val_loss, label_smoothing or fewer num_epochs."
        )
    return Finding("too sure", text, tuple(numbers))


def _figures(done: Sequence[InstanceResults]) -> Mapping[int, ItemFigure]:
    """Return the main test figure of each instance that has one, by number."""
    side, metric = test_side(done), done[0].task.main_metrics[0]
    figures = {instance.number: instance.item_figure(side, metric) for instance in done}
    return {number: figure for number, figure in figures.items() if figure}


def _is_better(figure: ItemFigure, level: float | None, sign: int) -> bool:
    """Return whether the worse end of an interval is better than a level; True where that is not known.

    `sign` is 1 where more is better, else -1.
    """
    worst = figure["low"] if sign > 0 else figure["high"]
    if worst is None:
        worst = figure[figure["of"]]  # all items have the same figure, or there are few
    return worst is None or level is None or sign * (worst - level) > 0
