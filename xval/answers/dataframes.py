"""The results of experiments as pandas DataFrames: every score of every fold, and of every instance.

`xval.answers.predictions` has the predictions.

    from xval import load_results
    table = load_results("results/demo/experiment_1")
    folds = table.query("side == 'test' and metric == 'accuracy'").groupby(["instance", "fold"])["value"].mean()
    folds.groupby("instance").agg(["mean", "std"])
"""

import math
import warnings
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import pandas as pd

from xval.answers.estimates import with_bootstrap
from xval.answers.pretrained import clause, judge_instance
from xval.answers.ranking import rank_instances, tested_columns
from xval.answers.read import read_instance
from xval.answers.summary import chance_level, differing_parameters
from xval.base.errors import ResultsError, SettingsError, counted, suggestion
from xval.base.garbage_collection import without_collector
from xval.base.numbers import finite_or_nan
from xval.results.find_instances import find_instances
from xval.results.instance import InstanceResults
from xval.results.job_key import JobKey
from xval.results.named import RESULTS_FOLDER, given_path
from xval.results.open import open_results

_DTYPES = {
    "dataset": "str", "experiment": "int64", "instance": "int64", "fold": "int64", "repeat": "int64", "side": "str",
    "metric": "str", "value": "float64",
}  # fmt: skip
# What is read most is at both ends: a printed table leaves out the columns in the middle.
_SCORE_DTYPES = {
    "instance": "int64", "side": "str", "metric": "str", "mean": "float64", "std": "float64", "n_folds": "int64",
    "dataset": "str", "experiment": "int64", "items": "float64", "n_items": "int64", "strategy": "str", "method": "object",
    "covers": "object",
    "of": "str", "chance": "float64", "pooled": "float64", "low": "float64", "high": "float64",
}  # fmt: skip
_JOB_DTYPES = {
    "dataset": "str", "experiment": "int64", "instance": "int64", "fold": "int64", "repeat": "int64", "deal": "int64",
    "status": "str", "counts": "bool", "seconds": "float64", "error": "str", "settings_hash": "str", "folds_hash": "str",
    "code_hash": "str", "path": "str",
}  # fmt: skip
IntervalKind = Literal["t", "bootstrap", "bca"]
"""How `load_scores` computes intervals."""
_ITEM_SIDE = "item_test"
_DESCRIBED = ("comment_1", "comment_2", "architecture")


def load_results(folder: str | Path, *, parameters: bool = True, items: bool = False) -> pd.DataFrame:
    """Return the metrics of finished folds: one row per instance, fold, repeat, side and metric.

    Average over the repeats (seeds) of a fold before you average over folds. With several repeats of the cross-validation, the
    folds of the second one continue the numbers of the first, so each item is tested by one fold of each repeat.

    Args:
        folder: ``results/<dataset>/experiment_<n>``, or one instance or fold folder in it; or a folder of several experiments,
            such as ``results`` or ``results/<dataset>``.
        parameters: Add columns for comment_1, comment_2, architecture and every parameter that differs between the instances;
            sequences are tuples. A parameter with the name of another column is called parameter_<name>.
        items: Add a column ``item``, and rows of the side ``item_test`` for each test item, with n_clips among the metrics.

    Returns:
        The columns dataset (text), experiment, instance, fold, repeat (int64), side, metric (text), value (float64; NaN:
        undefined), item (text) if requested, then the parameters; rows are sorted by experiment, instance, fold, repeat, side.
        The sides: training, validation and test, for examples (without ``evaluate_training``, training has only the loss and
        the accuracy or error of the training itself); clip_validation and clip_test, for clips; chance, the score of a constant
        prediction on the test examples. ``table.attrs["not_done"]`` lists the folds without rows, each a dict of dataset,
        experiment, instance, fold, repeat, status (``failed``, or ``missing``: not run yet, or run with other settings) and
        error.

    Warns:
        UserWarning: Folds failed or are missing, so means over folds leave test items out.

    Raises:
        ResultsError: There is no experiment, a file is missing or damaged, or two folders hold the same experiment.
    """
    dtypes = _DTYPES | ({"item": "str"} if items else {})
    rows: list[tuple[Any, ...]] = []
    with without_collector():
        instances = find_instances(given_path("load_results(): folder", folder, RESULTS_FOLDER))
        described = _parameter_columns(instances, taken=dtypes) if parameters else {}
        for instance in instances:
            instance_values = tuple(_plain(instance.written.parameters.get(name)) for name in described.values())
            rows += [(*row, *instance_values) for row in _rows(instance, with_items=items)]
        table = pd.DataFrame(rows, columns=[*dtypes, *described]).astype(dtypes)
    table.attrs["not_done"] = warn_of_not_done(instances)
    return table


