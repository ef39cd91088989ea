"""Rank instances by validation scores, never by test scores, and find the best value of each column of a table."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from statistics import fmean
from types import MappingProxyType
from typing import NamedTuple

from xval.answers.estimates import over_items_of_seeds
from xval.answers.fitted_validation import comparable
from xval.answers.item_words import items_word
from xval.answers.names import name_instances, name_numbers, names_of
from xval.answers.next_step import call_variants
from xval.answers.pretrained import ORIGIN, clause, clauses, judge_instance
from xval.answers.repeats import parameters_of, seed_replicates
from xval.answers.score_text import format_chance, format_folds, format_score, format_test, format_time, rounded
from xval.answers.summary import (
    chance_level,
    direction,
    has_windows,
    main_and_own,
    metric_words,
    score_name,
    test_side,
)
from xval.results.instance import InstanceResults, JoinedSeeds
from xval.results.job_key import JobKey
from xval.results.read import Record
from xval.results.scores import Scores
from xval.settings.randomness import has_randomness
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
        instances: Numbers of those with the score in at least one fold that are `comparable` by it.
        values: The mean score of each of them over folds; those that differ only in their seed all have their common mean.
        ranks: The rank of each of them, from 1; those that differ only in their seed share one.
        seeds: What a common mean is the mean of, in words, by instance: ``mean of seeds 1, 2``.
        side: ``validation`` or ``clip_validation``.
        loss_decides: Whether the validation loss breaks ties; losses of some instances are not comparable.
        caution: Why the score is not the metric of `rank_by`, such as ``not every instance has a validation macro F1``.
    """

    instances: tuple[int, ...]
    side: str
    metric: str
    loss_decides: bool = False
    caution: str = ""
    values: Mapping[int, float] = MappingProxyType({})
    ranks: Mapping[int, int] = MappingProxyType({})
    seeds: Mapping[int, str] = MappingProxyType({})

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
    values = average_seeds(means, ranked_together(instances) if replicates is None else replicates, instances)
    return Best(_smallest(_to_12_digits({number: sign * value for number, value in values.items()})))


def rank_instances(instances: Sequence[InstanceResults]) -> Ranking:
    """Rank instances by the mean of the validation metric of `rank_by`, by default the first of `main_metrics`.

    It is the mean of the folds that have it: those whose validation items have each class, see `InstanceResults.says_enough`.
    Of equal ones the lower validation loss is first (without the L2 penalty), then the lower number. Losses, and errors of
    reconstruction, only rank instances that agree in the settings of `names_of_loss`. Where the metric cannot rank, or an
    instance has no value of it in any fold, the main metric does, or else the loss; see `Ranking.caution`. Clips are compared
    instead of windows where they have the metric, since all instances have the same clips. Only `comparable` ones have a rank.
    Those with more folds go first. Those that differ only in their seed and have the same folds are one method: they have their
    common mean and share one rank, so that no seed is chosen; the first stands for them.
    """
    metric, caution = _ranked_by(instances)
    side = _side_of(metric, instances)
    ranked = comparable(instances)
    scores = {instance.number: instance.over_folds(side, metric) for instance in ranked}
    losses = {instance.number: instance.over_folds("validation", "loss")["mean"] for instance in ranked}
    loss_decides = metric != "loss" and not _why_not("loss", ranked)
    groups = ranked_together(ranked, {instance.number: instance.fold_values(side, metric).keys() for instance in ranked})
    sign = _sign(instances, metric)
    values = average_seeds({number: score["mean"] for number, score in scores.items()}, groups, instances)
    together = _to_12_digits({number: sign * value for number, value in values.items()})
    equal = _to_12_digits(average_seeds(losses, groups, instances)) if loss_decides else {}
    method_of = {number: number for number in together} | {number: group[0] for group in groups for number in group}

    def place(number: int) -> tuple[float, ...]:
        return -scores[number]["n"], together[number], equal.get(number, 0.0), method_of[number], number

    numbers = sorted(together, key=place)
    methods = dict.fromkeys(method_of[number] for number in numbers)
    rank_of = {method: rank for rank, method in enumerate(methods, start=1)}
    ranks = {number: rank_of[method_of[number]] for number in numbers}
    return Ranking(tuple(numbers), side, metric, loss_decides, caution, values, ranks, name_seeds(values, groups, instances))


