"""An instance with the jobs that count, and the table of their scores.

All tables, rankings, comparisons and pictures use its columns, their means over the seeds of a fold, and over folds. An
undefined score is NaN here and None in files.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import fsum, isfinite, nan, sqrt
from pathlib import Path
from statistics import fmean
from typing import Any, TypedDict

from xval.base.errors import ResultsError
from xval.folds.shared_columns import SharedColumn
from xval.measures import binary
from xval.measures.metrics import Metric, find, lacks_class, metric_names
from xval.measures.task import ClassTask, Task
from xval.results.folder import ExperimentFolder
from xval.results.item_scores import ClassRecall, ItemScore, OverItems
from xval.results.job_key import JobKey
from xval.results.read import Record, WrittenInstance
from xval.results.scores import N_CLIPS, Scores
from xval.settings.further_metrics import positive_metrics
from xval.settings.randomness import count_repeats
from xval.settings.schema import Settings

_VALIDATION_SIDES = ("validation", "clip_validation")


class FoldSummary(TypedDict):
    """One metric over the folds of an instance.

    Attributes:
        mean: Mean; None if no fold has a value.
        std: Sample standard deviation (over n - 1); None if fewer than two folds have a value.
        n: Number of folds with a value; NaN is not a value.
        min: The smallest value of a fold.
        max: The largest value of a fold.
    """

    mean: float | None
    std: float | None
    n: int
    min: float | None
    max: float | None


@dataclass(frozen=True)
class InstanceResults:
    """An instance and the results of its jobs.

    Attributes:
        experiment: The folder of its experiment.
        written: Its settings.json.
        jobs: The records of its jobs that have ended and were made with its present settings on the present folds, done and
            failed, by fold and repeat.
        n_folds: Folds of the experiment, in all repeats together.
        n_fold_repeats: Number of repeats of the cross-validation.
        wanted: The requested jobs.
        scores: The scores of the finished jobs.
        over_items: Scores over items; None: not requested, or the predictions cannot be read.
        requested_metrics: The metrics that were requested after training, as written.
    """

    experiment: ExperimentFolder
    written: WrittenInstance
    jobs: Mapping[JobKey, Record]
    n_folds: int
    n_fold_repeats: int = 1
    wanted: Sequence[JobKey] = ()
    scores: Mapping[JobKey, Scores] = field(default_factory=dict)
    over_items: OverItems | None = None
    requested_metrics: Sequence[str] = ()
    _over_folds: dict[tuple[str, str], FoldSummary] = field(default_factory=dict, compare=False, repr=False)
    _lacks_class: dict[tuple[str, tuple[str, ...], tuple[int, ...]], bool] = field(
        default_factory=dict, compare=False, repr=False
    )

    @property
    def number(self) -> int:
        """Number of the instance."""
        return self.written.instance

    @property
    def settings(self) -> Settings:
        """Its settings."""
        return self.written.settings

    @property
    def parameters(self) -> dict[str, object]:
        """Every setting, and every option of the architecture, by name."""
        return self.written.parameters

    @property
    def task(self) -> Task:
        """The task of its models."""
        return self.written.task

    @property
    def keys(self) -> dict[str, Any]:
        """The columns that identify the instance."""
        return {"dataset": self.settings.dataset, "experiment": self.settings.num_experiment, "instance": self.number}

    @cached_property
    def done(self) -> dict[JobKey, Record]:
        """The records of the finished jobs."""
        return {key: record for key, record in self.jobs.items() if record["status"] == "done"}

    @cached_property
    def failed(self) -> dict[JobKey, Record]:
        """The records of the failed jobs."""
        return {key: record for key, record in self.jobs.items() if record["status"] == "failed"}

    @cached_property
    def first_jobs(self) -> dict[int, JobKey]:
        """The first finished job of each fold, for facts that its seeds share."""
        first: dict[int, JobKey] = {}
        for key in self.done:
            first.setdefault(key.fold, key)
        return first

    @cached_property
    def folds(self) -> dict[int, Record]:
        """The record of the first finished job of each fold: its items, classes and numbers of examples."""
        return {fold: self.done[key] for fold, key in self.first_jobs.items()}

    @cached_property
    def n_clips(self) -> dict[str, int]:
        """The number of tested clips of each item in the finished folds, also if an item has one decision."""
        counts: dict[str, int] = {}
        for key in self.first_jobs.values():
            counts |= self._count_clips(key)
        return counts

    @property
    def decides_items(self) -> bool:
        """Whether each item has one decision, combined from the predictions for its clips."""
        return self.settings.item_decision != "none"

    @property
    def shared_columns(self) -> list[SharedColumn]:
        """The columns of the corpus, as of the run, with a value on two sides of a fold; the worst first."""
        return [SharedColumn(**column) for column in self.written.shared_columns]

    def _count_answers(self, key: JobKey) -> int:
        """Return the number of predictions behind the scores of a job: of clips, or of items with one decision."""
        tested = self.scores[key].items
        return len(tested) if self.decides_items else sum(int(item[N_CLIPS]) for item in tested.values())

    def _count_clips(self, key: JobKey) -> dict[str, int]:
        """Return the number of tested clips of each item of a job; earlier versions counted a decision as one clip."""
        counts = {item: int(scores[N_CLIPS]) for item, scores in self.scores[key].items.items()}
        if not self.decides_items or sum(counts.values()) > len(counts):
            return counts
        from xval.results.tested_examples import count_clips  # here, because it loads pandas

        try:
            return counts | count_clips(self.predictions_file(key))
        except (OSError, ResultsError):
            return counts

    @property
    def folds_by_repeat(self) -> dict[int, list[int]]:
        """The finished folds of each repeat of the cross-validation with finished folds, by its number."""
        size = self.n_folds // self.n_fold_repeats
        folds: dict[int, list[int]] = {}
        for fold in self.folds:
            folds.setdefault((fold - 1) // size + 1, []).append(fold)
        return folds

    @property
    def failed_folds(self) -> set[int]:
        """The folds with a failed job."""
        return {key.fold for key in self.failed}

    @property
    def n_repeats(self) -> int:
        """The number of seeds with which each fold is trained."""
        return max([count_repeats(self.parameters), *(key.repeat for key in self.jobs)])

    @property
    def n_jobs(self) -> int:
        """Folds times repeats."""
        return self.n_folds * self.n_repeats

    @property
    def seconds(self) -> float:
        """The total time of all jobs."""
        return float(sum(record["seconds"] for record in self.jobs.values()))

    @property
    def n_parameters(self) -> int | None:
        """The number of parameters of the model, which is the same in all folds; None: not known."""
        return next((int(number) for record in self.done.values() if (number := record["n_parameters"]) is not None), None)

    @property
    def further_metrics(self) -> dict[str, bool]:
        """The metrics in addition to those of the task, with whether higher is better."""
        trained = {name: higher for record in self.done.values() for name, higher in record.get("further_metrics", {}).items()}
        added = {name: facts.higher_is_better for scores in self.scores.values() for name, facts in scores.added.items()}
        return trained | added

    def class_of(self, metric: str) -> str | None:
        """Return the class that a metric of one class is of; None: another metric, or no class is known."""
        if metric not in binary.NAMES:
            return None
        if metric in positive_metrics(self.task.name, self.settings.metrics):
            return self.settings.positive_class
        for written in self.requested_metrics:
            if written.startswith(binary.WRITTEN) and written.endswith(f".{metric}"):
                number = int(written.removeprefix(binary.WRITTEN).partition(".")[0])
                return next((record["class_names"][number] for record in self.done.values()), None)
        return None

    @cached_property
    def has_windows(self) -> bool:
        """Whether several examples share a prediction: the windows of a clip, or the clips of an item with one decision.

        Sequences of frames do not count, because scores are computed from all frames.
        """
        return self.task.target != "frame" and any(
            self.done[key]["n_examples"]["test"] > self._count_answers(key) for key in self.first_jobs.values()
        )

    def seed_of(self, repeat: int) -> int:
        """Return the number of the seed of a repeat, from 1."""
        return repeat

    def not_done(self) -> list[dict[str, Any]]:
        """Return the keys, status (failed or missing) and error of each wanted job that is not done."""
        jobs = []
        for key in self.wanted:
            if key not in self.done:
                status, error = ("failed", self.failed[key]["error"]) if key in self.failed else ("missing", None)
                jobs.append(self.keys | key._asdict() | {"status": status, "error": error})
        return jobs

    @property
    def estimates_file(self) -> Path:
        """The file of scores from its predictions."""
        return self.experiment.estimates_file(self.number)

    def trained_job(self, key: JobKey) -> JobKey:
        """Return the job that was trained for one of its jobs: the job itself."""
        return key

    def folder(self, key: JobKey) -> Path:
        """Return the folder of a job."""
        return self.experiment.fold_folder(*self.trained_job(key))

    def predictions_file(self, key: JobKey) -> Path:
        """Return the predictions.parquet of a job."""
        return self.folder(key) / "predictions.parquet"

    def metrics(self, side: str) -> list[str]:
        """Return the metrics of a side (of `SIDES`) that some finished job has."""
        return list(dict.fromkeys(name for key in self.done for name in self.scores[key].side(side)))

    def values(self, side: str, metric: str) -> dict[JobKey, float]:
        """Return a metric on a side for each finished job that has it; NaN: undefined, or not `says_enough`."""
        found = {key: scores[metric] for key in self.done if metric in (scores := self.scores[key].side(side))}
        if side not in _VALIDATION_SIDES:
            return found
        return {key: value if self.says_enough(key, side, metric) else nan for key, value in found.items()}

    def says_enough(self, key: JobKey, side: str, metric: str) -> bool:
        """Return whether the validation clips of a job include each class of a metric; True for other sides."""
        if side not in _VALIDATION_SIDES or metric in self.task.loss_metrics:
            return True
        counts = self._validation_classes[key]
        case = metric, tuple(counts), tuple(number for number, n_clips in enumerate(counts.values()) if n_clips)
        if case not in self._lacks_class:  # the folds of an instance are few cases
            _, names, present = case
            self._lacks_class[case] = bool(names) and lacks_class(self._find_metric(metric, names), len(names), present)
        return not self._lacks_class[case]

    def unvalidated_classes(self, key: JobKey) -> list[str]:
        """Return the classes without a validation clip in a job; empty if this is not known."""
        return [name for name, n_clips in self._validation_classes[key].items() if not n_clips]

    @cached_property
    def _validation_classes(self) -> dict[JobKey, dict[str, int]]:
        """The number of validation clips of each class in each finished job; empty without classes, or if not known."""
        return {key: self._count_validation_classes(key) for key in self.done}

    def _count_validation_classes(self, key: JobKey) -> dict[str, int]:
        record = self.done[key]
        if "validation_classes" in record or not isinstance(self.task, ClassTask):
            return dict(record.get("validation_classes", {}))
        from xval.results.tested_examples import count_validation_classes  # here, because it loads pandas

        try:  # a record of an earlier version
            return count_validation_classes(self.predictions_file(key), tuple(record.get("class_names", ())))
        except (OSError, ResultsError):
            return {}

    def _find_metric(self, name: str, class_names: Sequence[str]) -> Metric | None:
        positive = self.settings.positive_number(class_names)
        if name in metric_names(self.task.name):
            return find(self.task.name, name)
        return binary.find(name, positive) if name in binary.NAMES and positive is not None else None

    def fold_values(self, side: str, metric: str) -> dict[int, float]:
        """Return the mean over the seeds of each fold, without folds in which the metric is undefined."""
        values_by_fold: dict[int, list[float]] = {}
        for key, value in self.values(side, metric).items():
            if isfinite(value):
                values_by_fold.setdefault(key.fold, []).append(value)
        return {fold: mean_of(values) for fold, values in values_by_fold.items()}

    def over_folds(self, side: str, metric: str) -> FoldSummary:
        """Return a metric on a side over folds; without values if it was never computed."""
        if (side, metric) not in self._over_folds:
            values = list(self.fold_values(side, metric).values())
            self._over_folds[side, metric] = FoldSummary(
                mean=fmean(values) if values else None,
                std=_deviation(values) if len(values) > 1 else None,
                n=len(values),
                min=min(values, default=None),
                max=max(values, default=None),
            )
        return self._over_folds[side, metric]

    def item_score(self, side: str, metric: str) -> ItemScore | None:
        """Return a test metric over items, or None if it is not known."""
        if self.over_items is None:
            return None
        scores = self.over_items["figures"]
        return scores.get(side, scores.get("test", {}) if side == "clip_test" else {}).get(metric)

    @property
    def class_recalls(self) -> Mapping[str, ClassRecall]:
        """The known recalls of the classes of clips, by name."""
        return self.over_items.get("classes", {}) if self.over_items else {}

    def rows(self, *, with_items: bool = True) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of the table: instance, fold, repeat, side, item, metric, value.

        Rows are in the order of the jobs; those of a whole side (item empty) come before those of its items.
        """
        for key in self.done:
            for row in self.scores[key].rows():
                if not row.item:
                    yield (*key, *row[:3], row.value if self.says_enough(key, row.side, row.metric) else nan)
                elif with_items:
                    yield (*key, *row)