def load_jobs(folder: str | Path) -> pd.DataFrame:
    """Return a row for each job that has ended, including jobs of former settings or folds; damaged records are skipped.

    Args:
        folder: As for `load_results`.

    Returns:
        dataset (text), experiment, instance, fold, repeat (int64); deal (int64, the number of the repeat of the
        cross-validation; 0: of none); status (``done``, ``failed``); counts (bool, whether the job has the present settings and
        folds); seconds (float64); error (text,
        empty: none); settings_hash, folds_hash, code_hash and path (text).

    Raises:
        ResultsError: There is no experiment, or a file is damaged.
    """
    rows = []
    for instance in find_instances(given_path("load_jobs(): folder", folder, RESULTS_FOLDER)):
        results = open_results(instance.experiment)
        chosen = instance.wanted if JobKey.from_folder(0, Path(folder).resolve().name) else None
        for key, record in results.records(instance.number, chosen)[0].items():
            counts, path = key in instance.jobs, str(instance.folder(key))
            facts = (record["status"], counts, record["seconds"], record.get("error", ""))
            hashes = (record[name] for name in ("settings_hash", "folds_hash", "code_hash"))
            keys = instance.keys | key._asdict()
            rows.append((*keys.values(), results.folds.plan.fold_repeat_of(key.fold) or 0, *facts, *hashes, path))
    return pd.DataFrame(rows, columns=list(_JOB_DTYPES)).astype(_JOB_DTYPES)


def load_scores(folder: str | Path, *, interval: IntervalKind = "t") -> pd.DataFrame:
    """Return the test scores of instances, a row per metric, with 95 % intervals over items and chance.

    Args:
        folder: As for `load_results`, but no single fold.
        interval: ``t``, which covers best where items are few; ``bootstrap``: percentiles of 2,000 resamples of items;
            ``bca``: bias-corrected and accelerated ones. A bootstrap takes seconds per metric; a score that would take minutes
            has no interval.

    Returns:
        A row per instance, side (test; clip_test if clips are cut into windows) and metric. The columns instance (int64), side,
        metric (text); mean, std and n_folds of the folds; dataset (text), experiment (int64); items, the mean over items;
        n_items; pooled, computed from all test examples of all folds; low and high, the interval of the score that ``of``
        names, computed by ``method``; it covers ``covers`` (these trained ``models``, or the ``method``); chance, the score of
        ``strategy``, which ignores the audio. NaN, None: undefined. ``table.attrs["not_done"]``: as for `load_results`.

    Warns:
        UserWarning: Folds failed or are missing.

    Raises:
        ResultsError: There is no experiment, a file is missing or damaged, two folders hold the same experiment, or it is the
            folder of a fold.
    """
    if interval not in (known := get_args(IntervalKind)):
        raise SettingsError(f"interval='{interval}'. {suggestion(interval, known)}")
    given = given_path("load_scores(): folder", folder, RESULTS_FOLDER)
    instances, path = find_instances(given), given.resolve()
    if JobKey.from_folder(0, path.name):
        raise ResultsError(f"{folder}: scores over items need all folds. Give the folder of the instance, {path.parent}.")
    rows = []
    for place in instances:
        instance = read_instance(place.experiment, place.number)
        if instance is None or instance.over_items is None:
            continue
        if interval != "t":
            instance = with_bootstrap(instance, interval)
        over_items: Any = instance.over_items
        for side, scores in over_items["figures"].items():
            for metric, item_score in scores.items():
                folds = instance.over_folds(side, metric)
                fold_statistics = {"mean": folds["mean"], "std": folds["std"], "n_folds": folds["n"]}
                names = {"side": side, "metric": metric, "n_items": over_items["n_items"]}
                rows.append(instance.keys | names | fold_statistics | item_score)
    table = pd.DataFrame(rows, columns=list(_SCORE_DTYPES)).astype(_SCORE_DTYPES)
    table.attrs["not_done"] = warn_of_not_done(instances)
    return table


