"""The results of experiments as pandas DataFrames: every figure of every fold, and every prediction.

Comes in: the folder of an experiment, an instance or a fold, or a folder of experiments. Goes out: a tidy table, read from the
fold records.

    from xval import load_results
    table = load_results("results/demo/experiment_1")
    folds = table.query("side == 'test' and metric == 'accuracy'").groupby(["instance", "fold"])["value"].mean()
    folds.groupby("instance").agg(["mean", "std"])
"""

import math
import warnings
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from preprocessing.clips.parquet_files import column_names, read_frame
from preprocessing.corpus import Corpus
from xval.answers.pretrained import ORIGIN, clause, judge_instance
from xval.answers.ranking import rank_instances, tested_columns
from xval.answers.read import read_instance
from xval.answers.read_corpus import read_corpus
from xval.answers.summary import chance_level, differing_parameters
from xval.base.errors import CorpusError, ResultsError, brief, counted, suggestion
from xval.base.garbage_collection import without_collector
from xval.base.numbers import finite_or_nan
from xval.results.find_instances import find_instances
from xval.results.instance import InstanceResults
from xval.results.job_key import JobKey
from xval.results.open import open_results

_DTYPES = {
    "dataset": "str", "experiment": "int64", "instance": "int64", "fold": "int64", "repeat": "int64", "side": "str",
    "metric": "str", "value": "float64",
}  # fmt: skip
# What is read most stands at both ends: a printed table leaves out the columns in the middle.
_FIGURE_DTYPES = {
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
_KEY = ["instance", "fold", "repeat"]
_SEGMENT = ["clip", "start_s", "end_s"]
_ITEM_SIDE = "item_test"
_DESCRIBED = ("comment_1", "comment_2", "architecture")


def load_results(folder: str | Path, *, parameters: bool = True, items: bool = False) -> pd.DataFrame:
    """Return the metrics of finished folds, one row per instance, fold, repeat, side and metric.

    Repeats of a fold are no further folds: average over them first, as above. The folds of a second deal go on with the
    numbers, so that an item is tested by a fold of each deal.

    Args:
        folder: ``results/<dataset>/experiment_<n>``, or one instance or fold folder in it; or a folder of several experiments,
            such as ``results`` or ``results/<dataset>``.
        parameters: Add columns for comment_1, comment_2, architecture and every parameter that differs between the instances;
            sequences are tuples. A parameter with the name of another column is called parameter_<name>.
        items: Add a column ``item``, and rows of the side ``item_test`` for each test item, with n_clips among the metrics.

    Returns:
        The columns dataset (text), experiment, instance, fold, repeat (int64), side, metric (text), value (float64; NaN:
        undefined), item (text) if asked for, then the parameters; rows by experiment, instance, fold, repeat, side. The sides:
        training, validation and test, of examples (without ``evaluate_training``, training has only the loss and the accuracy
        or error that training followed); clip_validation and clip_test, of clips; chance, what a constant answer reaches on
        the test examples. ``table.attrs["not_done"]`` lists the folds without rows, each a dict of dataset, experiment,
        instance, fold, repeat, status (``failed``, or ``missing``: not run yet, or run with other settings) and error.

    Warns:
        UserWarning: Folds failed or are missing, so means over folds leave test items out.

    Raises:
        ResultsError: There is no experiment, a file is missing or damaged, or two folders hold the same experiment.
    """
    dtypes = _DTYPES | ({"item": "str"} if items else {})
    rows: list[tuple[Any, ...]] = []
    with without_collector():
        instances = find_instances(Path(folder))
        described = _parameter_columns(instances, taken=dtypes) if parameters else {}
        for instance in instances:
            of_instance = tuple(_plain(instance.written.parameters.get(name)) for name in described.values())
            rows += [(*row, *of_instance) for row in _rows(instance, with_items=items)]
        table = pd.DataFrame(rows, columns=[*dtypes, *described]).astype(dtypes)
    table.attrs["not_done"] = _not_done(instances)
    return table


def load_jobs(folder: str | Path) -> pd.DataFrame:
    """Return a row for each job that has ended, also of those that count no more; damaged records are left out.

    Args:
        folder: As for `load_results`.

    Returns:
        dataset (text), experiment, instance, fold, repeat (int64); deal (int64; 0: of none); status (``done``, ``failed``);
        counts (bool): whether it was made with the present settings on the present folds; seconds (float64); error (text,
        empty: none); settings_hash, folds_hash, code_hash and path (text).

    Raises:
        ResultsError: There is no experiment, or a file is damaged.
    """
    rows = []
    for instance in find_instances(Path(folder)):
        results = open_results(instance.experiment)
        chosen = instance.wanted if JobKey.of_folder(0, Path(folder).resolve().name) else None
        for key, record in results.records(instance.number, chosen)[0].items():
            counts, path = key in instance.jobs, str(instance.folder(key))
            facts = (record["status"], counts, record["seconds"], record.get("error", ""))
            hashes = (record[name] for name in ("settings_hash", "folds_hash", "code_hash"))
            keys = instance.keys | key._asdict()
            rows.append((*keys.values(), results.folds.plan.deal_of(key.fold) or 0, *facts, *hashes, path))
    return pd.DataFrame(rows, columns=list(_JOB_DTYPES)).astype(_JOB_DTYPES)


def load_figures(folder: str | Path) -> pd.DataFrame:
    """Return the test figures of instances, each by its name, with 95 % intervals over items and chance.

    Args:
        folder: As for `load_results`, but no single fold.

    Returns:
        A row per instance, side (test; clip_test if clips are cut into windows) and metric. The columns instance (int64), side,
        metric (text); mean, std and n_folds of the folds; dataset (text), experiment (int64); items, the mean over items;
        n_items; pooled, of all test examples of all folds; low and high, the interval of what ``of`` says, by ``method``, about
        what ``covers`` says (these trained ``models``, or the ``method``); chance, what ``strategy`` reaches without listening.
        NaN, None: undefined. ``table.attrs["not_done"]``: as of `load_results`.

    Warns:
        UserWarning: Folds failed or are missing.

    Raises:
        ResultsError: There is no experiment, a file is missing or damaged, two folders hold the same experiment, or it is the
            folder of a fold.
    """
    instances, path = find_instances(Path(folder)), Path(folder).resolve()
    if JobKey.of_folder(0, path.name):
        raise ResultsError(f"{folder}: figures over items are of all folds; name the folder of the instance, {path.parent}.")
    rows = []
    for place in instances:
        instance = read_instance(place.experiment, place.number)
        if instance is None or instance.over_items is None:
            continue
        over_items = instance.over_items
        for side, figures in over_items["figures"].items():
            for metric, item_figure in figures.items():
                folds = instance.over_folds(side, metric)
                of_folds = {"mean": folds["mean"], "std": folds["std"], "n_folds": folds["n"]}
                names = {"side": side, "metric": metric, "n_items": over_items["n_items"]}
                rows.append(instance.keys | names | of_folds | item_figure)
    table = pd.DataFrame(rows, columns=list(_FIGURE_DTYPES)).astype(_FIGURE_DTYPES)
    table.attrs["not_done"] = _not_done(instances)
    return table


def load_predictions(
    folder: str | Path,
    *,
    instances: int | Collection[int] | None = None,
    columns: Sequence[str] | None = None,
    audformat: bool = False,
    data_folder: str | Path | None = None,
) -> pd.DataFrame:
    """Return the predictions of finished folds for their validation and test examples.

    Args:
        folder: ``results/<dataset>/experiment_<n>``, or one instance or fold folder in it.
        instances: The number of an instance, or several; all when omitted. Nothing is read of the others.
        columns: Which columns to read besides instance, fold and repeat; all when omitted.
        audformat: Return them with the index of a segmented table of audformat, for which the corpus is read.
        data_folder: The folder of corpora; None: that of the experiment's settings.

    Returns:
        A row per example, or per frame of a recording. The columns instance, fold and repeat (int64), then those of
        predictions.parquet: item, clip, start_s, end_s, side, and, by task, target, predicted and probability_<class>
        (float32), target_<name> and predicted_<name>, or squared_error; NaN where an instance lacks a column.
        ``table.attrs["not_done"]``: as of `load_results`.

        With `audformat` the index is file (text, relative to ``table.attrs["audio_folder"]``), start and end (timedelta64, in
        the file) of the clip, window or frame, in the place of clip, start_s and end_s. `audformat.Table` takes rows of which
        nothing stands twice, such as the test side of an instance with one repeat and one deal.

    Warns:
        UserWarning: Folds failed or are missing.

    Raises:
        ResultsError: The folder holds no experiment or several; an instance or column is unknown; a file is missing or damaged.
        CorpusError: With `audformat` the corpus is missing, is another one, or was made of arrays, which have no files.
    """
    chosen = find_instances(Path(folder), [instances] if isinstance(instances, int) else instances)
    experiments = {str(instance.experiment.path) for instance in chosen}
    if len(experiments) > 1:
        raise ResultsError(f"{folder}: holds several experiments, name one of {', '.join(sorted(experiments))}.")
    files = {key: instance.experiment.fold_folder(*key) / "predictions.parquet" for instance in chosen for key in instance.done}
    held = {path: _prediction_columns(path) for path in files.values()}
    known = list(dict.fromkeys(name for names in held.values() for name in names))
    for name in columns or ():
        if files and name not in known:
            raise ResultsError(f"{folder}: no prediction has a column '{name}'. {suggestion(name, known)}")
    wanted = list(dict.fromkeys([*(known if columns is None else columns), *(_SEGMENT if audformat else ())]))
    tables = [pd.DataFrame(columns=[*_KEY, *wanted])] if not files else []
    for key, path in files.items():
        table = _read_predictions(path, [name for name in wanted if name in held[path]])
        tables.append(table.assign(**key._asdict()))
    predictions = pd.concat(tables, ignore_index=True)[[*_KEY, *wanted]].astype(dict.fromkeys(_KEY, "int64"))
    if audformat:
        corpus = read_corpus(chosen[0].experiment, chosen[0].settings, None if data_folder is None else Path(data_folder))
        predictions = _by_segment(predictions, corpus, of_frames=chosen[0].task.target == "frame")
    predictions.attrs["not_done"] = _not_done(chosen)
    return predictions


def _by_segment(predictions: pd.DataFrame, corpus: Corpus, *, of_frames: bool) -> pd.DataFrame:
    """Return predictions with the index of a segmented table of audformat; see `load_predictions`."""
    if corpus.is_custom:
        raise CorpusError(f"{corpus.folder}: a script made this corpus of arrays, which have no files to be named.")
    clips = corpus.index.set_index("clip").loc[list(predictions["clip"])]
    # Frames are counted from the begin of their recording, clips and windows from that of the file.
    begins_s = clips["start_s"].fillna(0.0).to_numpy() if of_frames else 0.0
    times = [
        pd.to_timedelta(predictions[name] + begins_s, unit="s").astype("timedelta64[ns]")  # pandas may choose another unit
        for name in ("start_s", "end_s")
    ]
    index = pd.MultiIndex.from_arrays([clips["path"].astype("string"), *times], names=["file", "start", "end"])
    table = predictions.drop(columns=_SEGMENT).set_index(index)
    table.attrs["audio_folder"] = str(corpus.audio_folder)
    return table


def summarize(instances: Sequence[InstanceResults]) -> pd.DataFrame:
    """Return the table that a run ends with, as numbers: a row per instance; at least one is wanted.

    Returns:
        By instance (int64): is_selected (bool), whether the validation figures select it; comment_1, architecture (text); of
        the validation figure that ranks, and of each main test figure, columns ``<side>_<metric>_<number>``, float64, NaN where
        undefined or not known; seconds (float64) of all jobs; n_folds and n_folds_done (int64). The numbers: mean and std over
        folds; and of test figures estimate, over items or pooled (`load_figures` says which), low and high, its 95 % interval,
        and chance, what can be reached without listening. heard_before (text) is what its models may have heard of what is
        tested (`xval.answers.pretrained`), empty where nothing is known.
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
            figures = _numbers(instance, side, metric)
            row |= {f"{side}_{metric}_{name}": finite_or_nan(value) for name, value in figures.items()}
        row |= {"seconds": instance.seconds, "n_folds": instance.n_folds, "n_folds_done": len(instance.folds)}
        rows.append(row | {ORIGIN.replace(" ", "_"): clause(judge_instance(instance))})
    return pd.DataFrame(rows, index=pd.Index([instance.number for instance in instances], name="instance"))


def _numbers(instance: InstanceResults, side: str, metric: str) -> dict[str, float | None]:
    """Return the numbers of a figure by name; None: undefined or not known."""
    over_folds = instance.over_folds(side, metric)
    numbers = {"mean": over_folds["mean"], "std": over_folds["std"]}
    if side.endswith("test"):
        over_items, chance = instance.item_figure(side, metric), chance_level([instance], metric, side)
        numbers["estimate"] = None if over_items is None else over_items[over_items["of"]]
        numbers["low"] = None if over_items is None else over_items["low"]
        numbers["high"] = None if over_items is None else over_items["high"]
        numbers["chance"] = None if chance is None else chance.lowest
    return numbers


def _rows(instance: InstanceResults, *, with_items: bool) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of an instance, in the order of `_DTYPES`, then perhaps the item; without its parameters."""
    dataset, experiment = instance.keys["dataset"], instance.keys["experiment"]
    for *key, side, item, metric, value in instance.rows(with_items=with_items):
        row = (dataset, experiment, *key, _ITEM_SIDE if item else side, metric, value)
        yield (*row, item or math.nan) if with_items else row


def _parameter_columns(instances: Sequence[InstanceResults], taken: Collection[str]) -> dict[str, str]:
    """Return the names of columns with the parameters that they show."""
    if not instances:
        return {}
    differing = differing_parameters([instance.written.parameters for instance in instances])
    names = [*_DESCRIBED, *(name for name in differing if name != "dataset")]
    return {f"parameter_{name}" if name in taken else name: name for name in names}


def _plain(value: object) -> object:
    """Return a value that pandas can group by."""
    return tuple(value) if isinstance(value, list) else value


def _not_done(instances: Iterable[InstanceResults]) -> list[dict[str, Any]]:
    """Return the jobs that are not done, and warn of them."""
    jobs = [job for instance in instances for job in instance.not_done()]
    if jobs:
        listed = "; ".join(
            f"experiment {job['experiment']} of {job['dataset']}, {JobKey.of(job)} {job['status']}" for job in jobs[:5]
        )
        more = f"; and {len(jobs) - 5} more" if len(jobs) > 5 else ""
        message = f"{counted(len(jobs), 'fold')} not in the table, so that means leave items out: {listed}{more}."
        warnings.warn(message, UserWarning, stacklevel=3)
    return jobs


def _read_predictions(path: Path, columns: Iterable[str] | None = None) -> pd.DataFrame:
    """Return some columns of predictions.parquet of a job; None: all."""
    names = _prediction_columns(path) if columns is None else list(columns)
    try:
        return read_frame(path, {"item": "text"}, columns=names)[names]
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error


def _prediction_columns(path: Path) -> list[str]:
    """Return the columns of predictions.parquet, reading no more than its footer."""
    try:
        return column_names(path)
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> ResultsError:
    reason = "missing" if isinstance(error, FileNotFoundError) else f"damaged ({brief(error)})"
    return ResultsError(f"{path}: {reason}. Move the fold folder away and run the experiment again.")