@dataclass(frozen=True)
class JointInstance(InstanceResults):
    """Jobs of several instances of an experiment as one instance, which has the number and the settings of one of them.

    Attributes:
        originals: The original job of each of its jobs; several of its repeats may have the same one.
    """

    originals: Mapping[JobKey, JobKey] = field(default_factory=dict)

    @property
    def estimates_file(self) -> Path:
        """The file of scores that were computed from the predictions of jobs of several instances."""
        return self.experiment.nested_estimates_file

    def trained_job(self, key: JobKey) -> JobKey:
        """Return the original job of one of its jobs."""
        return self.originals[key]


@dataclass(frozen=True)
class JoinedSeeds(JointInstance):
    """Instances that differ only in their seed, as one.

    Attributes:
        parts: The instances, whose jobs are its repeats, one after the other. Where no seed changes the model, it is one.
        left_out: The seeds of the instances that are no parts, because they have other finished folds.
    """

    parts: Sequence[InstanceResults] = ()
    left_out: Sequence[int] = ()

    @property
    def parameters(self) -> dict[str, object]:
        """Every setting and option by name, but for the seed."""
        return {name: value for name, value in self.written.parameters.items() if name != "seed"}

    @property
    def seeds(self) -> str:
        """The seeds in words: ``mean of seeds 1, 2``, or ``seed 1`` where there is one part."""
        listed = ", ".join(str(part.settings.seed) for part in self.parts)
        return f"mean of seeds {listed}" if len(self.parts) > 1 else f"seed {listed}"


def mean_of(values: Sequence[float]) -> float:
    """Return the mean of numbers; for equal numbers exactly that number, without rounding errors."""
    return fmean(values) if len(set(values)) > 1 else values[0]


def _deviation(numbers: Sequence[float]) -> float:
    """Return the sample standard deviation, 0 for equal numbers, ten times faster than `statistics.stdev`."""
    shifted = [number - numbers[0] for number in numbers]
    mean = fsum(shifted) / len(shifted)
    return sqrt(fsum([(number - mean) * (number - mean) for number in shifted]) / (len(shifted) - 1))
