"""The variances of a finished experiment, which plan a larger one: between items, of clips within them, between trainings.

Comes in: an experiment, or the name of one that was measured for this. Goes out: a `Pilots`, whose formulas are those of
`compare`.
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
from xval.answers.whole_repeats import whole_repeats
from xval.base.errors import ResultsError, SettingsError, counted, plural_of, suggestion
from xval.measures.metrics import Metric, canonical_name, find
from xval.measures.statistics.comparison import item_difference
from xval.measures.statistics.intervals import FEWEST_ITEMS
from xval.measures.statistics.planning import Pilot
from xval.results.folder import find_experiment
from xval.results.instance import InstanceResults
from xval.results.named import split_name
from xval.results.tested_examples import TestedExamples

_MOST_GROUPS = 20  # of the clips of an item, of which each is left out
_MOST_ITEMS = 50  # whose clips are left out


class Pilots(NamedTuple):
    """What is known of the errors of a metric.

    Attributes:
        source: What they were measured on, in words.
        item: What an item is called.
        value: Of the metric of one instance.
        difference: Of the difference between two instances on the same items; None: there is one instance.
        baseline: Number of the instance that `value` is of; None: of no pilot of the user's.
        largest_difference: Between two values, by the bounds of the metric.
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
        Pilot.of_deviations(0.072, 0.400, 0.006, **_RAVDESS),
        Pilot.of_deviations(0.051, 0.390, 0.014, **_RAVDESS),
        largest_difference=1.0,
    ),
    "fsdd": Pilots(
        "the digits (fsdd), a logistic regression and an SVM on MFCC: 6 speakers with 500 clips, trained 3 times",
        "balanced_accuracy",
        "speaker",
        Pilot.of_deviations(0.074, 0.374, 0.010, **_DIGITS),
        Pilot.of_deviations(0.026, 0.241, 0.004, **_DIGITS),
        largest_difference=1.0,
    ),
}
"""As `xval sample-size --from` measured them; docs/sample_size.md has the experiments."""


def find_pilots(source: str, baseline: int | None = None, metric: str | None = None) -> tuple[Pilots, list[InstanceResults]]:
    """Return the variances of a source and its instances: a name in `PUBLISHED`, or ``EXPERIMENT[:N]`` as of `read_pilots`."""
    published = PUBLISHED.get(source)
    if published is None:
        path, number = split_name(source)
        if path is None or not Path(path).exists():
            raise ResultsError(f"--from {source}: no such folder. {suggestion(source, PUBLISHED)} Or an experiment's folder.")
        return read_pilots(Path(path), int(number) if number and number.isdecimal() else None, baseline, metric)
    if given := [name for name, value in {"--baseline": baseline, "--metric": metric}.items() if value is not None]:
        raise SettingsError(
            f"{given[0]}: needs your own pilot (--from EXPERIMENT); for {source} only {published.metric} is known."
        )
    return published, []


