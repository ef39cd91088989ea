"""Test whether one instance is above chance by training its estimator again with permuted labels.

Models of one cross-validation are trained on each other's test items, so their scores are correlated, which intervals over
items ignore. Training again with permuted labels gives the distribution of chance scores in this study, and the test is exact
(Ojala and Garriga, JMLR 11, 2010; Phipson and Smyth, SAGMB 9, 2010: p is never 0).

Labels are permuted within units that are exchangeable under the null hypothesis. If each item has one class (a diagnosis),
items exchange places: an item takes the label of another and its place in the folds, which are stratified by label. Otherwise
the labels of the clips of each item are permuted, so that both distributions include the score of knowing the item.
"""

import math
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from preprocessing.console import progress_bar
from preprocessing.corpus import open_corpus
from preprocessing.store import FeatureStore
from xval.answers.estimates import over_items_of
from xval.answers.metric_over_items import MetricOverItems
from xval.answers.score_text import decimals, format_time
from xval.answers.summary import metric_words
from xval.answers.training_runs import whole_repeats
from xval.base.errors import ResultsError, SettingsError, counted, plural_of, verb_of
from xval.base.item_word import ITEM
from xval.base.json_files import write_json
from xval.engine.learners.estimator import PooledFeatures, fit_features
from xval.experiment.feature_stores import make_instance_store
from xval.folds.plan import Fold
from xval.folds.predefined import SIDES
from xval.jobs.job import Job, job_seed
from xval.jobs.observers import Observers
from xval.jobs.plan import make_job
from xval.jobs.written_settings import restore_instance
from xval.measures.metrics import find
from xval.results.instance import InstanceResults
from xval.results.item_scores import ItemScore
from xval.results.job_key import JobKey
from xval.results.open import open_results
from xval.results.tested_examples import TestedExamples, read_examples
from xval.settings.classical import CLASSICAL

FILE_NAME = "permutation_test.json"
_LEVEL = 0.025  # one-sided, as of a 95 % interval that is above chance
FEWEST = round(1 / _LEVEL) - 1
"""The number of permutations, which limits how small p can be."""
_LEAST_SHARE = 0.1  # of the variance of the labels; with less, permuted labels are nearly the true ones
_MOST_SECONDS = 3600
_ROUNDING = 1e-9
_SAME = 1e-6  # values that differ by less are of the same training

Targets = Mapping[str, NDArray[Any]]
"""Targets of the examples of each item, in the order of its rows."""


class PermutationTest(NamedTuple):
    """The result of a permutation test.

    Attributes:
        value: The score of the instance.
        permuted: Its score with each permutation; NaN: undefined.
        n_as_high: Number of permutations that are at least as good, including undefined ones.
        permutes_items: Whether items exchange places; False: labels of clips are permuted within items.
    """

    metric: str
    value: float
    permuted: tuple[float, ...]
    n_as_high: int
    permutes_items: bool

    @property
    def p(self) -> float:
        """The one-sided p value."""
        return (1 + self.n_as_high) / (1 + len(self.permuted))


@dataclass(frozen=True)
class _PermutedStore(FeatureStore):
    """A feature store with replaced targets."""

    permuted: Targets = field(default_factory=dict)

    def targets(self, item: str | int | None = None) -> Any:
        return np.concatenate([self.permuted[name] for name in (self.items if item is None else [str(item)])])


class _KeptFeatures(PooledFeatures):
    """The features of examples, which are pooled once for all permutations."""

    def __init__(self, kept: dict[tuple[str, int], NDArray[np.float32]], job: Job, store: FeatureStore) -> None:
        super().__init__(job, store)
        self._kept = kept

    def of(self, examples: Any) -> NDArray[np.float32]:
        rows = list(zip(examples.table["item"], examples.table["row"].tolist(), strict=True))
        if not all(row in self._kept for row in rows):
            self._kept.update(zip(rows, super().of(examples), strict=True))
        return np.array([self._kept[row] for row in rows])


