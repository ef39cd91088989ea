"""Describe seeds of a fold, which are averaged and never chosen among, and repeats of the cross-validation.

The variance of a score between folds is separated from the variance between seeds, and instances that differ only in their seed
are named. The reasons, with measurements: Bouthillier et al., Accounting for variance in machine learning benchmarks, 2021.
"""

from collections.abc import Iterable, Mapping, Sequence
from math import isfinite, sqrt
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from xval.answers.names import name_numbers
from xval.answers.next_step import call_variants
from xval.answers.score_text import rounded
from xval.answers.summary import metric_words
from xval.base.errors import capital, counted
from xval.base.findings import Finding
from xval.measures.statistics.components import Components, variance_components
from xval.results.instance import InstanceResults
from xval.settings.parameters import hash_parameters

COPIES = Finding.coded(
    "xv308_same_settings",
    "{Variants} have the same settings and seed, so they are one model.",
    "Remove {others}, or change the setting in which they should differ.",
)
SEED_REPLICATES = Finding.coded(
    "xv305_variants_differ_in_seed",
    "Variants {listed} differ only in their seed, so they are one method; those with the same finished folds share one rank.",
    "Declare one variant with repeats = {n} instead.",
)


def values_by_seed(instance: InstanceResults, side: str, metric: str) -> NDArray[np.float64]:
    """Return a metric on a side by fold and repeat.

    Returns:
        float64 (n_folds, n_repeats), for the folds with an ended job, in their order; NaN: failed, not run, or undefined.
    """
    folds = sorted({key.fold for key in instance.jobs})
    table = np.full((len(folds), max((key.repeat for key in instance.jobs), default=0)), np.nan)
    for key, value in instance.values(side, metric).items():
        table[folds.index(key.fold), key.repeat - 1] = value
    return table


def components_of(instance: InstanceResults, side: str, metric: str) -> Components | None:
    """Return the variances of a metric between folds and between seeds; None: one seed, or never defined."""
    if instance.n_repeats == 1 or not instance.fold_values(side, metric):
        return None
    return variance_components(values_by_seed(instance, side, metric))


def describe_components(instance: InstanceResults, side: str, metric: str) -> str:
    """Return sentences on the variance of a score between folds and between seeds; nothing if it is not known."""
    parts = components_of(instance, side, metric)
    if parts is None or not isfinite(parts.seed + parts.fold):
        return ""
    mean, fold_std, seed_std = rounded(parts.mean, sqrt(parts.fold), sqrt(parts.seed))
    return (
        f"{metric_words(metric, [instance])} {mean}; standard deviation {fold_std} between folds, {seed_std} between seeds "
        f"within a fold ({counted(parts.n_folds, 'fold')}, {parts.n_repeats:.3g} seeds)"
    )


def describe_fold_repeats(instance: InstanceResults, side: str, metric: str) -> str:
    """Return the mean of a metric in each repeat of the cross-validation, in sentences; nothing if there is one repeat."""
    values = instance.fold_values(side, metric)
    scores_by_repeat = {
        fold_repeat: [values[fold] for fold in folds if fold in values]
        for fold_repeat, folds in instance.folds_by_repeat.items()
    }
    means = [
        f"{rounded(fmean(repeat_scores))[0]} in repeat {fold_repeat}"
        for fold_repeat, repeat_scores in scores_by_repeat.items()
        if repeat_scores
    ]
    return f"{metric_words(metric, [instance])} {', '.join(means)}" if instance.n_fold_repeats > 1 and means else ""


def seed_replicates(parameters: Mapping[int, Mapping[str, object]]) -> list[tuple[int, ...]]:
    """Return groups of two or more instances, by number, that differ only in their seed (and their comments)."""
    if len({instance_parameters.get("seed") for instance_parameters in parameters.values()}) < 2:
        return []
    alike: dict[str, dict[int, object]] = {}
    for number, instance_parameters in parameters.items():
        others = {name: value for name, value in instance_parameters.items() if name != "seed"}
        alike.setdefault(hash_parameters(others), {})[number] = instance_parameters.get("seed")
    return [tuple(sorted(seeds)) for seeds in alike.values() if len(set(seeds.values())) > 1]


def copies(parameters: Mapping[int, Mapping[str, object]]) -> list[tuple[int, ...]]:
    """Return groups of two or more instances, by number, with the same settings and seed; comments do not count."""
    alike: dict[str, list[int]] = {}
    for number, instance_parameters in parameters.items():
        alike.setdefault(hash_parameters(instance_parameters), []).append(number)
    return [tuple(sorted(group)) for group in alike.values() if len(group) > 1]


def first_of_method(parameters: Mapping[int, Mapping[str, object]]) -> dict[int, int]:
    """Return of each instance the first one with its settings, whatever the seeds and comments: those of one method."""
    first: dict[str, int] = {}
    methods: dict[int, int] = {}
    for number, instance_parameters in sorted(parameters.items()):
        others = {name: value for name, value in instance_parameters.items() if name != "seed"}
        methods[number] = first.setdefault(hash_parameters(others), number)
    return methods


def describe_copies(group: Sequence[int]) -> Finding:
    """Return a finding on one group of `copies`, with advice."""
    variants, others = (call_variants(map(str, numbers)) for numbers in (group, group[1:]))
    return COPIES.fill(group, Variants=capital(variants), others=others)


def describe_seed_replicates(group: Sequence[int], parameters: Mapping[int, Mapping[str, object]]) -> Finding:
    """Return a finding on one group of `seed_replicates`, with advice; instances with equal seeds count once."""
    first_of_seed: dict[object, int] = {}
    for number in group:
        first_of_seed.setdefault(parameters[number].get("seed"), number)
    return SEED_REPLICATES.fill(group, listed=name_numbers(first_of_seed.values()), n=len(first_of_seed))


def parameters_of(instances: Iterable[InstanceResults]) -> dict[int, dict[str, object]]:
    """Return the parameters of each instance with a finished fold, by number."""
    return {instance.number: instance.parameters for instance in instances if instance.done}