def describe_selection(instances: Sequence[InstanceResults]) -> str:
    """Return one or two sentences on the selected instance: the reason for the choice, and its test scores."""
    ranking = rank_instances(instances)
    score = score_name(ranking.side, ranking.metric, instances)
    selected = selected_method(instances, ranking)
    if selected is None:
        is_done = any(len(instance.folds) for instance in instances)
        return f"No variant is selected, because none has a {score}." if is_done else "No fold is finished yet."
    side = test_side(instances)
    reached: dict[str, list[str]] = {}  # balanced accuracy is accuracy where classes are even
    for metric in selected.task.main_metrics:
        shown = f"{format_test(selected, side, metric)} ({format_chance(chance_level([selected], metric, side))})"
        reached.setdefault(shown, []).append(metric_words(metric, instances))
    listed = ", ".join(f"{' and '.join(names)} {shown}" for shown, names in reached.items())
    mean = selected_mean(instances, ranking)
    alone = len(instances) == 1
    reason = f"has a mean {score} of {mean}" if alone else f"is selected: best mean {score} ({mean}{ranking.because})"
    origin = clause(judge_instance(selected))
    called = call_method(selected, instances)
    return f"{called} {reason}. On the test {items_word(instances)} it reaches {listed}{origin and f'; {origin}'}."


def selected_mean(instances: Sequence[InstanceResults], ranking: Ranking) -> str:
    """Return the mean validation score by which the selected instance is chosen, over all seeds of its method.

    The instance itself is the first of its seeds; another seed may have a better value.
    """
    selected = next(instance for instance in instances if instance.number == ranking.selected)
    own = format_score(selected.over_folds(ranking.side, ranking.metric), selected.n_folds)
    seeds = ranking.seeds.get(selected.number)
    return f"{rounded(ranking.values[selected.number])[0]}, {seeds}; its own {own}" if seeds else own


def describe_common_means(
    instances: Sequence[InstanceResults], ranking: Ranking, *, rows_have_means: bool = False
) -> list[str]:
    """Return a sentence for each group of instances that differ only in their seed: the mean that ranks them.

    And one on what the rows of the table have, but for `rows_have_means`.
    """
    score = score_name(ranking.side, ranking.metric, instances)
    by_rank: dict[int, list[int]] = {}
    for number in sorted(ranking.seeds):
        by_rank.setdefault(ranking.ranks[number], []).append(number)
    sentences = [
        f"Variants {name_numbers(group)} differ only in their seed, so the {ranking.seeds[group[0]]} ranks them "
        f"({score} {rounded(ranking.values[group[0]])[0]})."
        for group in by_rank.values()
    ]
    return [*sentences, *["Each row has the score of its own seed."] * (bool(sentences) and not rows_have_means)]


def describe_caution(instances: Sequence[InstanceResults], ranking: Ranking) -> list[str]:
    """Return a sentence on why the metric of `rank_by` does not rank several instances; none if it does."""
    if len(ranking.instances) < 2 or not ranking.caution:
        return []
    return [f"Ranked by {score_name(ranking.side, ranking.metric, instances)}, because {ranking.caution}."]


