"""A test metric of each item in each training run, for comparisons.

A mean over items is read from the scores of the jobs. For a pooled metric, each item is left out in turn; estimates.json keeps
these values for the main metrics.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from math import nan
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from xval.answers.metric_over_items import MetricOverItems
from xval.answers.over_items import MOST_VALUES
from xval.answers.training_runs import item_means, read_repeats, run_of, whole_repeats
from xval.base.numbers import finite_or_nan
from xval.measures.metrics import find, metric_names
from xval.measures.statistics.components import variance_components
from xval.results.instance import InstanceResults, JoinedSeeds
from xval.results.item_scores import LeftOut
from xval.results.job_key import JobKey
from xval.results.tested_examples import Run, TestedExamples

Basis = Literal["items", "pooled"]
_AVERAGED: Run = frozenset(), 0


class ItemValues(NamedTuple):
    """A metric over items for each training run, which is one seed of one repeat of the folds.

    Attributes:
        of: ``items``: the metric is a mean over items; ``pooled``: it is computed from all test examples together.
        items: The names of the items; the numbers of groups if more than 500 are pooled.
        runs: Folds and repeat of each run; without folds: runs are not distinguished.
        scores: float64 (n_runs,).
        values: float64 (n_items, n_runs), the score of each item; for pooled scores the pseudo-values of the jackknife.
        weights: float64 (n_classes, n_items), number of examples of each item in each class of a pooled score; None for a mean.
        too_few: Why there is no standard error, such as ``only 2 items of class 'ill'``; the values are NaN then.
    """

    of: Basis
    items: tuple[str, ...]
    runs: tuple[Run, ...]
    scores: NDArray[np.float64]
    values: NDArray[np.float64]
    weights: NDArray[np.float64] | None = None
    too_few: str = ""

    def averaged(self) -> "ItemValues":
        """Return the mean over the runs, as one run."""
        return self._replace(
            runs=(_AVERAGED,), scores=self.scores.mean(keepdims=True), values=self.values.mean(axis=1, keepdims=True)
        )

    def by_fold_repeat(self) -> "ItemValues":
        """Return the means over the seeds of each repeat."""
        by_repeat = self._replace(runs=tuple((folds, 0) for folds, _ in self.runs))
        return by_repeat.by(dict.fromkeys(by_repeat.runs))

    def by(self, runs: Iterable[Run]) -> "ItemValues":
        """Return the means over the runs that are equal to each of `runs`; the values themselves if each run is one of them."""
        merged = tuple(runs)
        if merged == self.runs:
            return self
        is_of = np.array([[own == run for run in merged] for own in self.runs])
        weights = is_of / is_of.sum(axis=0)
        return self._replace(runs=merged, scores=self.scores @ weights, values=self.values @ weights)

    def by_training(self) -> "ItemValues":
        """Return the values of each training: each repeat with its seeds averaged, or each seed of a single repeat.

        Seeds of a repeat are not independent, because they share its folds: see `group_runs`.
        """
        return self.by_fold_repeat() if len({folds for folds, _ in self.runs}) > 1 else self

    def minus(self, other: "ItemValues") -> "ItemValues":
        """Return the differences from the values of the same items in the same runs."""
        return self._replace(scores=self.scores - other.scores, values=self.values - other.values)

    @property
    def seed_share(self) -> float:
        """The share of the variance between trainings that seeds explain; NaN: there is one seed, or they do not differ."""
        repeat_scores: dict[frozenset[int], list[float]] = {}
        for (folds, _), score in zip(self.runs, self.scores.tolist(), strict=True):
            repeat_scores.setdefault(folds, []).append(score)
        most = max(map(len, repeat_scores.values()))
        if most == 1 or len(repeat_scores) == 1:
            return 1.0 if most > 1 else nan
        parts = variance_components(np.array([[*scores, *[nan] * (most - len(scores))] for scores in repeat_scores.values()]))
        between = float(np.var([np.mean(scores) for scores in repeat_scores.values()], ddof=1))
        return min(1.0, parts.seed / parts.n_repeats / between) if between else nan

    def in_runs(self, runs: Sequence[Run]) -> "ItemValues":
        """Return the values for these runs, each from the run with the same folds, whatever its seed.

        Where the seeds of some folds differ, as in a choice among instances, the values are returned unchanged.
        """
        places: dict[frozenset[int], int] = {}
        for place, (folds, _) in enumerate(self.runs):
            first = places.setdefault(folds, place)
            if not np.array_equal(self.values[:, first], self.values[:, place]):
                return self
        if not all(folds in places for folds, _ in runs):
            return self
        chosen = [places[folds] for folds, _ in runs]
        return self._replace(runs=tuple(runs), scores=self.scores[chosen], values=self.values[:, chosen])

    def select_items(self, items: Sequence[str]) -> "ItemValues":
        """Return the means over some of the items."""
        values = self.values[[self.items.index(item) for item in items]]
        return self._replace(items=tuple(items), values=values, scores=values.mean(axis=0))


def measure_items(instance: InstanceResults, metric: str, folds: Collection[int]) -> ItemValues | None:
    """Return a test metric of the items that some folds test; None: items have no value of it.

    Raises:
        ResultsError: A predictions.parquet is damaged.
    """
    if isinstance(instance, JoinedSeeds):
        return _join_runs([measure_items(part, metric, folds) for part in instance.parts])
    is_whole = set(instance.folds) <= set(folds)
    part = instance
    if not is_whole:
        jobs = {key: record for key, record in instance.jobs.items() if key.fold in folds}
        part = replace(instance, jobs=jobs, over_items=None, _over_folds={})
    repeats = whole_repeats(part)
    task = instance.task
    score = instance.item_score("clip_test", metric) or instance.item_score("test", metric)
    is_known = metric in metric_names(task.name)
    if (is_known and find(task.name, metric).is_mean) or (score and score["of"] == "items"):
        return _means(part, metric, repeats)
    left_out = score.get("left_out") if score and is_whole else None
    too_few = score.get("no_interval", "") if score and is_whole else ""
    if left_out is None and not too_few and is_known and repeats and (examples := read_tested(part, repeats, metric)):
        over_items = MetricOverItems(find(task.name, metric), examples, is_mean=False, has_classes=task.has_classes)
        left_out = over_items.left_out()
        too_few = over_items.no_interval(next(iter(part.folds.values())).get("class_names", []))
        pooled = over_items.score()
    elif too_few and score:
        pooled = finite_or_nan(score["pooled"])
    if too_few:
        items = tuple(sorted(item_means(part)))
        return ItemValues("pooled", items, (_AVERAGED,), np.array([pooled]), np.full((len(items), 1), nan), None, too_few)
    return _pooled(part, left_out, repeats) if left_out else None


def _join_runs(parts: Sequence[ItemValues | None]) -> ItemValues | None:
    """Return the values of instances with other seeds as the runs of one; None: one has none, or they differ in items."""
    known = [values for values in parts if values]
    if len(known) < len(parts) or len({(values.of, values.items) for values in known}) > 1:
        return None
    if any(values.runs == (_AVERAGED,) for values in known):
        known = [values.averaged() for values in known]
    runs, n_seeds = list[Run](), 0
    for values in known:
        runs += [(folds, n_seeds + seed) for folds, seed in values.runs]
        n_seeds += max(1, *(seed for _, seed in values.runs))
    return known[0]._replace(
        runs=tuple(runs),
        scores=np.concatenate([values.scores for values in known]),
        values=np.concatenate([values.values for values in known], axis=1),
        too_few=next((values.too_few for values in known if values.too_few), ""),
    )


def read_tested(instance: InstanceResults, repeats: Sequence[Mapping[int, JobKey]], metric: str) -> list[TestedExamples]:
    """Return the tested examples of each run; nothing if a file is missing or there are too many."""
    n_values = sum(instance.done[key]["n_examples"]["test"] for jobs in repeats for key in jobs.values())
    if n_values * max(1, len(next(iter(instance.folds.values())).get("class_names", []))) > MOST_VALUES:
        return []
    try:
        is_of_clips = instance.has_windows and metric in instance.metrics("clip_test")
        return read_repeats(instance, repeats, instance.settings.averaging if is_of_clips else None)
    except FileNotFoundError:
        return []


def _means(instance: InstanceResults, metric: str, repeats: Sequence[Mapping[int, JobKey]]) -> ItemValues | None:
    """Return the recorded values of items; where a seed lacks folds, the means over the seeds of each repeat."""
    items = tuple(sorted(item_means(instance)))
    by_run: dict[Run, list[JobKey]] = {}
    for jobs in repeats:
        by_run.setdefault(run_of(instance, jobs), []).extend(jobs.values())
    runs, jobs_of = tuple(by_run), list(by_run.values())
    if sum(map(len, repeats)) != len(instance.done):
        fold_repeats = [frozenset(folds) for folds in instance.folds_by_repeat.values()]
        runs, jobs_of = (
            tuple((fold_repeat, 0) for fold_repeat in fold_repeats),
            [[key for key in instance.done if key.fold in fold_repeat] for fold_repeat in fold_repeats],
        )
    means_by_run = [item_means(instance, jobs) for jobs in jobs_of]
    if any(means.keys() != set(items) for means in means_by_run):  # a repeat is not finished
        runs, means_by_run = (_AVERAGED,), [item_means(instance)]
    values = np.array([[means[item].get(metric, nan) for means in means_by_run] for item in items])
    return ItemValues("items", items, runs, values.mean(axis=0), values) if np.isfinite(values).all() else None


def _pooled(instance: InstanceResults, left_out: LeftOut, repeats: Sequence[Mapping[int, JobKey]]) -> ItemValues:
    """Return pseudo-values: ``n * score - (n - 1) * score without the item``."""
    scores, without = (np.array(left_out[name]) for name in ("figures", "without"))
    n_items = len(without)
    items = sorted({item for jobs in repeats for key in jobs.values() for item in instance.scores[key].items})
    names = items if len(items) == n_items else [f"group {number}" for number in range(1, n_items + 1)]
    runs = tuple(run_of(instance, jobs) for jobs in repeats)
    if len(scores) < len(runs):  # events of the seeds of a repeat are counted together
        runs = tuple(dict.fromkeys((folds, 0) for folds, _ in runs))
        runs = runs if len(runs) == len(scores) else tuple(dict.fromkeys(run_of(instance, jobs) for jobs in repeats))
    values, weights = n_items * scores - (n_items - 1) * without, np.array(left_out["weights"], np.float64)
    return ItemValues("pooled", tuple(names), runs, scores, values, weights).by(dict.fromkeys(runs))
