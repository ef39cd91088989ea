"""The repeats of each deal that are whole, and what was tested in them.

Comes in: an instance and its predictions.parquet files. Goes out: jobs, and `TestedExamples`, for each such repeat.
"""

from collections.abc import Iterable, Mapping
from copy import copy
from pathlib import Path

from xval.answers.deals import folds_of_deals
from xval.data.clip_average import Averaging
from xval.results.instance import InstanceResults
from xval.results.job_key import JobKey
from xval.results.tested_examples import TestedExamples, read_examples


def whole_repeats(instance: InstanceResults) -> list[dict[int, JobKey]]:
    """Return the jobs by fold, of each repeat of a deal that has all finished folds of the deal.

    All of them have the same items: those of the deal that has tested most so far.
    """
    deals = folds_of_deals(instance).values()
    items = [{item for fold in folds for item in instance.scores[instance.first_jobs[fold]].items} for folds in deals]
    whole = []
    for folds, tested in zip(deals, items, strict=True):
        by_repeat: dict[int, dict[int, JobKey]] = {}
        for key in instance.done:
            if key.fold in folds:
                by_repeat.setdefault(key.repeat, {})[key.fold] = key
        if tested == max(items, key=len):
            whole += [jobs for _, jobs in sorted(by_repeat.items()) if jobs.keys() == set(folds)]
    return whole


def read_repeats(
    instance: InstanceResults, repeats: Iterable[Mapping[int, JobKey]], averaging: Averaging | None
) -> list[TestedExamples]:
    """Return all that was tested in each repeat; the arguments are those of `whole_repeats` and `read_examples`."""
    class_names = next(iter(instance.folds.values())).get("class_names", [])
    read: dict[tuple[Path, ...], TestedExamples] = {}  # of instances that tie, repeats have the same jobs
    examples = []
    for jobs in repeats:
        paths = {fold: instance.predictions_file(key) for fold, key in jobs.items()}
        same = tuple(paths.values())
        read[same] = read.get(same) or read_examples(instance.task, paths, class_names, averaging)
        examples.append(copy(read[same]))
        examples[-1].seed = seed_of(instance, jobs)
    return examples


def seed_of(instance: InstanceResults, jobs: Mapping[int, JobKey]) -> int:
    """Return which seed a repeat has."""
    return instance.seed_of(next(iter(jobs.values())).repeat)
