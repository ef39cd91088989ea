"""Raise an error for instances that cannot be compared: other datasets, tasks or clips, only another seed, unknown metric."""

from collections.abc import Mapping

from xval.answers.comparison.competitor import test_metrics
from xval.answers.names import call_compared
from xval.answers.nested_selection import NestedInstance
from xval.answers.repeats import seed_replicates
from xval.answers.summary import direction
from xval.base.errors import ResultsError, SettingsError, suggestion
from xval.base.operating_system import quote
from xval.results.instance import InstanceResults
from xval.results.open import open_results
from xval.settings.schema import TESTED_KEYS, names_of_loss

Chosen = Mapping[str, InstanceResults]
"""Instances by what they are called."""


def refuse_incomparable(chosen: Chosen) -> None:
    """Refuse instances of other corpora or tasks, that differ only in the seed, or that are tested on other clips."""
    _refuse_other_corpora(chosen)
    _refuse_other_tasks(chosen)
    _refuse_seeds(chosen)
    _refuse_other_clips(chosen)


def _refuse_other_corpora(chosen: Chosen) -> None:
    experiments = list({instance.experiment.path: instance.experiment for instance in chosen.values()}.values())
    hashes = [open_results(experiment).folds.reviewed_hash for experiment in experiments] if len(experiments) > 1 else []
    for experiment, index_hash in zip(experiments, hashes, strict=False):
        if index_hash != hashes[0]:
            raise ResultsError(
                f"{experiment.path}: the dataset is not that of {experiments[0].path} ({index_hash} and {hashes[0]}), so "
                "they do not test the same items. Run one of them again with the dataset of the other."
            )


def _refuse_other_tasks(chosen: Chosen) -> None:
    tasks = {instance.task.name: name for name, instance in chosen.items()}
    if len(tasks) > 1:
        listed = ", ".join(f"{name}: {task}" for task, name in tasks.items())
        raise ResultsError(f"instances of several tasks cannot be compared ({listed}).")


def _refuse_seeds(chosen: Chosen) -> None:
    """Refuse instances that differ only in the seed; a choice by validation has the settings of one, but is none."""
    variants = {name: instance for name, instance in chosen.items() if not isinstance(instance, NestedInstance)}
    names, instances = list(variants), list(variants.values())
    groups = seed_replicates({place: instance.parameters for place, instance in enumerate(instances)})
    if not groups:
        return
    further = {place for group in groups for place in group[1:]}
    left = [name for place, name in enumerate(names) if place not in further]
    command = f"xval compare {quote(str(instances[0].experiment.path))} {' '.join(map(quote, left))}"
    other = f"Compare one of them with other variants: {command}. " if len(left) > 1 else ""
    seeds = list(dict.fromkeys(instances[place].settings.seed for place in groups[0]))
    raise ResultsError(
        f"instances {', '.join(names[place] for place in groups[0])} are one variant with different seeds "
        f"({', '.join(map(str, seeds))}), so a difference between them is chance. {other}To show how much the seed matters, "
        f"declare one variant with repeats = {len(seeds)}."
    )


def _refuse_other_clips(chosen: Chosen) -> None:
    """Refuse instances that were tested on other clips of the same folds."""
    for setting in TESTED_KEYS:
        values = {name: instance.parameters.get(setting) for name, instance in chosen.items()}
        if len(set(values.values())) > 1:
            listed = "; ".join(f"{name}: {value or 'none'}" for name, value in values.items())
            raise ResultsError(
                f"instances with different {setting} are tested on different clips, so their difference does not show which is "
                f"better ({listed}). Give instances that agree in it."
            )


def check_metric(metric: str, chosen: Chosen) -> bool:
    """Return whether a higher value is better; refuse a metric that is unknown or not comparable between these instances."""
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
    return higher_is_better