@dataclass(frozen=True)
class _Study:
    """An instance, and the corpus that it was trained on.

    Attributes:
        repeats: The jobs of each repeat, by fold.
        score: The tested score.
        sources: The original clip of each augmented clip.
    """

    instance: InstanceResults
    repeats: Sequence[Mapping[int, JobKey]]
    metric: str
    score: ItemScore
    store: FeatureStore
    sources: Mapping[str, str]
    kept: dict[tuple[str, int], NDArray[np.float32]] = field(default_factory=dict)

    @cached_property
    def targets(self) -> dict[str, NDArray[Any]]:
        return {item: np.asarray(self.store.targets(item)) for item in self.store.items}

    @cached_property
    def permutes_items(self) -> bool:
        """Whether each item has one class, or one number."""
        return all(bool((item_labels == item_labels[0]).all()) for item_labels in self.targets.values())

    @cached_property
    def items(self) -> list[str]:
        return sorted({item for record in self.instance.folds.values() for side in SIDES for item in record["items"][side]})

    @cached_property
    def clips(self) -> dict[str, NDArray[np.intp]]:
        """For each item, the number of the clip of each of its examples."""
        return {
            str(item): np.unique([self.sources.get(clip, clip) for clip in rows["clip"]], return_inverse=True)[1]
            for item, rows in self.store.examples.groupby("item")
        }

    def count_ways(self) -> float:
        """Return the logarithm of the number of different ways to permute the labels."""
        if self.permutes_items:
            return _log_ways(np.array([self.targets[item][0] for item in self.items]))
        return math.fsum(_log_ways(self._clip_labels(item)) for item in self.items)

    def share_permuted(self) -> float:
        """Return the share of the variance of the labels that is within items, where they are permuted.

        For classes, which are 0 or 1 each, this is how often permuting changes a label, divided by the same value among all
        clips.
        """
        label_groups = [self._clip_labels(item) for item in self.items]
        labels = np.concatenate(label_groups)
        if labels.dtype.kind not in "fc":
            numbers = np.unique(labels, axis=0, return_inverse=True)[1].reshape(-1)
            labels = np.eye(numbers.max() + 1)[numbers]
        labels = labels.reshape(len(labels), -1).astype(np.float64)
        parts = np.split(labels, np.cumsum([len(item_labels) for item_labels in label_groups])[:-1])
        within = sum(((part - part.mean(axis=0)) ** 2).sum(axis=0) for part in parts)
        total = ((labels - labels.mean(axis=0)) ** 2).sum(axis=0)
        weights = np.ones(len(total)) if self.targets[self.items[0]].dtype.kind in "fc" else total  # outputs have other units
        varies = total > 0
        if not varies.any():
            return 1.0  # only one label, which `count_ways` refuses
        return float((within / np.where(varies, total, 1))[varies] @ weights[varies] / weights[varies].sum())

    def _clip_labels(self, item: str) -> NDArray[Any]:
        return self.targets[item][np.unique(self.clips[item], return_index=True)[1]]

    def permute(self, rng: np.random.Generator) -> tuple[Targets, Mapping[str, str]]:
        """Return permuted targets, and the item that replaces each item."""
        if not self.permutes_items:
            permuted = {item: rng.permutation(self._clip_labels(item))[self.clips[item]] for item in self.items}
            return self.targets | permuted, {}
        in_place_of = dict(zip(self.items, rng.permutation(np.array(self.items, object)).tolist(), strict=True))
        moved = {
            other: np.repeat(self.targets[item][:1], len(self.targets[other]), axis=0) for item, other in in_place_of.items()
        }
        return self.targets | moved, in_place_of

    def train(self, job: Job, targets: Targets, in_place_of: Mapping[str, str]) -> float:
        """Return the score of the instance with these targets, trained on all folds with all seeds."""
        store = _PermutedStore(self.store.folder, self.store.description, targets)
        settings, task = self.instance.settings, self.instance.task
        averaging = settings.averaging if self.instance.has_windows or settings.item_decision != "none" else None
        with tempfile.TemporaryDirectory(prefix="xval_permuted_") as folder:
            examples: list[TestedExamples] = []
            for number, jobs in enumerate(self.repeats):
                paths, class_names = {}, []
                for fold, key in jobs.items():
                    sides = (self.instance.done[key]["items"][side] for side in SIDES)
                    moved = [tuple(sorted(in_place_of.get(item, item) for item in side_items)) for side_items in sides]
                    own = replace(
                        job, fold=Fold(fold, *moved), repeat=key.repeat, seed=job_seed(settings.seed, fold, key.repeat)
                    )
                    place = Path(folder) / f"{number}_{fold}"
                    place.mkdir()
                    evaluation = fit_features(own, store, _KeptFeatures(self.kept, own, store)).evaluate(Observers())
                    evaluation.write(place)
                    paths[fold], class_names = place / "predictions.parquet", evaluation.facts["class_names"]
                examples.append(read_examples(task, paths, class_names, averaging))
        return MetricOverItems(find(task.name, self.metric), examples, is_mean=self.score["of"] == "items").score()


