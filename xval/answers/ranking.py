"""Rank instances by validation scores, never by test scores, and find the best value of each column of a table."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from types import MappingProxyType
from typing import NamedTuple

from xval.answers.fitted_validation import comparable
from xval.answers.item_words import items_word
from xval.answers.names import name_instances, name_numbers, names_of
from xval.answers.pretrained import ORIGIN, clause, clauses, judge_instance
from xval.answers.repeats import parameters_of, seed_replicates
from xval.answers.score_text import format_chance, format_folds, format_score, format_test, format_time, rounded
from xval.answers.summary import chance_level, direction, has_windows, main_and_own, metric_words, side_name, test_side
from xval.results.instance import InstanceResults
from xval.settings.schema import names_of_loss


class Best(NamedTuple):
    """The numbers of the instances with the best mean; several in case of a tie.

    Attributes:
        mean: The instances with the best mean.
    """

    mean: frozenset[int] = frozenset()


class Ranking(NamedTuple):
    """The instances, best first, and the validation score that ranks them.

    Attributes:
        instances: Numbers of the instances that have the score in at least one fold and are `comparable` by it.
        values: The mean score of each over folds; instances that differ only in their seed have their common mean.
        ranks: The rank of each, from 1; instances that differ only in their seed share one.
        side: ``validation`` or ``clip_validation``.
        loss_decides: Whether the validation loss breaks ties; losses of some instances are not comparable.
        caution: Why the score is not the metric of `rank_by`, such as ``not every instance has a validation macro_f1``.
    """

    instances: tuple[int, ...]
    side: str
    metric: str
    loss_decides: bool = False
    caution: str = ""
    values: Mapping[int, float] = MappingProxyType({})
    ranks: Mapping[int, int] = MappingProxyType({})

    @property
    def selected(self) -> int | None:
        """The instance to choose; None without results."""
        return self.instances[0] if self.instances else None

    @property
    def because(self) -> str:
        """The caution as a clause that follows the name of the ranking score."""
        return f"; {self.caution}" if self.caution else ""

    def value_of(self, instance: InstanceResults) -> float | None:
        """Return the score that ranks an instance; its own mean over folds if it is not ranked."""
        return self.values.get(instance.number, instance.over_folds(self.side, self.metric)["mean"])

    def best_of(self, numbers: Iterable[int], most: int) -> list[int]:
        """Return at most this many of the best instances, sorted by number; instances without a rank come last."""
        places = {number: place for place, number in enumerate(self.instances)}
        return sorted(sorted(numbers, key=lambda number: (places.get(number, len(places)), number))[:most])


def find_best(
    instances: Sequence[InstanceResults], side: str, metric: str, replicates: Iterable[tuple[int, ...]] | None = None
) -> Best:
    """Return the best instances in a metric on a side.

    Only `comparable` instances with values in the most folds are compared: a mean over fewer folds lacks items, perhaps the
    hard ones. No instance is best if fewer than two have a value, or if the direction of the metric is not known. Instances
    that differ only in their seed are best together or not at all.
    """
    scores = {instance.number: instance.over_folds(side, metric) for instance in comparable(instances, side)}
    if sum(over_folds["n"] > 0 for over_folds in scores.values()) < 2 or direction(instances, metric) is None:
        return Best()
    most = max(over_folds["n"] for over_folds in scores.values())
    means = {number: over_folds["mean"] for number, over_folds in scores.items() if over_folds["n"] == most}
    sign = _sign(instances, metric)
    replicates = seed_replicates(parameters_of(instances)) if replicates is None else replicates
    values = average_seeds(means, replicates)
    return Best(_smallest(_to_12_digits({number: sign * value for number, value in values.items()})))


def rank_instances(instances: Sequence[InstanceResults]) -> Ranking:
    """Rank instances by the mean of the validation metric of `rank_by`, by default the first of `main_metrics`.

    The mean is over the folds that have the metric, that is, those whose validation items have each class; see
    `InstanceResults.says_enough`. Ties are broken by the lower validation loss (without the L2 penalty), then by the lower
    number. Losses and reconstruction errors only rank instances that agree in the settings of `names_of_loss`. If the metric
    cannot rank, or an instance has no value of it in any fold, the main metric ranks, or else the loss; see `Ranking.caution`.
    Clips are compared instead of windows if they have the metric, since all instances have the same clips. Only `comparable`
    instances have a rank. Instances with more folds come first. Instances that differ only in their seed are one method: they
    have their common mean and share one rank, so that no seed is chosen; the first one with the most folds represents them.
    """
    metric, caution = _ranked_by(instances)
    side = _side_of(metric, instances)
    ranked = comparable(instances)
    scores = {instance.number: instance.over_folds(side, metric) for instance in ranked}
    losses = {instance.number: instance.over_folds("validation", "loss")["mean"] for instance in ranked}
    loss_decides = metric != "loss" and not _why_not("loss", ranked)
    replicates = seed_replicates(parameters_of(instances))
    sign = _sign(instances, metric)
    values = average_seeds({number: score["mean"] for number, score in scores.items()}, replicates)
    together = _to_12_digits({number: sign * value for number, value in values.items()})
    equal = _to_12_digits(average_seeds(losses, replicates)) if loss_decides else {}
    method_of = {number: number for number in together} | {number: min(group) for group in replicates for number in group}
    most_folds: dict[int, int] = {}
    for number in together:
        most_folds[method_of[number]] = max(scores[number]["n"], most_folds.get(method_of[number], 0))

    def place(number: int) -> tuple[float, ...]:
        method = method_of[number]
        return -most_folds[method], together[number], equal.get(number, 0.0), method, -scores[number]["n"], number

    numbers = sorted(together, key=place)
    methods = dict.fromkeys(method_of[number] for number in numbers)
    rank_of = {method: rank for rank, method in enumerate(methods, start=1)}
    ranks = {number: rank_of[method_of[number]] for number in numbers}
    return Ranking(tuple(numbers), side, metric, loss_decides, caution, values, ranks)


def describe_selection(instances: Sequence[InstanceResults]) -> str:
    """Return one or two sentences on the selected instance: the reason for the choice, and its test scores."""
    ranking = rank_instances(instances)
    score_name = f"{side_name(ranking.side, instances)} {metric_words(ranking.metric)}"
    if ranking.selected is None:
        is_done = any(len(instance.folds) for instance in instances)
        return f"No variant is selected, because none has a {score_name}." if is_done else "No fold is finished yet."
    selected = next(candidate for candidate in instances if candidate.number == ranking.selected)
    side = test_side(instances)
    reached: dict[str, list[str]] = {}  # balanced accuracy is accuracy where classes are even
    for metric in selected.task.main_metrics:
        shown = f"{format_test(selected, side, metric)} ({format_chance(chance_level([selected], metric, side))})"
        reached.setdefault(shown, []).append(metric_words(metric))
    listed = ", ".join(f"{' and '.join(names)} {shown}" for shown, names in reached.items())
    mean = selected_mean(instances, ranking)
    alone = len(instances) == 1
    reason = f"has a mean {score_name} of {mean}" if alone else f"is selected: best mean {score_name} ({mean}{ranking.because})"
    origin = clause(judge_instance(selected))
    called = name_instances([selected.number], instances)
    return f"{called} {reason}. On the test {items_word(instances)} it reaches {listed}{origin and f'; {origin}'}."


def selected_mean(instances: Sequence[InstanceResults], ranking: Ranking) -> str:
    """Return the mean validation score by which the selected instance is chosen, over all seeds of its method.

    The instance itself is the first of its seeds; another seed may have a better value.
    """
    selected = next(instance for instance in instances if instance.number == ranking.selected)
    own = format_score(selected.over_folds(ranking.side, ranking.metric), selected.n_folds)
    replicates = next((group for group in seed_replicates(parameters_of(instances)) if selected.number in group), ())
    if not replicates:
        return own
    common = rounded(ranking.values[selected.number])[0]
    return f"{common} over instances {name_numbers(replicates)}, which differ only in the seed; its own {own}"


def describe_common_means(instances: Sequence[InstanceResults], ranking: Ranking) -> list[str]:
    """Return a sentence with the common mean for each group of instances that differ only in their seed."""
    score = f"{side_name(ranking.side, instances)} {metric_words(ranking.metric)}"
    return [
        f"Variants {name_numbers(group)} differ only in their seed, so they are ranked by their common mean "
        f"({score} {rounded(ranking.values[first])[0]})."
        for group in seed_replicates(parameters_of(instances))
        if (first := next((number for number in group if number in ranking.values), None)) is not None
    ]


class SummaryTable(NamedTuple):
    """The table at the end of a run, as text.

    Attributes:
        same: Sentences on metrics without a column, because their values are those of another metric, and on instances that
            differ only in their seed.
    """

    header: tuple[str, ...]
    rows: list[tuple[str, ...]]
    same: list[str]


def summary_table(
    instances: Sequence[InstanceResults], numbers: Sequence[int] | None = None, *, most: int | None = None
) -> SummaryTable:
    """Return the table at the end of a run.

    A row has the number of an instance (``*``: selected), its name, the ranking validation score, the main test scores as from
    `format_test` (of clips, and of windows if clips are cut), the time (h:mm:ss) and the folds; if some instance is not clean,
    also its leakage verdict.

    Args:
        instances: At least one instance; the selected one is among them.
        numbers: Numbers of the instances to show; None: all.
        most: Show at most so many of the best instances; None: all.
    """
    ranking = rank_instances(instances)
    numbers = [instance.number for instance in instances] if numbers is None else numbers
    shown = set(numbers if most is None else ranking.best_of(numbers, most))
    columns: dict[tuple[str, tuple[str, ...]], str] = {}
    same = []
    for side, metric in tested_columns(instances):
        texts = tuple(format_test(instance, side, metric) for instance in instances)
        key = (side, texts if any(text != "-" for text in texts) else (metric,))
        if key in columns:
            same.append(f"{side_name(side, instances)} {metric_words(metric)}: the same as {metric_words(columns[key])}.")
        columns.setdefault(key, metric)
    header = (
        "instance", "name", f"{side_name(ranking.side, instances)} {metric_words(ranking.metric)}",
        *(f"{side_name(side, instances)} {metric_words(metric)}" for (side, _), metric in columns.items()), "time", "folds",
    )  # fmt: skip
    names, origins = names_of(instances), clauses(instances)
    header += (ORIGIN,) if origins else ()
    rows = [
        (
            f"{instance.number}{' *' if instance.number == ranking.selected else ''}",
            names[instance.number],
            format_score(instance.over_folds(ranking.side, ranking.metric), instance.n_folds),
            *(format_test(instance, side, metric) for (side, _), metric in columns.items()),
            format_time(instance.seconds),
            format_folds(instance),
            *([origins.get(instance.number, "nothing known")] if origins else []),
        )
        for instance in instances
        if instance.number in shown
    ]
    return SummaryTable(header, rows, [*same, *describe_common_means(instances, ranking)])


def tested_columns(instances: Sequence[InstanceResults]) -> list[tuple[str, str]]:
    """Return side and metric of the test scores of `main_and_own`, clips before windows."""
    sides = dict.fromkeys((test_side(instances), "test"))
    main = instances[0].task.main_metrics
    return [
        (side, metric)
        for side in sides
        for metric in main_and_own(instances)
        if metric in main or any(metric in instance.metrics(side) for instance in instances)
    ]


def _ranked_by(instances: Sequence[InstanceResults]) -> tuple[str, str]:
    """Return the metric that ranks, and why it is not the one of `rank_by`; empty if it is."""
    main = instances[0].task.main_metrics[0]
    named = {instance.settings.rank_by for instance in instances}
    differ = "" if len(named) == 1 else f"instances differ in rank_by: {', '.join(sorted(named))}"
    wanted = main if differ or named == {"auto"} else named.pop()
    ranked = comparable(instances)
    why_not = _why_not(wanted, ranked)
    metrics = [wanted, main, "loss"] if why_not else [wanted]
    metric = next((metric for metric in metrics if not _why_not(metric, ranked)), wanted)
    return metric, "; ".join(filter(None, (differ, why_not)))


def _why_not(metric: str, instances: Sequence[InstanceResults]) -> str:
    """Return why a validation metric cannot rank some instances; empty: it can."""
    side, finished = _side_of(metric, instances), [instance for instance in instances if instance.folds]
    if not all(instance.over_folds(side, metric)["n"] for instance in finished):
        if not any(instance.says_enough(key, side, metric) for instance in finished for key in instance.done):
            return f"no fold's validation {items_word(instances)} have every class that {metric} is of"
        return f"not every instance has a {side_name(side, instances)} {metric}"
    task = instances[0].task
    if metric not in task.loss_metrics or not finished:
        return ""
    first = finished[0].parameters
    names = [*names_of_loss(task), "calibration"]  # which is fitted to the validation loss
    differing = [name for name in names if any(instance.parameters.get(name) != first.get(name) for instance in finished)]
    return f"instances that differ in {' and '.join(differing)} have no comparable {metric}" if differing else ""


def _side_of(metric: str, instances: Sequence[InstanceResults]) -> str:
    return "clip_validation" if has_windows(instances) and metric != "loss" else "validation"


def _sign(instances: Sequence[InstanceResults], metric: str) -> int:
    """Return the factor by which the better of two values becomes the smaller one."""
    return -1 if direction(instances, metric) else 1


def average_seeds(values: Mapping[int, float | None], groups: Iterable[tuple[int, ...]]) -> dict[int, float]:
    """Return the known values of instances by number; instances of a group of seeds have their common mean.

    `groups` is the result of `seed_replicates`.
    """
    averaged = {number: value for number, value in values.items() if value is not None}
    for group in groups:
        if group_values := {number: averaged[number] for number in group if number in averaged}:
            averaged |= dict.fromkeys(group_values, fmean(group_values.values()))
    return averaged


def _to_12_digits(values: Mapping[int, float]) -> dict[int, float]:
    """Return rounded values, so that rounding errors do not distinguish equal values."""
    return {number: float(f"{value:.12g}") for number, value in values.items()}


def _smallest(values: dict[int, float]) -> frozenset[int]:
    least = min(values.values(), default=None)
    return frozenset(number for number, value in values.items() if value == least)