def read_pilots(
    folder: Path, number: int | None = None, baseline: int | None = None, metric: str | None = None
) -> tuple[Pilots, list[InstanceResults]]:
    """Return the variances of a finished experiment, and its finished instances.

    Args:
        folder: ``results/<dataset>/experiment_<n>``.
        number: Of the instance that is compared; None: the best by validation beside the baseline.
        baseline: What it is compared with; None: the instance that the validation values select.
        metric: A test metric; None: the main one of the task.

    Raises:
        ResultsError: There are too few items, they do not differ, or an instance is missing.
        SettingsError: The metric is unknown.
    """
    instances = read_finished(find_experiment(folder))
    by_number = {instance.number: instance for instance in instances}
    whole = [instance for instance in instances if instance.settings.train_fraction == 1] or instances
    ranked = list(rank_instances(whole).instances) or [instance.number for instance in whole]
    for asked in (number, baseline):
        if asked is not None and asked not in by_number:
            listed = ", ".join(map(str, by_number))
            raise ResultsError(f"{folder}: there is no instance {asked} with a finished fold. Available: {listed}.")
    if number is not None and number == baseline:
        raise SettingsError(f"--from {folder}:{number} --baseline {baseline}: expected two instances.")
    first = by_number[baseline or next((other for other in ranked if other != number), ranked[0])]
    second = number or next((other for other in ranked if other != first.number), None)
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
    own = item_difference(measured.values, float(measured.figures.mean()), measured.weights, measured.figures)
    if not own.components:
        few = measured.too_few or f"{counted(len(measured.items), item)} tested; expected at least {FEWEST_ITEMS} that differ"
        raise ResultsError(
            f"{folder}, instance {first.number}: the variance between {plural_of(item)} is not known: {few}. Name another one "
            "(--baseline)."
        )
    function = find(task.name, metric)
    examples = [_tested(first, metric)]
    n_clips = fmean(first.n_clips.values())
    value = Pilot(own.components, len(measured.items), len(measured.runs), n_clips)
    value = value._replace(clip_share=_clip_share(function, examples, measured.of, value))
    source = f"{folder}, instance {first.number}: {_size(value, item)}"
    if second is None:
        return Pilots(source, metric, item, value, None, first.number), instances
    comparison = compare_with(first, [by_number[second]], metric=metric)
    (pair,) = comparison.pairs
    difference = _pilot_of(pair, n_clips, folder, item)
    examples.append(_tested(by_number[second], metric))
    difference = difference._replace(clip_share=_clip_share(function, examples, pair.basis, difference))
    source = f"{folder}, instances {second} and {first.number}: {_size(difference, item)}"
    return Pilots(source, metric, item, value, difference, first.number, comparison.largest_difference), instances


def _pilot_of(pair: Pair, n_clips: float, folder: Path, item: str) -> Pilot:
    if not pair.test.components or pair.basis == "folds":
        raise ResultsError(
            f"{folder}: the variance over {plural_of(item)} of the difference is not known. {' '.join(pair.notes)} Give "
            "other instances (--from EXPERIMENT:N, --baseline N) or another --metric."
        )
    return Pilot(pair.test.components, pair.n_items, pair.n_runs, n_clips)


def clips_text(n_clips: float) -> str:
    """Return ``60 clips``, of a mean ``57.5 clips``."""
    return f"{n_clips:.3g} clip{'s' * (n_clips != 1)}"


def _size(pilot: Pilot, item: str) -> str:
    return (
        f"{counted(round(pilot.n_items), item)} with {clips_text(pilot.n_clips)}, trained "
        f"{counted(round(pilot.n_runs), 'time')}"
    )


def _tested(instance: InstanceResults, metric: str) -> list[TestedExamples]:
    """Return the clips that were tested in each repeat; none: they are not known, or an item has one decision."""
    if instance.task.target == "frame" or instance.decides_items:
        return []
    return read_tested(instance, whole_repeats(instance), metric)


def _clip_share(metric: Metric, instances: Sequence[Sequence[TestedExamples]], basis: str, pilot: Pilot) -> float:
    """Return which share of the variance over items comes from the choice of their clips; NaN: not known.

    The variance of an item's value by its clips is that of the jackknife, which leaves out one of 20 groups of them (Efron and
    Stein, Annals of Statistics 9, 1981): of the metric of the item or, of a pooled metric, of its pseudo-value.

    Args:
        metric: Of the test clips.
        instances: What each of one or two instances has tested, in each repeat.
        basis: ``items`` or ``pooled``.
        pilot: With the variance over items.
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
    """Return the value of an item, or its pseudo-value but for a constant, without some of its clips."""
    rows = examples.rows[examples.names.index(item)]
    is_out = np.zeros(len(examples.items), bool)
    is_out[rows[np.isin(examples.clips[rows].astype(str), clips)]] = True
    kept = ~is_out if basis == "pooled" else np.isin(np.arange(len(is_out)), rows) & ~is_out
    value = float(metric.function(examples.targets[kept], examples.predictions[kept]))
    return value * len(examples.names) if basis == "pooled" else value