def permute_labels(instance: InstanceResults, n_permutations: int, console: Console, *, is_agreed: bool) -> PermutationTest:
    """Return the permutation test of an instance that is an estimator, and write it into the folder of the instance.

    Args:
        instance: An instance without scores over items.
        n_permutations: Number of permutations.
        console: Prints the estimated duration.
        is_agreed: Whether it may take more than an hour.

    Raises:
        SettingsError: The instance is not an estimator, or the test would take more than an hour without `is_agreed`.
        ResultsError: A file is missing or has changed, or labels can be permuted in too few ways.
    """
    _refuse_what_cannot(instance, n_permutations)
    study, job = _read(instance, console)
    item = _item_word(instance)
    if not study.permutes_items and (share := study.share_permuted()) < _LEAST_SHARE:
        raise ResultsError(
            f"instance {instance.number}: nearly every {item} has one label: {share:.1%} of the variance of the labels is "
            f"within {plural_of(item)}, where they are permuted; expected {_LEAST_SHARE:.0%} or more, because permuted labels "
            f"are nearly the true ones otherwise. Report the interval, or give each {item} one label if that is the truth."
        )
    if study.count_ways() < math.log(FEWEST + 1) - _ROUNDING:
        ways = round(math.exp(study.count_ways()))
        raise ResultsError(
            f"instance {instance.number}: its labels can be permuted in only {ways} ways; expected at least {FEWEST + 1}, "
            f"so that p can reach {_LEVEL}. Test more {plural_of(item)}."
        )
    begun = time.perf_counter()
    known = float(study.score[study.score["of"]] or math.nan)
    value = study.train(job, study.targets, {})
    seconds = (time.perf_counter() - begun) * n_permutations
    if not abs(value - known) <= _SAME * max(1, abs(known)):
        raise ResultsError(
            f"instance {instance.number}: training again gives {metric_words(study.metric)} {value:.6f}, but its folds have "
            f"{known:.6f}, because the code, the features or scikit-learn have changed. Run the instance again (--overwrite), "
            "then test it."
        )
    console.print(
        f"{counted(n_permutations, 'permutation')} {verb_of(n_permutations, 'take')} about {format_time(seconds)} on one core."
    )
    if seconds > _MOST_SECONDS and not is_agreed:
        raise SettingsError(
            f"--permutations {n_permutations}: takes about {format_time(seconds)}. Add --yes, or give a smaller number."
        )
    rng, permuted = np.random.default_rng(instance.settings.seed), list[float]()
    with progress_bar(console, "Training with permuted labels", noun="permutations") as advance:
        for done in range(1, n_permutations + 1):
            permuted.append(study.train(job, *study.permute(rng)))
            advance(done, n_permutations)
    sign = 1 if find(instance.task.name, study.metric).higher_is_better else -1
    n_as_high = sum(not sign * (other - value) < -_ROUNDING for other in permuted)  # NaN counts
    test = PermutationTest(study.metric, value, tuple(permuted), n_as_high, study.permutes_items)
    written = test._asdict() | {"permuted": [round(other, 6) for other in permuted], "p": test.p}
    write_json(instance.experiment.instance_folder(instance.number) / FILE_NAME, written)
    return test