def summarize(instances: Sequence[InstanceResults]) -> pd.DataFrame:
    """Return the table at the end of a run as numbers: a row per instance, for at least one instance.

    Returns:
        By instance (int64): is_selected (bool), whether the validation scores select it; comment_1, architecture (text); of the
        validation score that ranks, and of each main test score, columns ``<side>_<metric>_<number>``, float64, NaN where
        undefined or not known; seconds (float64) of all jobs; n_folds and n_folds_done (int64). The numbers: mean and std over
        folds; for test scores also estimate, over items or pooled (see `of` in `load_scores`), its 95 % interval low and high,
        and chance, the score without listening. leakage (text): the test data that its models may have been trained on
        (`xval.answers.pretrained`), empty where none is known.
    """
    ranking = rank_instances(instances)
    rows = []
    for instance in instances:
        row: dict[str, Any] = {
            "is_selected": instance.number == ranking.selected,
            "comment_1": instance.settings.comment_1,
            "architecture": instance.settings.architecture,
        }
        for side, metric in dict.fromkeys([(ranking.side, ranking.metric), *tested_columns(instances)]):
            scores = _numbers(instance, side, metric)
            row |= {f"{side}_{metric}_{name}": finite_or_nan(value) for name, value in scores.items()}
        row |= {"seconds": instance.seconds, "n_folds": instance.n_folds, "n_folds_done": len(instance.folds)}
        rows.append(row | {"leakage": clause(judge_instance(instance))})
    return pd.DataFrame(rows, index=pd.Index([instance.number for instance in instances], name="instance"))


def _numbers(instance: InstanceResults, side: str, metric: str) -> dict[str, float | None]:
    """Return the numbers of a score by name; None: undefined or not known."""
    over_folds = instance.over_folds(side, metric)
    numbers = {"mean": over_folds["mean"], "std": over_folds["std"]}
    if side.endswith("test"):
        over_items, chance = instance.item_score(side, metric), chance_level([instance], metric, side)
        numbers["estimate"] = None if over_items is None else over_items[over_items["of"]]
        numbers["low"] = None if over_items is None else over_items["low"]
        numbers["high"] = None if over_items is None else over_items["high"]
        numbers["chance"] = None if chance is None else chance.lowest
    return numbers


def _rows(instance: InstanceResults, *, with_items: bool) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of an instance without its parameters, in the order of `_DTYPES`, with the item last if requested."""
    dataset, experiment = instance.keys["dataset"], instance.keys["experiment"]
    for *key, side, item, metric, value in instance.rows(with_items=with_items):
        row = (dataset, experiment, *key, _ITEM_SIDE if item else side, metric, value)
        yield (*row, item or math.nan) if with_items else row


def _parameter_columns(instances: Sequence[InstanceResults], taken: Collection[str]) -> dict[str, str]:
    """Return the parameter that each column shows, by the name of the column."""
    if not instances:
        return {}
    differing = differing_parameters([instance.written.parameters for instance in instances])
    names = [*_DESCRIBED, *(name for name in differing if name != "dataset")]
    return {f"parameter_{name}" if name in taken else name: name for name in names}


def _plain(value: object) -> object:
    """Return a value by which pandas can group."""
    return tuple(value) if isinstance(value, list) else value


def warn_of_not_done(instances: Iterable[InstanceResults]) -> list[dict[str, Any]]:
    """Return the jobs that are not done, and warn of them."""
    jobs = [job for instance in instances for job in instance.not_done()]
    if jobs:
        listed = "; ".join(
            f"experiment {job['experiment']} of {job['dataset']}, {JobKey.of(job)} {job['status']}" for job in jobs[:5]
        )
        more = f"; and {len(jobs) - 5} more" if len(jobs) > 5 else ""
        message = f"{counted(len(jobs), 'fold')} not in the table, so means exclude some items: {listed}{more}."
        warnings.warn(message, UserWarning, stacklevel=3)
    return jobs
