"""The nested estimate of choosing among instances: each fold chooses by its own validation score.

The chosen jobs are measured and compared like any other instance; see `xval.measures.statistics.selection`.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from math import lcm

import numpy as np
from numpy.typing import NDArray

from xval.answers.estimates import load_requested, over_items_of
from xval.answers.fitted_validation import comparable
from xval.answers.item_words import items_word
from xval.answers.names import name_numbers
from xval.answers.ranking import Ranking, call_method, rank_instances, selected_method
from xval.answers.repeats import copies, parameters_of, seed_replicates
from xval.answers.score_text import ROUNDING, decimals, estimate, format_test
from xval.answers.summary import direction, metric_words, score_name, test_side
from xval.base.errors import ResultsError
from xval.measures.statistics.selection import select_nested
from xval.results.instance import InstanceResults, JointInstance
from xval.results.job_key import JobKey
from xval.results.open import open_results
from xval.results.read import Record
from xval.results.scores import Scores
from xval.settings.randomness import has_randomness
from xval.settings.resolve import describe_numbers

_MOST_WAYS = 60  # in which folds choose together: exact for up to 6 that tie


@dataclass(frozen=True)
class NestedInstance(JointInstance):
    """The jobs that the folds choose among instances, as one instance.

    Its settings are those of the selected instance. If a fold chooses several jobs, because instances tie or differ only in
    their seed, they take turns over the repeats, so that each has the same weight in its fold.

    Attributes:
        method: The numbers of the selected instance and of those that differ from it only in their seed.
        n_competing: Number of instances to choose from; instances that differ only in their seed count once.
        left_out: Instances that lack folds that others have finished.
        n_ties: Number of repeats of each seed, for instances that tie.
    """

    method: tuple[int, ...] = ()
    n_competing: int = 0
    left_out: tuple[int, ...] = ()
    n_ties: int = 1

    def seed_of(self, repeat: int) -> int:
        """Return the seed of a repeat; tied instances share a seed because they are not separate trainings."""
        return (repeat - 1) // self.n_ties + 1

    @property
    def is_varied(self) -> bool:
        """Whether some fold chooses another method than the selected one."""
        return any(job.instance not in self.method for job in self.originals.values())

    @property
    def name(self) -> str:
        """Its name in tables."""
        return f"chosen among {self.n_competing}"


def choose_nested(done: Sequence[InstanceResults], ranking: Ranking) -> NestedInstance | None:
    """Let each fold choose an instance by its own validation score, averaged over the seeds of a method.

    Only `comparable` instances with the finished folds of the selected one compete, so all folds choose among the same
    instances. A fold without the score, for example because its validation items lack a class, chooses by the loss if losses
    are comparable.

    Returns:
        The choice as an instance, with scores over items if the predictions can be read; None: there is nothing to choose, or
        `why_not_nested` gives a reason.
    """
    instance = _choose(done, ranking)
    if isinstance(instance, str):
        return None
    return replace(instance, over_items=over_items_of(instance, []))


def why_not_nested(done: Sequence[InstanceResults], ranking: Ranking) -> str:
    """Return in a sentence why there is no nested estimate; empty: there is one, or there is nothing to choose."""
    instance = _choose(done, ranking)
    return instance if isinstance(instance, str) else ""


def _choose(done: Sequence[InstanceResults], ranking: Ranking) -> NestedInstance | str:
    """Return the choice of `choose_nested` without scores over items, or the reason of `why_not_nested`."""
    if ranking.selected is None:
        return ""
    done = comparable(done)
    selected = next((instance for instance in done if instance.number == ranking.selected), None)
    if selected is None or len(selected.folds) < max(len(instance.folds) for instance in done):
        return ""
    competing = {instance.number: instance for instance in done if instance.folds.keys() == selected.folds.keys()}
    parameters = parameters_of(list(competing.values()))
    groups = list(seed_replicates(parameters))
    replicates = {number for group in groups for number in group}
    copied = {number for group in copies(parameters) for number in group[1:]}
    copied |= {number for group in groups if not has_randomness(parameters[group[0]]) for number in group[1:]}
    groups = [tuple(number for number in group if number not in copied) for group in groups]  # a model counts once
    groups += [(number,) for number in competing if number not in replicates]
    folds = sorted(selected.folds)
    are_one = any(len(group) == len(competing) for group in copies(parameters))
    if len(groups) < 2 or len(folds) < 2 or are_one:
        return ""
    side, metric = test_side(done), done[0].task.main_metrics[0]
    validation = _by_fold(competing, groups, folds, ranking.side, ranking.metric)
    test = _by_fold(competing, groups, folds, side, metric)
    losses = _by_fold(competing, groups, folds, "validation", "loss") if ranking.loss_decides else None
    higher = bool(direction(done, ranking.metric))
    has_none = np.isnan(validation).all(axis=0)
    if losses is not None:
        validation = np.where(has_none, -losses if higher else losses, validation)
    if cannot := [fold for fold, values in zip(folds, validation.T, strict=True) if np.isnan(values).all()]:
        return (
            f"There is no nested estimate for choosing among {len(groups)} variants, because fold{'s' * (len(cannot) > 1)} "
            f"{describe_numbers(cannot)} cannot choose: {items_word(done)} that validate have no "
            f"{metric_words(ranking.metric, done)}, and the losses cannot be compared. Let more {items_word(done)} validate "
            "(validation_fraction)."
        )
    nested = select_nested(validation, test, higher_is_better=higher, losses=losses)
    if np.isnan(nested.test_mean):
        return ""
    jobs_by_fold: list[list[list[JobKey]]] = []
    for place, fold in enumerate(folds):
        are_tied = [group for group, is_chosen in zip(groups, nested.is_chosen[:, place], strict=True) if is_chosen]
        jobs_by_fold.append(
            [[key for number in group for key in competing[number].done if key.fold == fold] for group in are_tied]
        )
    n_ties, n_seeds = _share(jobs_by_fold)
    originals: dict[JobKey, JobKey] = {}
    jobs: dict[JobKey, Record] = {}
    scores: dict[JobKey, Scores] = {}
    for fold, tied in zip(folds, jobs_by_fold, strict=True):
        for place in range(n_ties * n_seeds):
            seed, tie = divmod(place, n_ties)
            keys = tied[tie % len(tied)]
            own, key = JobKey(selected.number, fold, place + 1), keys[seed % len(keys)]
            instance = competing[key.instance]
            originals[own], jobs[own], scores[own] = key, instance.done[key], instance.scores[key]
    return NestedInstance(
        experiment=selected.experiment,
        written=selected.written,
        jobs=jobs,
        scores=scores,
        requested_metrics=selected.requested_metrics,
        n_folds=selected.n_folds,
        n_fold_repeats=selected.n_fold_repeats,
        originals=originals,
        method=next((group for group in seed_replicates(parameters_of(done)) if selected.number in group), (selected.number,)),
        n_competing=len(groups),
        left_out=tuple(instance.number for instance in done if instance.number not in competing),
        n_ties=n_ties,
    )


def _share(jobs_by_fold: Sequence[Sequence[Sequence[JobKey]]]) -> tuple[int, int]:
    """Return the numbers of ties and of seeds by which all chosen jobs of a fold have the same weight.

    `jobs_by_fold` are the jobs of each instance that a fold chooses.
    """
    n_seeds = min(lcm(*(len(keys) for fold_jobs in jobs_by_fold for keys in fold_jobs)), _MOST_WAYS)
    return min(lcm(*map(len, jobs_by_fold)), max(1, _MOST_WAYS // n_seeds)), n_seeds


def keep_nested(instances: Sequence[InstanceResults]) -> None:
    """Write the scores of the chosen jobs to nested_estimates.json, if there is something to choose.

    It has all metrics of the instances: those of the task, the user's own and requested ones. Commands that only show results
    run no code that came with them, but a rebuild may.
    """
    done = [instance for instance in instances if instance.folds]
    nested = _choose(done, rank_instances(done)) if done else ""
    if isinstance(nested, NestedInstance):
        with suppress(ResultsError, OSError):  # instances have named it
            loaded, errors = load_requested(open_results(nested.experiment), nested.number)
            further = {name: added.metric for name, added in loaded.items() if added}
            over_items_of(nested, list(map(str, errors.values())), further)


def selection_bias(selected: InstanceResults, nested: NestedInstance, side: str, metric: str) -> float | None:
    """Return by how much the test score of the selected instance is better than the nested score; below 0: it is worse.

    Both are the scores with an interval if they are of one kind (mean over items, or pooled), else means over folds. None: one
    of them is undefined.
    """
    own, nested_estimate = (estimate(instance, side, metric) for instance in (selected, nested))
    ours, theirs = own.value, nested_estimate.value
    if own.of != nested_estimate.of:
        ours, theirs = (instance.over_folds(side, metric)["mean"] for instance in (selected, nested))
    if ours is None or theirs is None:
        return None
    return ours - theirs if direction([selected], metric) else theirs - ours


def bias_text(bias: float) -> str:
    """Return a `selection_bias` with its sign."""
    return f"{'-' if bias <= -ROUNDING else '+'}{decimals(abs(bias))}"


def bias_words(bias: float) -> str:
    """Return a `selection_bias` in words, such as ``0.013 better``."""
    size = decimals(abs(bias))
    return "no better" if size == decimals(0.0) else f"{size} {'better' if bias > 0 else 'worse'}"


def describe_nested(done: Sequence[InstanceResults], ranking: Ranking, metric: str | None = None) -> tuple[str, str] | None:
    """Return the nested score, and a sentence on the score of the selected instance; None: nothing to choose.

    `metric` is a test metric; None: the first main metric of the task. The sentence has no full stop.
    """
    nested = choose_nested(done, ranking)
    if nested is None:
        return None
    metric = metric or nested.task.main_metrics[0]
    side = next((side for side in (test_side(done), "test") if metric in nested.metrics(side)), "test")
    selected = selected_method(done, ranking)
    if selected is None:
        return None
    bias = selection_bias(selected, nested, side, metric)
    said = "" if bias is None else f", which is {bias_words(bias)}"
    left_out = f" (without {name_numbers(nested.left_out)}: folds missing)" if nested.left_out else ""
    text = (
        f"Choosing among {nested.n_competing} variants{left_out} in each fold by its own validation reaches "
        f"{score_name(side, metric, done)} "
        f"{format_test(nested, side, metric)}."
    )
    called = call_method(selected, done)
    return text, f"the chosen {called} reaches {format_test(selected, side, metric)}{said}"


def _by_fold(
    instances: Mapping[int, InstanceResults], groups: Sequence[tuple[int, ...]], folds: Sequence[int], side: str, metric: str
) -> NDArray[np.float64]:
    """Return float64 (n_groups, n_folds), the mean of each group in each fold; NaN where one has no value."""
    values = {number: instance.fold_values(side, metric) for number, instance in instances.items()}
    return np.array([[np.mean([values[number].get(fold, np.nan) for number in group]) for fold in folds] for group in groups])
