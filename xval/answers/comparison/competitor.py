"""A test metric of a compared instance, by fold and seed, and by item."""

import math
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from xval.answers.comparison.item_values import ItemValues, measure_items
from xval.answers.summary import metric_words
from xval.base.errors import REMEDY, ResultsError
from xval.folds.plan import Fold
from xval.folds.random_split import is_random_split
from xval.results.instance import InstanceResults
from xval.results.job_key import JobKey
from xval.results.open import open_results


@dataclass(frozen=True)
class Competitor:
    """One metric of one instance.

    Attributes:
        name: What tables and sentences call the instance: ``3``, or ``results/demo/experiment_2:3`` of another experiment.
        instance: With its finished jobs.
        metric: A metric of the test side, computed for clips where clips are cut into windows.
        comment: Its name, as of `find_names`.
    """

    name: str
    instance: InstanceResults
    metric: str
    comment: str = ""
    _item_values: dict[frozenset[int], ItemValues | None] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def values(self) -> dict[JobKey, float]:
        """The score of each finished job; NaN: undefined."""
        side_values = (self.instance.values(side, self.metric) for side in ("test", "clip_test"))
        undefined = dict.fromkeys(self.instance.done, math.nan)
        return undefined | {key: value for values in side_values for key, value in values.items()}

    @cached_property
    def by_fold(self) -> dict[int, dict[int, float]]:
        """The scores by fold and repeat, without the folds in which one is undefined."""
        by_fold: dict[int, dict[int, float]] = {}
        for key, value in self.values.items():
            by_fold.setdefault(key.fold, {})[key.repeat] = value
        return {fold: by_repeat for fold, by_repeat in by_fold.items() if not any(map(math.isnan, by_repeat.values()))}

    @property
    def left_out(self) -> dict[int, str]:
        """The folds without a score, with the reason: ``failed: ...``, ``missing``, ``undefined``."""
        jobs = self.instance.not_done()
        reasons = {job["fold"]: f"failed: {job['error']}" if job["error"] else job["status"] for job in jobs}
        undefined = f"{metric_words(self.metric, [self.instance])} is undefined"
        return reasons | {key.fold: undefined for key, value in self.values.items() if math.isnan(value)}

    @property
    def is_random_split(self) -> bool:
        """Whether most tested clips are the only one of their item."""
        return is_random_split(self.instance.n_clips.values())

    def ratio(self, fold: int) -> float:
        """Return the number of test items of a fold divided by its number of training items; validation items do not count.

        Raises:
            ResultsError: A fold has no training item.
        """
        items = self.instance.folds[fold]["items"]
        if not items["training"]:
            key = next(key for key in self.instance.done if key.fold == fold)
            raise ResultsError(f"{self.instance.folder(key) / 'record.json'}: damaged, no item has trained. {REMEDY}")
        return len(items["test"]) / len(items["training"])

    def n_repeats(self, folds: Collection[int]) -> set[int]:
        """Return the number of seeds with which some folds were trained."""
        seeds = {(key.fold, self.instance.seed_of(key.repeat)) for key in self.instance.done if key.fold in folds}
        return set(Counter(fold for fold, _ in seeds).values())

    @cached_property
    def folds_by_repeat(self) -> tuple[tuple[Fold, ...], ...]:
        """The folds of each repeat."""
        return open_results(self.instance.experiment).folds.plan.folds_by_repeat

    def item_values(self, folds: frozenset[int]) -> ItemValues | None:
        """Return the scores of the items that some folds test; None: not known, as for a loss."""
        if folds not in self._item_values:
            self._item_values[folds] = measure_items(self.instance, self.metric, folds)
        return self._item_values[folds]


def test_metrics(instance: InstanceResults) -> list[str]:
    """Return the names of the test metrics of some job: those of clips, and those that only examples have, such as the loss."""
    return sorted({*instance.metrics("test"), *instance.metrics("clip_test")})


def are_alike(fold_repeats: Iterable[Sequence[Fold]], others: Iterable[Sequence[Fold]]) -> bool:
    """Return whether the repeats that both have use the same folds."""
    return all(own == other for own, other in zip(fold_repeats, others, strict=False))
