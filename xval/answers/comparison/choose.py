"""Read the instances to compare, which `refuse` judges.

An instance is named ``3``, ``nested`` or ``selected``, and one of another experiment ``results/demo/experiment_2:3``; without a
number, all of that experiment are compared. Nothing is trained, and nothing is written.
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from xval.answers.comparison.compare import compare
from xval.answers.comparison.competitor import Competitor
from xval.answers.comparison.outcome import ROPE, Comparison
from xval.answers.comparison.refuse import Chosen, check_metric, refuse_incomparable, refuse_other_data
from xval.answers.estimates import over_items_of
from xval.answers.fitted_validation import fitted_to_own_items
from xval.answers.item_words import item_word, items_word
from xval.answers.leaking_column import leaking_column
from xval.answers.names import CHOICE, call_compared, find_names
from xval.answers.nested_selection import NestedInstance, choose_nested, describe_nested, why_not_nested
from xval.answers.next_step import Margin, call_variants, describe_next_step, no_better_than_constant
from xval.answers.pretrained import clause, judge_instance
from xval.answers.ranking import Ranking, join_seeds, rank_instances, selected_method
from xval.answers.read import read_finished, read_instances
from xval.answers.repeats import copies, describe_copies, first_of_method
from xval.answers.summary import has_windows, metric_words, score_name
from xval.answers.variants import IGNORES_THE_AUDIO
from xval.base.errors import ResultsError, SettingsError, capital, counted
from xval.base.operating_system import quote
from xval.base.shelf import load_offers
from xval.measures import binary
from xval.measures.metrics import canonical_name, find
from xval.measures.metrics import metric_names as task_metrics
from xval.measures.statistics.intervals import Bounds
from xval.results.find_instances import find_instances
from xval.results.folder import ExperimentFolder, find_experiment
from xval.results.instance import InstanceResults, JoinedSeeds
from xval.results.named import each_of, find_each, find_named, split_name
from xval.results.open import open_results
from xval.settings.classical import CLASSICAL


def compare_instances(
    folder: str | Path | ExperimentFolder,
    instances: int | str | Sequence[int | str] = (),
    *,
    baseline: int | str | None = None,
    metric: str | None = None,
    rope: float = ROPE,
) -> Comparison:
    """Compare instances of finished experiments over the items that both have tested, in a test metric.

    Args:
        folder: ``results/<dataset>/experiment_<n>``, or that experiment where it is open already; ``path:number`` is an
            instance of it as well.
        instances: One or several numbers of this experiment, also as ``1-3`` or ``1,3``; ``nested``, what each fold chooses
            by its own validation items; ``selected``; the path of another experiment, for all its instances, or
            ``path:number`` for one. None, or only paths: all of this experiment, too. Variants of an experiment that is
            named whole which differ only in the seed are compared as one, by the mean of their seeds, as a note says.
        baseline: What the others are compared with; None: the instance among them that the validation scores select.
        metric: Name of the metric; None: the first main metric of the task.
        rope: Half of the region of practical equivalence, in the unit of the metric.

    Raises:
        ResultsError: An experiment, an instance or a finished fold is missing or damaged; corpora, tasks or the side that the
            metric is measured on differ; instances differ only in the seed.
        SettingsError: A name is not that of an instance, fewer than two instances are named, the metric is unknown, or the ROPE
            is negative.
    """
    if not isinstance(rope, int | float):
        raise SettingsError(f"rope={rope!r}: expected a number from 0, in the unit of the metric.")
    home, named = (folder, []) if isinstance(folder, ExperimentFolder) else find_home(folder)
    words = [instances] if isinstance(instances, int | str) else instances
    names = [*named, *(name for word in words for name in each_of(str(word), home))]
    ranked = _choose(home, names, baseline)
    chosen, notes = _join_seeds(ranked, names, baseline)
    first = None if baseline is None else next(iter(chosen))
    is_subset = first is None and not notes and len(chosen) < len(home.instances())
    (comparison,) = _compare(chosen, [first], metric, rope, ranked=ranked, is_subset=is_subset)
    nested = _describe_nested(home, chosen, comparison.metric)
    return replace(comparison, nested=nested, notes=(*notes, *comparison.notes))


def find_home(folder: str | Path) -> tuple[ExperimentFolder, list[int | str]]:
    """Return the experiment that a comparison belongs to, and its instances that ``path:1-3`` names."""
    path, which = _split(str(folder))
    if path is None or which is None:
        home, numbers = find_each(folder)
        return home, [*numbers]
    return find_experiment(Path(path)), [which]


def _split(name: str) -> tuple[str | None, str | None]:
    """Return the path and the instance of a name, as `split_name`; the folder of an instance is that instance."""
    path, which = split_name(name)
    if path is not None and which is None and Path(path).is_dir():
        number = find_named(path).number
        return path, None if number is None else str(number)
    return path, which


def compare_with(
    first: InstanceResults,
    others: Sequence[InstanceResults],
    *,
    metric: str | None = None,
    rope: float = ROPE,
    at_chance: Collection[int] = (),
) -> Comparison:
    """Compare instances that were read before with one of them, or with a `NestedInstance`.

    The differences are those of the others minus the first; each `Pair` has difference, interval, p_holm, verdict and claim.

    Args:
        first: The baseline, such as the selected instance.
        others: Instances of the same experiment; `first` is skipped.
        metric: As for `compare_instances`.
        rope: As for `compare_instances`.
        at_chance: Numbers of the others about which the next step gives no advice, unless no other one is undecided.

    Raises:
        ResultsError: As for `compare_instances`.
        SettingsError: The metric is unknown.
    """
    chosen = {name_of(instance): instance for instance in (first, *others)}
    return _compare(chosen, [name_of(first)], metric, rope, at_chance=at_chance)[0]


def compare_each(instances: Sequence[InstanceResults], *, selected: int | None = None) -> list[Comparison]:
    """Compare instances of an experiment that were read before; each of them in turn is the baseline.

    `selected` is the number of the instance that validation selects; the comparisons name it.
    """
    chosen = {name_of(instance): instance for instance in instances}
    return _compare(chosen, [None if instance.number == selected else name_of(instance) for instance in instances], None, ROPE)


def name_of(instance: InstanceResults) -> str:
    """Return the name of an instance within its experiment: its number, or ``nested``."""
    return "nested" if isinstance(instance, NestedInstance) else str(instance.number)


def _compare(
    chosen: Chosen,
    baselines: Sequence[str | None],
    metric: str | None,
    rope: float,
    *,
    ranked: Chosen | None = None,
    is_subset: bool = False,
    at_chance: Collection[int] = (),
) -> list[Comparison]:
    """Return a comparison with each baseline; None: the instance that validation selects among those that are ranked.

    These are the chosen ones, and further seeds of them, which their common mean needs; None: the chosen ones.
    """
    if len(chosen) < 2:
        place = "".join(f"{instance.experiment.path}: " for instance in chosen.values())
        raise SettingsError(f"{place}{counted(len(chosen), 'instance')} to compare; expected at least two.")
    refuse_other_data(chosen)
    numbered = _numbered(chosen)
    task = numbered[0].task
    metric = canonical_name(task.name, metric or task.main_metrics[0]).rpartition(".")[2]
    higher_is_better = check_metric(metric, chosen)
    refuse_incomparable(chosen)
    if metric not in task_metrics(task.name) or not find(task.name, metric).is_mean:
        chosen = {name: _over_items(instance) for name, instance in chosen.items()}
    called = _names(chosen)
    competitors = {name: Competitor(name, instance, metric, called[name]) for name, instance in chosen.items()}
    unit: str = "examples" if metric == "loss" and has_windows(numbered) else task.unit
    if metric != "loss" and any(instance.decides_items for instance in numbered):
        unit = items_word(numbered)
    unit_words = "" if task.target == "frame" else f" of {unit}"  # events and segments are not counted in frames
    bounds = _bounds(numbered, metric)
    origins = {name: clause(judge_instance(instance)) for name, instance in chosen.items()}
    notes = [f"{capital(call_compared([name]))}: {origin}." for name, origin in origins.items() if origin]
    columns = dict.fromkeys(column for instance in numbered for column in instance.shared_columns)
    if len({instance.experiment.path for instance in chosen.values()}) > 1:
        own = [instance.experiment.path for name, instance in chosen.items() if split_name(name)[0] is None]
        notes += [f"Instances that are named without a path are of {own[0]}."] if own else []
    notes += [f"{column.describe(item_word(numbered))}: one '{column.column}' is in training and test." for column in columns]
    notes += [found.message for found in map(describe_copies, _copies(chosen))]
    leaks = tuple(name for name, instance in chosen.items() if judge_instance(instance).state == "leaked")
    leaks = tuple(chosen) if leaking_column(numbered) else leaks
    corrections = tuple(text for offer in load_offers("comparison_note") for text in offer.describe(chosen))
    comparisons = []
    for baseline in baselines:
        name, reason = (baseline, "as chosen") if baseline else _select(ranked or chosen, is_subset=is_subset)
        reason = f"{instance.seeds}; {reason}" if isinstance(instance := chosen[name], JoinedSeeds) else reason
        comparison = compare(
            [competitor for other, competitor in competitors.items() if other != name],
            competitors[name],
            metric=metric,
            score=f"test {metric_words(metric, chosen.values())}{unit_words}",
            higher_is_better=higher_is_better,
            rope=rope,
            baseline_reason=reason,
            bounds=bounds,
        )
        unsuited = []
        if rope == ROPE and math.isinf(comparison.largest_difference):
            unsuited = [
                (
                    f"±{ROPE:g} suits metrics from 0 to 1, but this metric has another unit. Give the difference that you "
                    "would ignore (--rope)."
                )
            ]
        # By other labels, and by what they were trained on, nothing distinguishes them.
        steps = (
            () if corrections or leaks else (_next_step(comparison, chosen, at_chance), _describe_choice(comparison, chosen))
        )
        limits = (*notes, *comparison.notes, *unsuited)
        comparisons.append(
            replace(comparison, notes=limits, corrections=corrections, leaks=leaks, next_step=" ".join(filter(None, steps)))
        )
    return comparisons


def _variants_of(chosen: Chosen) -> dict[str, str]:
    """Return the variant that each name stands for: of a choice the one that it selects."""
    choices = {name: instance for name, instance in chosen.items() if isinstance(instance, NestedInstance)}
    return {name: f"{name.removesuffix('nested')}{choices[name].number}" if name in choices else name for name in chosen}


def _describe_choice(comparison: Comparison, chosen: Chosen) -> str:
    """Return what the difference between a choice and the variant that it selects shows; empty: they are not compared."""
    variant_of = _variants_of(chosen)
    names = [name for name, variant in variant_of.items() if variant == variant_of[comparison.baseline]]
    choice = next((instance for name in names if isinstance(instance := chosen[name], NestedInstance)), None)
    if len(names) < 2 or choice is None:
        return ""
    variant = call_compared([variant_of[comparison.baseline]], "variant")
    compared = [name for name in names if not isinstance(chosen[name], NestedInstance)]
    if not choice.is_varied and len(choice.method) > 1 and not any(isinstance(chosen[name], JoinedSeeds) for name in compared):
        return (
            f"Every fold chooses the method of {variant}, so {CHOICE} is the mean of its seeds, and this is no comparison of "
            "two variants."
        )
    if not choice.is_varied:
        return f"Every fold chooses {variant}, so {CHOICE} is {variant}, and this is no comparison of two variants."
    return (
        f"Validation selects {variant}, so the difference between {CHOICE} and {variant} is no difference of two variants: it "
        f"estimates how optimistic the score of {variant} is because it was chosen. Use {variant} and report the nested score."
    )


def _next_step(comparison: Comparison, chosen: Chosen, at_chance: Collection[int] = ()) -> str:
    """Return how to show a difference between undecided pairs of variants; empty: all are decided.

    Those at chance are skipped, unless no other one is undecided.
    """
    groups = [group for group in _copies(chosen) if comparison.baseline in map(str, group)]
    same = [str(number) for group in groups for number in group]
    variant_of = _variants_of(chosen)
    same += [name for name, variant in variant_of.items() if variant == variant_of[comparison.baseline]]
    pairs = [pair for pair in comparison.undecided if pair.instance not in same]
    if not pairs:
        return "" if not groups else describe_copies(groups[0]).advice
    advisable = [pair for pair in pairs if pair.instance not in map(str, at_chance)]
    pairs = advisable or pairs
    constants = [name for name, instance in chosen.items() if instance.settings.architecture == IGNORES_THE_AUDIO]
    told = [pair for pair in pairs if comparison.baseline in constants or pair.instance in constants]
    if len(told) == len(pairs):  # nobody should use the cheaper one then
        return no_better_than_constant([*chosen.values()])
    pairs = [pair for pair in pairs if pair not in told]
    names = (comparison.baseline, *(pair.instance for pair in pairs))
    choices = {name: choice for name in names if isinstance(choice := chosen[name], NestedInstance)}
    variants = call_variants(dict.fromkeys(variant_of[name] for name in names))
    apart = {name for name, choice in choices.items() if choice.is_varied}  # else a choice is that variant in all folds

    def choice_and(names: Sequence[str]) -> str:
        return f"{CHOICE} and {call_variants(name for name in names if name not in choices)}"

    def between(names: Sequence[str]) -> str:
        return f"between {choice_and(names)}" if apart.intersection(names) else f"to variant {variant_of[names[-1]]}"

    margins = [
        Margin(
            between((comparison.baseline, pair.instance)),
            pair.difference,
            pair.n_items,
            partial(pair.planned, n_repeats=max(pair.n_repeats)),
            is_none=pair.is_none,
        )
        for pair in pairs
    ]
    trained = [chosen[name] for name in names if name not in choices]  # ties in a choice are no repeats
    return describe_next_step(margins, trained, variants, choice_and(names) if apart else "they")


def _copies(chosen: Chosen) -> list[tuple[int, ...]]:
    """Return groups of instances of this experiment with the same settings, by number."""
    own = {int(name): instance.parameters for name, instance in chosen.items() if name.isdecimal()}
    return copies(own)


def _select(chosen: Chosen, *, is_subset: bool) -> tuple[str, str]:
    """Return the name of the instance that validation selects, and why."""
    names, numbered = list(chosen), _numbered(chosen)
    instances = [instance for instance in numbered if not isinstance(instance, NestedInstance)]
    ranking = rank_instances(instances) if instances else None
    if ranking is None or ranking.selected is None:
        path = numbered[0].experiment.path
        raise ResultsError(f"{path}: no instance has a validation score to select a baseline by. Use --baseline.")
    score = f"{score_name(ranking.side, ranking.metric, instances)}{' of these' * is_subset}"
    reason = f"selected by the best mean {score}{ranking.because}"
    if fitted := [names[place] for place in fitted_to_own_items(instances) if place != ranking.selected]:
        which = "which was fitted to its" if len(fitted) == 1 else "which were fitted to their"
        reason += f", without instance{'s' * (len(fitted) > 1)} {', '.join(fitted)}, {which} only validation item"
    return names[ranking.selected], reason


def _bounds(instances: Sequence[InstanceResults], metric: str) -> Bounds | None:
    """Return the least and largest possible score of a metric; None: not known."""
    task = instances[0].task
    if metric in task_metrics(task.name):
        return find(task.name, metric).bounds
    if all(instance.class_of(metric) is not None for instance in instances):
        return binary.find(metric, 0).bounds
    return (0, math.inf if metric.endswith("_rate") else 1) if metric in task.final_metrics else None


def _choose(home: ExperimentFolder, instances: list[int | str], baseline: int | str | None) -> Chosen:
    """Return the instances, each once, the baseline first if there is one; raise an error for fewer than two."""
    experiments = {home.path.resolve(): home}
    wanted: dict[tuple[Path, str], None] = {}

    def want(name: str) -> None:
        path, which = _split(name)
        if which is None and not any(mark in name for mark in "/\\"):
            raise SettingsError(
                f"instance '{name}': expected numbers such as 3, 1,3 or 1-3, nested, selected, an instance of another "
                f"experiment such as {home.path}:3, or its path for all of its instances."
            )
        experiment = find_experiment(Path(path)) if path else home
        experiment = experiments.setdefault(experiment.path.resolve(), experiment)
        names = [which] if which else map(str, filter(experiment.has_begun, experiment.instances()))
        wanted.update(dict.fromkeys((experiment.path.resolve(), own) for own in names))

    if baseline is not None:
        if len(each_of(str(baseline), home)) > 1:
            raise SettingsError(
                f"--baseline {baseline}: takes one instance; received several. Name the others without an option."
            )
        want(str(baseline))
    if all(_split(str(name))[1] is None for name in instances):
        want(f"{home.path}/")
    for name in instances:
        want(str(name))
    paths = dict.fromkeys(path for path, _ in wanted)
    read = {path: _read(experiments[path], [name for of, name in wanted if of == path]) for path in paths}
    chosen: dict[str, InstanceResults] = {}
    for path, name in wanted:
        prefix = "" if path == home.path.resolve() else f"{experiments[path].path}:"
        instance = read[path][name]
        chosen.setdefault(f"{prefix}{name_of(instance)}", instance)
    if len(chosen) < 2:
        available = ", ".join(map(str, home.instances())) or "none"
        told = f"{len(chosen)} instance to compare; expected at least two, or one and another as baseline (--baseline)"
        others = [_describe_other(only) for only in chosen.values()]
        chance_hint = [
            f" To test it against chance: xval permutation-test {quote(str(only.experiment.path))}:{only.number}"
            for only in chosen.values()
            if only.settings.architecture in CLASSICAL
        ]
        raise SettingsError(f"{home.path}: {told}. Available: {available}.{''.join(others)}{''.join(chance_hint)}")
    return chosen


def _join_seeds(chosen: Chosen, names: Sequence[int | str], baseline: int | str | None) -> tuple[Chosen, list[str]]:
    """Return what is compared where experiments are named whole: variants that differ only in the seed as one; and notes."""
    if any(_split(str(name))[1] is not None for name in names):
        return chosen, []
    first = next(iter(chosen.values()))
    joined, notes = dict[str, InstanceResults](), list[str]()
    paths = list(dict.fromkeys(instance.experiment.path for instance in chosen.values()))
    for path in paths:
        own = {
            instance.number: name
            for name, instance in chosen.items()
            if instance.experiment.path == path and not isinstance(instance, NestedInstance)
        }
        keep = [first.number] if baseline is not None and first.experiment.path == path else []
        instances, sentences = join_seeds([chosen[name] for name in own.values()], keep, f" of {path}" * (len(paths) > 1))
        joined |= {own[instance.number]: instance for instance in instances}
        notes += sentences.values()
    joined |= {name: instance for name, instance in chosen.items() if isinstance(instance, NestedInstance)}
    joined = {name: joined[name] for name in chosen if name in joined}
    return (joined, notes) if len(joined) > 1 else (chosen, [])


def _describe_other(only: InstanceResults) -> str:
    """Return the command that compares a single named instance with others; empty: its experiment has no other."""
    path = quote(str(only.experiment.path))
    methods = first_of_method(
        {number: open_results(only.experiment).settings(number).parameters for number in only.experiment.instances()}
    )
    other = next((number for number, first in methods.items() if first != methods[only.number]), None)
    return (
        "" if other is None else f" For example: xval compare {path} {only.number} {other}; without a number all are compared."
    )


def _read(experiment: ExperimentFolder, names: Collection[str]) -> dict[str, InstanceResults]:
    """Return instances of an experiment by number, ``nested`` or ``selected``."""
    numbers = [int(name) for name in names if name.isdecimal()]
    read = {str(instance.number): instance for instance in find_instances(experiment, numbers)} if numbers else {}
    if set(names) - read.keys():
        done = read_finished(experiment)
        ranking = rank_instances(done)
        selected = selected_method(done, ranking)
        if selected is None:
            raise ResultsError(f"{experiment.path}: no instance has a validation score to select it by.")
        read["selected"] = selected
        if "nested" in names:
            read["nested"] = _nested(experiment, done, ranking)
    return read


def _over_items(instance: InstanceResults) -> InstanceResults:
    """Return an instance with its scores over items, computed where they are missing and can be computed."""
    if isinstance(instance, JoinedSeeds):
        return replace(instance, parts=tuple(map(_over_items, instance.parts)))
    if instance.over_items is not None or not instance.done or isinstance(instance, NestedInstance):
        return instance
    known = over_items_of(instance, [])  # of what cannot be read folds are compared
    return replace(instance, over_items=known) if known else instance


def _nested(experiment: ExperimentFolder, done: Sequence[InstanceResults], ranking: Ranking) -> NestedInstance:
    nested = choose_nested(done, ranking)
    if nested is None:
        why = why_not_nested(done, ranking)
        raise ResultsError(
            f"{experiment.path}: {why or 'nested selection needs at least two instances with at least two finished folds.'}"
        )
    return nested


def _describe_nested(home: ExperimentFolder, chosen: Chosen, metric: str) -> tuple[str, ...]:
    """Return the nested score in words if the compared instances include the one that validation selects among all."""
    done = [instance for instance in read_instances(home, home.instances()) if instance.folds]
    ranking = rank_instances(done) if done else None
    if ranking is None or str(ranking.selected) not in chosen or "nested" in chosen:
        return ()
    said = describe_nested(done, ranking, metric)
    return (said[0], f"{capital(said[1])}.") if said else tuple(filter(None, [why_not_nested(done, ranking)]))


def _names(chosen: Chosen) -> dict[str, str]:
    nested = {name: instance for name, instance in chosen.items() if isinstance(instance, NestedInstance)}
    seeds_of = {name: instance.seeds for name, instance in chosen.items() if isinstance(instance, JoinedSeeds)}
    names = find_names({name: instance.parameters for name, instance in chosen.items() if name not in nested})
    names |= {name: ", ".join(filter(None, [names[name], seeds])) for name, seeds in seeds_of.items()}
    return names | {name: instance.name for name, instance in nested.items()}


def _numbered(chosen: Chosen) -> list[InstanceResults]:
    """Return the instances, numbered by their place among the chosen, because experiments share numbers."""
    return [
        replace(instance, written=instance.written.model_copy(update={"instance": place}))
        for place, instance in enumerate(chosen.values())
    ]
