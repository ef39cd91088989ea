"""One test metric of an instance: per fold and repeat, and per item where the figure of a fold is the mean over its items.

Comes in: an instance. Goes out: a `Competitor`.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

from xval.answers.tested_items import item_means
from xval.base.errors import REMEDY, ResultsError
from xval.base.numbers import finite_or_nan
from xval.folds.random_split import is_random_split
from xval.results.instance import InstanceResults
from xval.results.job_key import JobKey

_ROUNDING = 1e-6  # metrics are float64; some are computed of float32


@dataclass(frozen=True)
class Competitor:
    """One metric of one instance.

    Attributes:
        name: What tables and sentences call the instance: ``3``, or ``results/demo/experiment_2:3`` of another experiment.
        instance: With its finished jobs.
        metric: Of the test side; of clips where clips are cut into windows.
        comment: Its name, as of `find_names`.
    """

    name: str
    instance: InstanceResults
    metric: str
    comment: str = ""

    @cached_property
    def values(self) -> dict[JobKey, float]:
        """The figure of each finished job; NaN: undefined."""
        of_sides = (self.instance.values(side, self.metric) for side in ("test", "clip_test"))
        undefined = dict.fromkeys(self.instance.done, math.nan)
        return undefined | {key: value for values in of_sides for key, value in values.items()}

    @cached_property
    def by_fold(self) -> dict[int, dict[int, float]]:
        """The figures by fold and repeat, without the folds in which one is undefined."""
        by_fold: dict[int, dict[int, float]] = {}
        for key, value in self.values.items():
            by_fold.setdefault(key.fold, {})[key.repeat] = value
        return {fold: by_repeat for fold, by_repeat in by_fold.items() if not any(map(math.isnan, by_repeat.values()))}

    @property
    def left_out(self) -> dict[int, str]:
        """The folds without a figure, and why: ``failed: ...``, ``missing``, ``undefined``."""
        jobs = self.instance.not_done()
        reasons = {job["fold"]: f"failed: {job['error']}" if job["error"] else job["status"] for job in jobs}
        return reasons | {key.fold: f"{self.metric} is undefined" for key, value in self.values.items() if math.isnan(value)}

    @property
    def is_random_split(self) -> bool:
        """Whether most tested clips are the only one of their item."""
        return is_random_split(self.instance.n_clips.values())

    @cached_property
    def ratios(self) -> dict[JobKey, float]:
        """The number of items that a job tests, over that of the items that trained, without those that validated.

        Raises:
            ResultsError: No item has trained.
        """
        ratios = {}
        for key, record in self.instance.done.items():
            if not record["items"]["training"]:
                raise ResultsError(f"{self.instance.folder(key) / 'record.json'}: damaged, no item has trained. {REMEDY}")
            ratios[key] = len(record["items"]["test"]) / len(record["items"]["training"])
        return ratios

    def tested(self, fold: int) -> list[str]:
        """Return the items that a fold tests."""
        return list(self.instance.folds[fold]["items"]["test"])

    def item_values(self, folds: Collection[int]) -> dict[str, float]:
        """Return the figure of each item that some folds test, averaged over repeats, then over deals.

        Empty: in one of them the figure is not the mean over items, weighted by clips (F1, AUC).
        """
        if not all(self._is_mean_over_items(key) for key in self.instance.done if key.fold in folds):
            return {}
        return {item: figures.get(self.metric, math.nan) for item, figures in item_means(self.instance, folds).items()}

    def _is_mean_over_items(self, key: JobKey) -> bool:
        items = self.instance.done[key]["item_metrics"]["test"].values()
        n_clips = sum(figures["n_clips"] for figures in items)
        weighted = math.fsum(finite_or_nan(figures.get(self.metric)) * figures["n_clips"] for figures in items)
        return n_clips > 0 and math.isclose(weighted / n_clips, self.values[key], rel_tol=_ROUNDING, abs_tol=_ROUNDING)


def test_metrics(instance: InstanceResults) -> list[str]:
    """Return the names of the test metrics that some job has: of clips, and of examples where clips have none, as the loss."""
    return sorted({*instance.metrics("test"), *instance.metrics("clip_test")})