def describe_test(test: PermutationTest, instance: InstanceResults, n_competing: int) -> list[str]:
    """Return the result of a permutation test in sentences."""
    item = _item_word(instance)
    how = f"each {item} got the label and the folds of another" if test.permutes_items else (
        f"the labels of the clips of each {item} were permuted"
    )  # fmt: skip
    known = [value for value in test.permuted if not math.isnan(value)]
    is_higher = find(instance.task.name, test.metric).higher_is_better
    above, best = ("above chance", f"highest {decimals(max(known))}" if known else "") if is_higher else (
        "better than chance", f"lowest {decimals(min(known))}" if known else ""
    )  # fmt: skip
    verdict = above if test.p <= _LEVEL else f"not significantly {above}"
    reached = f"mean {decimals(float(np.mean(known)))}, {best}" if known else "undefined"
    lines = [
        (
            f"Instance {instance.number}: test {metric_words(test.metric)} {decimals(test.value)}; with permuted labels: "
            f"{reached}."
        ),
        (
            f"It is {verdict}: p = {test.p:.3f}, one-sided, at the level {_LEVEL} ({test.n_as_high} of {len(test.permuted)} "
            f"permutations {verb_of(test.n_as_high)} as good; {how})."
        ),
    ]
    if n_competing > 1:
        lines.append(
            f"p is for this one variant. If it was chosen among the {n_competing} variants, report the nested estimate and "
            "its interval."
        )
    return lines


def _refuse_what_cannot(instance: InstanceResults, n_permutations: int) -> None:
    if n_permutations < FEWEST:
        raise SettingsError(
            f"--permutations {n_permutations}: p could be {1 / (1 + n_permutations):.3g} at best. Give {FEWEST} or more, so "
            f"that it can be {_LEVEL}, the level of 'above chance' (one-sided)."
        )
    settings, where = instance.settings, f"instance {instance.number}"
    if settings.architecture not in CLASSICAL:
        cost = format_time(instance.seconds * n_permutations)
        raise SettingsError(
            f"{where} has architecture '{settings.architecture}', but labels are permuted only for estimators "
            f"({', '.join(CLASSICAL)}). {n_permutations} trainings of all its folds would take about {cost}. Test an "
            "estimator on the same features, or report the interval."
        )
    given = [name for name in ("search", "train_where", "test_where", "enrolment_s") if getattr(settings, name) is not None]
    if given:
        raise SettingsError(f"{where} has {given[0]}, which does not support permuted labels. Test an instance without it.")


def _read(result: InstanceResults, console: Console) -> tuple[_Study, Job]:
    """Return the study of an instance, and one of its jobs."""
    folder, number = result.experiment, result.number
    results = open_results(folder)
    over_items = over_items_of(result, [])
    metric = result.task.main_metrics[0]
    score = replace(result, over_items=over_items).item_score("clip_test" if result.has_windows else "test", metric)
    repeats = whole_repeats(result)
    if score is None or score[score["of"]] is None or sum(map(len, repeats)) < result.n_jobs:
        raise ResultsError(
            f"{folder.instance_folder(number)}: {sum(map(len, repeats))} of {counted(result.n_jobs, 'job')} "
            f"{verb_of(sum(map(len, repeats)), 'have')} a test {metric_words(metric)} of complete repeats, but a "
            "permutation test needs all of them. Run the instance first."
        )
    instance, folds = restore_instance(folder, number), results.folds.plan
    corpus = open_corpus(instance.settings.dataset, Path(instance.settings.data_folder))
    if corpus.index_hash != folds.index_hash:
        raise ResultsError(
            f"dataset '{instance.settings.dataset}' in {corpus.folder} is not the one from which the folds were made. Run "
            "the experiment again with --overwrite."
        )
    store = make_instance_store(corpus, instance, console, where=f"instance {number}")
    augmented = corpus.index[corpus.index["augmented"].astype(bool)]
    sources = dict(zip(augmented["clip"], augmented["source_clip"], strict=True))
    job = make_job(folder, instance, folds.folds[0], folds.hash, store=store.folder, code=Path(), own_code={})
    return _Study(result, repeats, metric, score, store, sources), job


def _log_ways(labels: NDArray[Any]) -> float:
    """Return the logarithm of the number of different orders of labels."""
    counts = np.unique(labels, axis=0, return_counts=True)[1]
    return math.lgamma(len(labels) + 1) - math.fsum(math.lgamma(int(count) + 1) for count in counts)


def _item_word(instance: InstanceResults) -> str:
    return instance.written.item_word or ITEM
