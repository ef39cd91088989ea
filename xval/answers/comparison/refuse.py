"""Raise an error for instances that cannot be compared: other datasets, tasks or clips, only another seed, unknown metric."""

from collections.abc import Mapping

from xval.answers.comparison.competitor import test_metrics
from xval.answers.item_words import item_word
from xval.answers.names import call_compared
from xval.answers.nested_selection import NestedInstance
from xval.answers.repeats import seed_replicates
from xval.answers.summary import direction
from xval.base.errors import ResultsError, SettingsError, counted, suggestion
from xval.base.operating_system import quote
from xval.results.instance import InstanceResults, JoinedSeeds
from xval.results.open import open_results
from xval.settings.schema import TESTED_KEYS, names_of_loss

Chosen = Mapping[str, InstanceResults]
"""Instances by their names."""


def refuse_other_data(chosen: Chosen) -> None:
    """Raise a `ResultsError` if instances have different datasets or tasks."""
    _refuse_other_corpora(chosen)
    _refuse_other_tasks(chosen)


def refuse_incomparable(chosen: Chosen) -> None:
    """Raise a `ResultsError` if instances differ only in the seed or are tested on different clips."""
    _refuse_seeds(chosen)
    _refuse_other_clips(chosen)


def _refuse_other_corpora(chosen: Chosen) -> None:
    first, *others = {instance.experiment.path: instance for instance in chosen.values()}.values()
    for other in others:
        index_hash, first_hash = (open_results(one.experiment).folds.reviewed_hash for one in (other, first))
        if index_hash == first_hash:
            continue
        name, first_name = (str(one.parameters.get("dataset")) for one in (other, first))
        why = "different datasets"
        fix = f"Run one of them again with the dataset of the other (dataset = {first_name})."
        if name == first_name:
            why = f"different versions of the dataset '{name}', whose clips or labels changed in between"
            fix = f"Run the older one again, on '{name}' as it is now."
        raise ResultsError(
            f"{other.experiment.path} and {first.experiment.path} cannot be compared, because they were run on {why}: "
            f"{_describe_tested(other)}, and {_describe_tested(first)}. {fix}"
        )


def _describe_tested(instance: InstanceResults) -> str:
    """Return the dataset of an instance and the number of its tested clips, in words."""
    n_clips = instance.n_clips
    item = item_word([instance])
    tested = f"{counted(sum(n_clips.values()), 'clip')} of {counted(len(n_clips), item)} tested"
    return f"'{instance.parameters.get('dataset')}' ({tested})"


def _refuse_other_tasks(chosen: Chosen) -> None:
    tasks = {instance.task.name: name for name, instance in chosen.items()}
    if len(tasks) > 1:
        listed = ", ".join(f"{name}: {task}" for task, name in tasks.items())
        raise ResultsError(f"instances of several tasks cannot be compared ({listed}).")


def _refuse_seeds(chosen: Chosen) -> None:
    """Raise a `ResultsError` if instances differ only in the seed; a choice by validation is exempt."""
    variants = {name: instance for name, instance in chosen.items() if not isinstance(instance, NestedInstance)}
    names, instances = list(variants), list(variants.values())
    seeds_of = [_seeds_of(instance) for instance in instances]
    groups = seed_replicates(
        {place: {**instance.parameters, "seed": seeds_of[place], "repeats": 1} for place, instance in enumerate(instances)}
    )
    if not groups:
        return
    further = {place for group in groups for place in group[1:]}
    left = [name for place, name in enumerate(names) if place not in further]
    command = f"xval compare {quote(str(instances[0].experiment.path))} {' '.join(map(quote, left))}"
    other = f"Compare one of them with other variants: {command}. " if len(left) > 1 else ""
    seeds = list(dict.fromkeys(seeds_of[place] for place in groups[0]))
    has_repeats = any(repeats > 1 + seed.count(" and ") for seed, repeats in seeds)
    listed = "; ".join(f"seed {seed}, repeats {repeats}" for seed, repeats in seeds)
    listed = listed if has_repeats else ", ".join(seed for seed, _ in seeds)
    raise ResultsError(
        f"instances {', '.join(names[place] for place in groups[0])} are one variant with different seeds "
        f"({listed}), so a difference between them is chance. {other}To show how much the seed matters, declare one variant "
        f"with repeats = {sum(repeats for _, repeats in seeds)}."
    )


def _seeds_of(instance: InstanceResults) -> tuple[str, int]:
    """Return the seeds of an instance and the number of its repeats."""
    parts = instance.parts if isinstance(instance, JoinedSeeds) else [instance]
    seeds = " and ".join(str(part.parameters.get("seed")) for part in parts)
    return seeds, sum(int(str(part.parameters.get("repeats", 1))) for part in parts)


def _refuse_other_clips(chosen: Chosen) -> None:
    """Raise a `ResultsError` if instances were tested on different clips of the same folds."""
    for setting in TESTED_KEYS:
        values = {name: instance.parameters.get(setting) for name, instance in chosen.items()}
        if len(set(values.values())) > 1:
            listed = "; ".join(f"{name}: {value or 'none'}" for name, value in values.items())
            raise ResultsError(
                f"instances with different {setting} are tested on different clips, so their difference does not show which is "
                f"better ({listed}). Give instances that agree in it."
            )


def check_metric(metric: str, chosen: Chosen) -> bool:
    """Return whether a higher value is better; raise an error if the metric is unknown or these instances differ in it."""
    instances = list(chosen.values())
    known = {name: test_metrics(instance) for name, instance in chosen.items() if instance.done}
    every = sorted({metric_name for names in known.values() for metric_name in names})
    if not every:
        raise ResultsError(f"{instances[0].experiment.path}: no fold is finished yet.")
    higher_is_better = direction(instances, metric)
    if metric not in every or higher_is_better is None:
        raise SettingsError(f"--metric {metric}: unknown. {suggestion(metric, every)}")
    if lacking := [name for name, names in known.items() if metric not in names]:
        has = "has" if len(lacking) == 1 else "have"
        raise ResultsError(f"{call_compared(lacking)} {has} no {metric}. Give the other instances without it.")
    task = instances[0].task
    names = names_of_loss(task)
    differing = [name for name in names if len({repr(instance.parameters.get(name)) for instance in instances}) > 1]
    if metric in task.loss_metrics and differing:
        raise ResultsError(
            f"--metric {metric}: its values are not comparable, because the instances differ in {', '.join(differing)}. "
            f"Choose another, such as {task.main_metrics[0]}."
        )
    if len({instance.class_of(metric) for instance in instances}) > 1:
        listed = "; ".join(f"{name}: {instance.class_of(metric) or 'none'}" for name, instance in chosen.items())
        raise ResultsError(
            f"--metric {metric}: its values are not comparable, because the instances differ in positive_class ({listed}). "
            f"Choose another, such as {task.main_metrics[0]}."
        )
    return higher_is_better