class SummaryTable(NamedTuple):
    """The table at the end of a run, as text.

    Attributes:
        same: Of each metric without a column, because it has the values of another one: a sentence.
        notes: Sentences on why another metric than that of `rank_by` ranks, and on instances that differ only in their seed.
    """

    header: tuple[str, ...]
    rows: list[tuple[str, ...]]
    same: list[str]
    notes: list[str]


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
            same.append(f"{score_name(side, metric, instances)}: the same as {metric_words(columns[key], instances)}.")
        columns.setdefault(key, metric)
    header = (
        "instance", "name", score_name(ranking.side, ranking.metric, instances),
        *(score_name(side, metric, instances) for (side, _), metric in columns.items()), "time", "folds",
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
    notes = [*describe_caution(instances, ranking), *describe_common_means(instances, ranking)]
    return SummaryTable(header, rows, same, notes)


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
            return f"no fold's validation {items_word(instances)} have every class that {metric_words(metric, instances)} is of"
        return f"not every instance has a {score_name(side, metric, instances)}"
    task = instances[0].task
    if metric not in task.loss_metrics or not finished:
        return ""
    first = finished[0].parameters
    names = [*names_of_loss(task), "calibration"]  # which is fitted to the validation loss
    differing = [name for name in names if any(instance.parameters.get(name) != first.get(name) for instance in finished)]
    return f"instances that differ in {' and '.join(differing)} have no comparable {metric_words(metric)}" if differing else ""


def _side_of(metric: str, instances: Sequence[InstanceResults]) -> str:
    return "clip_validation" if has_windows(instances) and metric != "loss" else "validation"


def _sign(instances: Sequence[InstanceResults], metric: str) -> int:
    """Return the factor by which the better of two values becomes the smaller one."""
    return -1 if direction(instances, metric) else 1


def ranked_together(
    instances: Sequence[InstanceResults], folds: Mapping[int, Collection[int]] | None = None
) -> list[tuple[int, ...]]:
    """Return the groups of `seed_replicates`, of each those with the same folds (`_with_the_same_folds`).

    `folds` are those with a value, by instance; None: the finished ones.
    """
    folds = folds or {instance.number: instance.folds for instance in instances}
    groups = (_with_the_same_folds(group, folds) for group in seed_replicates(parameters_of(instances)))
    return [group for group in groups if len(group) > 1]


def _with_the_same_folds(group: Sequence[int], folds: Mapping[int, Collection[int]]) -> tuple[int, ...]:
    """Return the instances of a group with the most folds; where these are not the same folds, those that most of them have."""
    folds_of = {number: frozenset(folds[number]) for number in group}
    times = Counter(folds_of.values())
    chosen = max(times, key=lambda finished: (len(finished), times[finished]))
    return tuple(number for number in group if folds_of[number] == chosen)


def join_seeds(
    instances: Sequence[InstanceResults], keep: Collection[int] = (), where: str = ""
) -> tuple[list[InstanceResults], dict[int, str]]:
    """Return instances in which those that differ only in their seed are one, and a sentence on each such one by its number.

    It has the number and settings of the one that ranks first, and the seeds of those with the most finished folds, each seed
    once; where no seed changes the model, one of them.

    Args:
        instances: Instances of one experiment.
        keep: Numbers by which their variants are named instead, such as that of a baseline.
        where: How the sentences name the experiment, such as `` of results/demo/experiment_2``.
    """
    finished = {instance.number: instance for instance in instances if instance.folds}
    groups = seed_replicates(parameters_of(finished.values()))
    if not groups:
        return list(instances), {}
    place = {number: place for place, number in enumerate(rank_instances(list(finished.values())).instances)}
    folds = {number: instance.folds for number, instance in finished.items()}
    joined, sentences = {instance.number: instance for instance in instances}, dict[int, str]()
    for group in groups:
        compared = _with_the_same_folds(group, folds)
        best = min(compared, key=lambda number: (place.get(number, len(place)), number))
        first = next((number for number in group if number in keep), best)
        preferred = first if first in compared else best
        number_of_seed = {finished[number].settings.seed: number for number in (*reversed(compared), preferred)}
        parts = [finished[number_of_seed[seed]] for seed in sorted(number_of_seed)]
        is_one = not has_randomness(finished[first].parameters)
        others = [number for number in group if number not in compared]
        left_out = {finished[number].settings.seed for number in others} - number_of_seed.keys()
        joined = {number: instance for number, instance in joined.items() if number == first or number not in group}
        parts = [finished[preferred]] if is_one else parts
        joined[first] = one = _join(parts, finished[first], () if is_one else sorted(left_out))
        few = all(folds[number].keys() < folds[preferred].keys() for number in others)
        why = f" (without {call_variants(map(str, others))}: {'folds missing' if few else 'other folds'})" if others else ""
        sentences[first] = (
            f"Variants {name_numbers(group)}{where} differ only in their seed and are compared as instance {first}, by "
            f"{'the ' * (len(one.parts) > 1)}{one.seeds}{', as another one gives the same model' if is_one else why}."
        )
    return list(joined.values()), sentences


def _join(seeds: Sequence[InstanceResults], first: InstanceResults, left_out: Sequence[int]) -> JoinedSeeds:
    """Return the jobs of instances as the repeats of one, which has the settings of the first."""
    jobs, scores, originals = dict[JobKey, Record](), dict[JobKey, Scores](), dict[JobKey, JobKey]()
    wanted, n_repeats = list[JobKey](), 0
    for instance in seeds:
        own = {key: JobKey(first.number, key.fold, n_repeats + key.repeat) for key in (*instance.jobs, *instance.wanted)}
        originals |= {joint: key for key, joint in own.items()}
        jobs |= {own[key]: record for key, record in instance.jobs.items()}
        scores |= {own[key]: job_scores for key, job_scores in instance.scores.items()}
        wanted += [own[key] for key in instance.wanted]
        n_repeats += instance.n_repeats
    return JoinedSeeds(
        experiment=first.experiment,
        written=first.written,
        jobs=jobs,
        n_folds=first.n_folds,
        n_fold_repeats=first.n_fold_repeats,
        wanted=wanted,
        scores=scores,
        requested_metrics=first.requested_metrics,
        originals=originals,
        over_items=seeds[0].over_items if len(seeds) == 1 else None,
        parts=tuple(seeds),
        left_out=tuple(left_out),
    )


def selected_method(done: Sequence[InstanceResults], ranking: Ranking) -> InstanceResults | None:
    """Return the selected instance, with the jobs of all seeds of its method as its repeats; None: none is selected."""
    joined, _ = join_seeds(done, [ranking.selected or 0])
    selected = next((instance for instance in joined if instance.number == ranking.selected), None)
    return replace(selected, over_items=over_items_of_seeds(selected)) if isinstance(selected, JoinedSeeds) else selected


def call_method(method: InstanceResults, done: Sequence[InstanceResults]) -> str:
    """Return the name of a `selected_method`: ``mlp (1)``, or ``mlp (1; mean of seeds 1, 2)``."""
    if not isinstance(method, JoinedSeeds):
        return name_instances([method.number], done)
    others = [instance for instance in done if instance.number not in {part.number for part in method.parts}]
    called = name_instances([method.number], [*others, method])
    return f"{called.removesuffix(')')}; {method.seeds})" if called.endswith(")") else f"{called} ({method.seeds})"


def average_seeds(
    values: Mapping[int, float | None], groups: Iterable[Sequence[int]], instances: Iterable[InstanceResults]
) -> dict[int, float]:
    """Return the known values of instances by number, where those of a group of `ranked_together` have their common mean.

    A seed that several of them have counts once.
    """
    seeds = {instance.number: instance.parameters.get("seed") for instance in instances}
    averaged = {number: value for number, value in values.items() if value is not None}
    for group in groups:
        known = [number for number in group if number in averaged]
        value_of_seed = {seeds[number]: averaged[number] for number in reversed(known)}
        averaged |= dict.fromkeys(known, fmean(value_of_seed.values())) if known else {}
    return averaged


def name_seeds(
    values: Mapping[int, float | None], groups: Iterable[Sequence[int]], instances: Iterable[InstanceResults]
) -> dict[int, str]:
    """Return what each common mean of `average_seeds` is the mean of, by instance: ``mean of seeds 1, 2``.

    Models that no seed changes have none.
    """
    seeds = {instance.number: instance.parameters.get("seed") for instance in instances if has_randomness(instance.parameters)}
    named: dict[int, str] = {}
    for group in groups:
        known = [number for number in group if values.get(number) is not None and number in seeds]
        if len(listed := sorted({str(seeds[number]) for number in known}, key=int)) > 1:
            named |= dict.fromkeys(known, f"mean of seeds {', '.join(listed)}")
    return named


def _to_12_digits(values: Mapping[int, float]) -> dict[int, float]:
    """Return rounded values, so that rounding errors do not distinguish equal values."""
    return {number: float(f"{value:.12g}") for number, value in values.items()}


def _smallest(values: dict[int, float]) -> frozenset[int]:
    least = min(values.values(), default=None)
    return frozenset(number for number, value in values.items() if value == least)
