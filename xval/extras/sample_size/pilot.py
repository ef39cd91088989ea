"""Estimate the variances that plan a larger study from a pilot: between items, between clips of an item, between trainings.

The formulas are those of `xval compare`.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from xval.answers.comparison.choose import compare_with
from xval.answers.comparison.item_values import measure_items, read_tested
from xval.answers.comparison.outcome import Pair
from xval.answers.comparison.refuse import check_metric
from xval.answers.item_words import item_word
from xval.answers.ranking import rank_instances
from xval.answers.read import read_finished
from xval.answers.repeats import first_of_method, parameters_of
from xval.answers.training_runs import whole_repeats
from xval.base.errors import ResultsError, SettingsError, counted, plural_of, suggestion
from xval.measures.metrics import Metric, canonical_name, find
from xval.measures.statistics.comparison import item_difference
from xval.measures.statistics.intervals import FEWEST_ITEMS
from xval.measures.statistics.planning import Pilot
from xval.results.folder import find_experiment
from xval.results.instance import InstanceResults
from xval.results.named import split_name
from xval.results.tested_examples import TestedExamples

_MOST_GROUPS = 20  # of clips of an item; the jackknife leaves one out at a time
_MOST_ITEMS = 50  # in the jackknife over clips


class Pilots(NamedTuple):
    """The errors of a metric in a pilot study.

    Attributes:
        source: A description of the pilot study in words.
        metric: The name of the metric.
        item: The word for an item of the dataset, such as speaker.
        value: The error of the metric of one instance.
        difference: The error of the difference between two instances on the same items; None if there is one instance.
        baseline: The number of the instance whose error is `value`; None for the pilots that xval has.
        largest_difference: The largest possible difference between two values, from the bounds of the metric.
    """

    source: str
    metric: str
    item: str
    value: Pilot
    difference: Pilot | None
    baseline: int | None = None
    largest_difference: float = math.inf


_DIGITS, _RAVDESS = (
    {"n_items": 6, "n_clips": 500, "n_runs": 3},
    {"n_items": 24, "n_clips": 60, "n_runs": 3},
)
PUBLISHED = {
    "ravdess": Pilots(
        "RAVDESS, a logistic regression and an SVM on MFCC: 24 actors with 60 clips, trained 3 times",
        "balanced_accuracy",
        "actor",
        Pilot.from_deviations(0.072, 0.400, 0.006, **_RAVDESS),
        Pilot.from_deviations(0.051, 0.390, 0.014, **_RAVDESS),
        largest_difference=1.0,
    ),
    "fsdd": Pilots(
        "the digits (fsdd), a logistic regression and an SVM on MFCC: 6 speakers with 500 clips, trained 3 times",
        "balanced_accuracy",
        "speaker",
        Pilot.from_deviations(0.074, 0.374, 0.010, **_DIGITS),
        Pilot.from_deviations(0.026, 0.241, 0.004, **_DIGITS),
        largest_difference=1.0,
    ),
}
"""The pilots that xval has, by name, as `xval sample-size --from` measured them; docs/sample_size.md has the experiments."""


def find_pilots(source: str, baseline: int | None = None, metric: str | None = None) -> tuple[Pilots, list[InstanceResults]]:
    """Return the variances of a pilot study, and its finished instances (none for a published pilot).

    Args:
        source: A name in `PUBLISHED`, or ``EXPERIMENT[:N]``, a folder with the number of an instance.
        baseline: The number of the instance to compare with; None: the instance that the validation scores select.
        metric: A test metric; None: the main metric of the task.

    Raises:
        ResultsError: There is no such folder, or the variances cannot be estimated from it.
        SettingsError: The metric is unknown, or `baseline` or `metric` is set for a published pilot.
    """
    published = PUBLISHED.get(source)
    if published is None:
        path, number = split_name(source)
        if path is None or not Path(path).exists():
            raise ResultsError(f"--from {source}: no such folder. {suggestion(source, PUBLISHED)} Or an experiment's folder.")
        return read_pilots(Path(path), int(number) if number and number.isdecimal() else None, baseline, metric)
    if passed := [name for name, value in {"--baseline": baseline, "--metric": metric}.items() if value is not None]:
        raise SettingsError(
            f"{passed[0]}: needs your own pilot (--from EXPERIMENT); for {source} only {published.metric} is known."
        )
    return published, []


def read_pilots(
    folder: Path, number: int | None = None, baseline: int | None = None, metric: str | None = None
) -> tuple[Pilots, list[InstanceResults]]:
    """Return the variances of a finished experiment, and its finished instances.

    Args:
        folder: ``results/<dataset>/experiment_<n>``.
        number: The number of the instance that is compared; None: the best by validation, except for the baseline.
        baseline: The number of the instance to compare with; None: the instance that the validation scores select.
        metric: A test metric; None: the main metric of the task.

    Raises:
        ResultsError: There are too few items, their scores do not differ, or an instance is missing.
        SettingsError: The metric is unknown.
    """
    instances = read_finished(find_experiment(folder))
    by_number = {instance.number: instance for instance in instances}
    whole = [instance for instance in instances if instance.settings.train_fraction == 1] or instances
    ranked = list(rank_instances(whole).instances) or [instance.number for instance in whole]
    for requested in (number, baseline):
        if requested is not None and requested not in by_number:
            listed = ", ".join(map(str, by_number))
            raise ResultsError(f"{folder}: there is no instance {requested} with a finished fold. Available: {listed}.")
    if number is not None and number == baseline:
        raise SettingsError(f"--from {folder}:{number} --baseline {baseline}: expected two instances.")
    methods = first_of_method(parameters_of(instances))
    first = by_number[
        baseline or next((other for other in ranked if number is None or methods[other] != methods[number]), ranked[0])
    ]
    second = number or next((other for other in ranked if methods[other] != methods[first.number]), None)
    task = first.task
    metric = canonical_name(task.name, metric or task.main_metrics[0]).rpartition(".")[2]
    check_metric(metric, {str(first.number): first})
    by_seed = measure_items(first, metric, first.folds)
    measured = by_seed and by_seed.by_training()
    item = item_word([first])
    if measured is None:
        raise ResultsError(
            f"{folder}: {metric} has no value per {item}, so a sample size cannot be estimated. Give another --metric."
        )
    item_error = item_difference(measured.values, float(measured.scores.mean()), measured.weights, measured.scores)
    if not item_error.components:
        few = measured.too_few or f"{counted(len(measured.items), item)} tested; expected at least {FEWEST_ITEMS} that differ"
        raise ResultsError(
            f"{folder}, instance {first.number}: the variance between {plural_of(item)} is not known: {few}. Name another one "
            "(--baseline)."
        )
    function = find(task.name, metric)
    examples = [_tested(first, metric)]
    n_clips = fmean(first.n_clips.values())
    value = Pilot(item_error.components, len(measured.items), len(measured.runs), n_clips)
    value = value._replace(clip_share=_clip_share(function, examples, measured.of, value))
    source = f"{folder}, instance {first.number}: {_size(value, item)}"
    if second is None:
        return Pilots(source, metric, item, value, None, first.number), instances
    comparison = compare_with(first, [by_number[second]], metric=metric)
    (pair,) = comparison.pairs
    difference = _difference_pilot(pair, n_clips, folder, item)
    examples.append(_tested(by_number[second], metric))
    difference = difference._replace(clip_share=_clip_share(function, examples, pair.basis, difference))
    source = f"{folder}, instances {second} and {first.number}: {_size(difference, item)}"
    return Pilots(source, metric, item, value, difference, first.number, comparison.largest_difference), instances


def _difference_pilot(pair: Pair, n_clips: float, folder: Path, item: str) -> Pilot:
    """Return the error of the difference between two instances; raises ResultsError if its variance is unknown."""
    if not pair.test.components or pair.basis == "folds":
        raise ResultsError(
            f"{folder}: the variance over {plural_of(item)} of the difference is not known. {' '.join(pair.notes)} Give "
            "other instances (--from EXPERIMENT:N, --baseline N) or another --metric."
        )
    return Pilot(pair.test.components, pair.n_items, pair.n_runs, n_clips)


def clips_text(n_clips: float) -> str:
    """Return a number of clips in words: ``60 clips``, or ``57.5 clips`` for a mean."""
    return f"{n_clips:.3g} clip{'s' * (n_clips != 1)}"


def _size(pilot: Pilot, item: str) -> str:
    """Return the size of a pilot in words: ``24 actors with 60 clips, trained 3 times``."""
    return (
        f"{counted(round(pilot.n_items), item)} with {clips_text(pilot.n_clips)}, trained "
        f"{counted(round(pilot.n_runs), 'time')}"
    )


def _tested(instance: InstanceResults, metric: str) -> list[TestedExamples]:
    """Return the clips that were tested in each repeat; empty if predictions are of frames or of whole items."""
    if instance.task.target == "frame" or instance.decides_items:
        return []
    return read_tested(instance, whole_repeats(instance), metric)


def _clip_share(metric: Metric, instances: Sequence[Sequence[TestedExamples]], basis: str, pilot: Pilot) -> float:
    """Return the share of the variance over items that comes from the choice of their clips, 0 to 1; NaN if it is unknown.

    The jackknife estimates the variance of an item's score over its clips, with one of up to 20 groups of clips left out at a
    time (Efron and Stein, Annals of Statistics 9, 1981). For a pooled metric it uses the pseudo-value of the item instead.

    Args:
        metric: The metric of the test clips.
        instances: The tested clips of one or two instances, in each repeat.
        basis: ``items`` if the metric is a mean over items, or ``pooled``.
        pilot: The error of the metric or difference, which has the variance over items.
    """
    if not all(instances):
        return float("nan")
    names = instances[0][0].names
    variances = []
    for item in range(0, len(names), -(-len(names) // _MOST_ITEMS)):
        clips = np.unique(instances[0][0].clips[instances[0][0].rows[item]].astype(str))
        groups = np.array_split(np.random.default_rng(item).permutation(clips), min(len(clips), _MOST_GROUPS))
        signed = [
            [sign * np.mean([_without(metric, run, names[item], group, basis) for run in runs]) for group in groups]
            for sign, runs in zip((1, -1), instances, strict=False)
        ]
        values = np.sum(signed, axis=0)
        if len(groups) > 1 and np.isfinite(values).all():
            variances.append((len(groups) - 1) * float(np.var(values)))
    over_items = pilot.components[0].variance * pilot.n_items
    return min(1.0, fmean(variances) / over_items) if variances else float("nan")


def _without(metric: Metric, examples: TestedExamples, item: str, clips: NDArray[np.str_], basis: str) -> float:
    """Return the metric of an item without some of its clips; for a pooled metric its pseudo-value, except for a constant."""
    rows = examples.rows[examples.names.index(item)]
    is_out = np.zeros(len(examples.items), bool)
    is_out[rows[np.isin(examples.clips[rows].astype(str), clips)]] = True
    is_used = ~is_out if basis == "pooled" else np.isin(np.arange(len(is_out)), rows) & ~is_out
    value = float(metric.function(examples.targets[is_used], examples.predictions[is_used]))
    return value * len(examples.names) if basis == "pooled" else value
