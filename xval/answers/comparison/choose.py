"""Read the instances to compare, and refuse those that cannot be compared.

Comes in: the folder of an experiment and names of instances: ``3``, or ``results/demo/experiment_2:3`` of another experiment.
Goes out: a `Comparison`. Nothing is trained, and nothing is written.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from xval.answers.comparison.compare import compare
from xval.answers.comparison.competitor import Competitor, test_metrics
from xval.answers.comparison.outcome import ROPE, Comparison
from xval.answers.fitted_validation import fitted_to_own_items
from xval.answers.names import find_names
from xval.answers.pretrained import clause, judge_instance
from xval.answers.ranking import rank_instances
from xval.answers.repeats import seed_twins
from xval.answers.summary import SIDE_NAMES, direction, has_windows
from xval.base.errors import ResultsError, SettingsError, suggestion
from xval.measures.metrics import canonical_name, find
from xval.measures.metrics import metric_names as task_metrics
from xval.measures.statistics.intervals import Bounds
from xval.measures.task import Task
from xval.results.find_instances import find_instances
from xval.results.folder import ExperimentFolder, find_experiment
from xval.results.instance import InstanceResults
from xval.results.open import open_results
from xval.settings.schema import names_of_loss

_NAME = re.compile(r"(?:(?P<path>.+):)?(?P<number>\d+)")


_Chosen = Mapping[str, InstanceResults]
"""Instances by what they are called."""


def compare_instances(
    folder: str | Path | ExperimentFolder,
    instances: Sequence[int | str] = (),
    *,
    baseline: int | str | None = None,
    metric: str | None = None,
    rope: float = ROPE,
) -> Comparison:
    """Compare instances of finished experiments on their common folds, in a test metric.

    Args:
        folder: ``results/<dataset>/experiment_<n>``, or that experiment where it is open already.
        instances: Numbers of this experiment, or ``path:number`` of another; none: all of this experiment.
        baseline: What the others are compared with; None: the instance among them that the validation figures select.
        metric: Name of the metric; None: the first main metric of the task.
        rope: Half of the region of practical equivalence, in the unit of the metric.

    Raises:
        ResultsError: An experiment, an instance or a finished fold is missing or damaged; the folds, the tasks or what the
            metric measures differ; instances differ in the seed alone.
        SettingsError: A name is none of an instance, fewer than two instances are named, the metric is unknown, or the ROPE is
            negative.
    """
    home = folder if isinstance(folder, ExperimentFolder) else find_experiment(Path(folder))
    chosen = _choose(home, list(instances), baseline)
    _check_folds(chosen)
    _refuse_other_tasks(chosen)
    _refuse_seeds(chosen)
    _refuse_other_clips(chosen)
    names, numbered = list(chosen), _numbered(chosen)
    first, reason = 0, "as chosen"
    if baseline is None:
        ranking = rank_instances(numbered)
        if ranking.selected is None:
            raise ResultsError(f"{home.path}: no instance has a validation figure to select a baseline by. Use --baseline.")
        of_these = " of these" if len(chosen) < len(home.instances()) else ""
        first, reason = ranking.selected, f"selected by the best mean {SIDE_NAMES[ranking.side]} {ranking.metric}{of_these}"
        if fitted := [names[place] for place in fitted_to_own_items(numbered) if place != first]:
            reason += f", without instance {', '.join(fitted)}, fitted to its one validation item"
    task = numbered[0].task
    metric = canonical_name(task.name, metric or task.main_metrics[0]).rpartition(".")[2]
    higher_is_better = _check_metric(metric, chosen)
    called = find_names({name: instance.parameters for name, instance in chosen.items()})
    competitors = [Competitor(name, instance, metric, called[name]) for name, instance in chosen.items()]
    unit = "examples" if metric == "loss" and has_windows(numbered) else task.unit
    of_unit = "" if task.target == "frame" else f" of {unit}"  # events and segments are not counted in frames
    comparison = compare(
        [competitor for number, competitor in enumerate(competitors) if number != first],
        competitors[first],
        metric=metric,
        figure=f"test {metric.replace('_', ' ')}{of_unit}",
        higher_is_better=higher_is_better,
        rope=rope,
        baseline_reason=reason,
        bounds=_bounds(task, metric),
    )
    if rope == ROPE and math.isinf(comparison.largest_difference):
        note = f"±{ROPE:g} suits shares, and this metric is none: give the difference that you would not care about (--rope)."
        comparison = replace(comparison, notes=(*comparison.notes, note))
    origins = {name: clause(judge_instance(instance)) for name, instance in chosen.items()}
    notes = [f"Instance {name}: {origin}." for name, origin in origins.items() if origin]
    return replace(comparison, notes=(*notes, *comparison.notes))


def _bounds(task: Task, metric: str) -> Bounds | None:
    """Return the least and largest possible figure of a metric; None: not known."""
    if metric in task_metrics(task.name):
        return find(task.name, metric).bounds
    return (0, math.inf if metric.endswith("_rate") else 1) if metric in task.final_metrics else None


def _choose(home: ExperimentFolder, instances: list[int | str], baseline: int | str | None) -> _Chosen:
    """Return the instances, each once, the baseline first if there is one; fewer than two are refused."""
    wanted: dict[tuple[Path, int], ExperimentFolder] = {}
    for name in [*([] if baseline is None else [baseline]), *(instances or filter(home.has_begun, home.instances()))]:
        match = _NAME.fullmatch(str(name))
        if match is None:
            raise SettingsError(
                f"instance '{name}': wanted is a number, such as 3, or one of another experiment, such as {home.path}:3."
            )
        experiment = find_experiment(Path(match["path"])) if match["path"] else home
        wanted.setdefault((experiment.path.resolve(), int(match["number"])), experiment)
    read: dict[tuple[Path, int], tuple[str, InstanceResults]] = {}
    for path, experiment in {path: experiment for (path, _), experiment in wanted.items()}.items():
        prefix = "" if path == home.path.resolve() else f"{experiment.path}:"
        for instance in find_instances(experiment, [number for wanted_path, number in wanted if wanted_path == path]):
            read[path, instance.number] = f"{prefix}{instance.number}", instance
    chosen = dict(read[key] for key in wanted)
    if len(chosen) < 2:
        available = ", ".join(map(str, home.instances())) or "none"
        told = f"{len(chosen)} instance to compare; wanted are two or more, or one and a baseline (--baseline)"
        raise SettingsError(f"{home.path}: {told}. Available: {available}.")
    return chosen


def _numbered(chosen: _Chosen) -> list[InstanceResults]:
    """Return the instances, each under its place among the chosen as number: experiments have the same numbers."""
    return [
        replace(instance, written=instance.written.model_copy(update={"instance": place}))
        for place, instance in enumerate(chosen.values())
    ]


def _check_folds(chosen: _Chosen) -> None:
    """Refuse experiments whose common deals have different folds.

    Deals that one lacks are left out of the comparison, as other missing folds are.
    """
    experiments = list({instance.experiment.path: instance.experiment for instance in chosen.values()}.values())
    first, wanted = experiments[0], open_results(experiments[0]).folds
    for experiment in experiments:
        folds = open_results(experiment).folds
        if any(deal_hash != wanted_hash for deal_hash, wanted_hash in zip(folds.deal_hashes, wanted.deal_hashes, strict=False)):
            same_corpus = folds.plan.index_hash == wanted.plan.index_hash
            differs = "the fold settings differ" if same_corpus else "the corpora differ"
            raise ResultsError(
                f"{experiment.path}: has other folds than {first.path} ({folds.hash} and {wanted.hash}: {differs}), so that "
                "their folds do not test the same items. Run one of them again, with the corpus and the fold settings of the "
                "other."
            )


def _refuse_other_tasks(chosen: _Chosen) -> None:
    tasks = {instance.task.name: name for name, instance in chosen.items()}
    if len(tasks) > 1:
        listed = ", ".join(f"{name}: {task}" for task, name in tasks.items())
        raise ResultsError(f"instances of several tasks cannot be compared ({listed}).")


def _refuse_seeds(chosen: _Chosen) -> None:
    """Refuse instances that differ in the seed alone."""
    names, instances = list(chosen), list(chosen.values())
    for group in seed_twins({place: instance.parameters for place, instance in enumerate(instances)}):
        seeds = ", ".join(str(instances[place].settings.seed) for place in group)
        raise ResultsError(
            f"instances {', '.join(names[place] for place in group)} differ in the seed alone ({seeds}): they are repeats of "
            f"one method, never competitors. Train one of them with repeats = {len(group)}, or name the instances to compare."
        )


def _refuse_other_clips(chosen: _Chosen) -> None:
    """Refuse instances that were tested on other clips of the same folds."""
    conditions = {name: instance.parameters.get("test_where") for name, instance in chosen.items()}
    if len(set(conditions.values())) > 1:
        listed = "; ".join(f"{name}: {text or 'none'}" for name, text in conditions.items())
        raise ResultsError(
            f"instances with other test_where are tested on other clips, and no difference of theirs says which is better "
            f"({listed}). Name those that agree in it."
        )


def _check_metric(metric: str, chosen: _Chosen) -> bool:
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
        raise ResultsError(f"instance {', '.join(lacking)} has no {metric}; name the others without it.")
    task = instances[0].task
    names = names_of_loss(task)
    differing = [name for name in names if len({repr(instance.parameters.get(name)) for instance in instances}) > 1]
    if metric in task.loss_metrics and differing:
        raise ResultsError(
            f"--metric {metric}: the instances measure different things with it, they differ in {', '.join(differing)}. "
            f"Choose another, such as {task.main_metrics[0]}."
        )
    return higher_is_better
