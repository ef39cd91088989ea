"""What an instance answered on each test clip, worst answers first.

Comes in: the predictions.parquet of the finished folds. Goes out: a table with a row per clip.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from preprocessing.clips.label_sets import split_labels
from preprocessing.clips.parquet_files import read_frame
from xval.base.csv_text import unguard
from xval.base.errors import REMEDY, ResultsError, brief
from xval.base.table_bounds import open_table
from xval.data.clip_average import combine_examples
from xval.measures.task import Task
from xval.results.job_key import JobKey
from xval.results.read import PREDICTION_COLUMNS
from xval.settings.schema import Settings

_THRESHOLD = 0.5


def read_answers(task: Task, settings: Settings, class_names: Sequence[str], folders: Mapping[JobKey, Path]) -> pd.DataFrame:
    """Return the answers on the test clips of some folds.

    Args:
        task: Of the instance, with its label_form.
        settings: Of the instance.
        class_names: Of the probabilities.
        folders: Of each finished fold and repeat.

    Returns:
        A row per clip (and repeat), the worst answer first: clip, item, job (``fold 1``), start_s, end_s, true and answer
        (text; empty for frames and reconstructions), sure (probability of the answer; NaN without classes) and error: of
        classes the probability of the answer less that of the true class, 0 where it is right; of numbers the absolute error in
        standard deviations of the target, summed over targets; of several labels how many are wrong; of frames the seconds with
        a wrong label; of reconstructions the mean squared error.
        For numbers also target_<name> and predicted_<name>.

    Raises:
        ResultsError: A file is damaged.
    """
    tables = [
        _answers_in(folder / "predictions.parquet", task, settings, class_names).assign(job=key.of_instance)
        for key, folder in folders.items()
        if (folder / "predictions.parquet").exists()
    ]
    if not tables:
        return pd.DataFrame(columns=["clip", "item", "job", "start_s", "end_s", "true", "answer", "sure", "error"])
    table = pd.concat(tables, ignore_index=True)
    if task.has_clip_numbers:
        table["error"] = _deviations(table)
    return table.sort_values("error", ascending=False, kind="stable", ignore_index=True)


def read_events(folders: Mapping[JobKey, Path]) -> pd.DataFrame:
    """Return the annotated and found events of the test recordings: clip, source, start_s, end_s, label.

    Raises:
        ResultsError: A file is damaged.
    """
    columns = ["clip", "source", "start_s", "end_s", "label"]
    tables = []
    for folder in folders.values():
        path = folder / "events.csv"
        try:
            with open_table(path) as file:
                table = pd.read_csv(file, converters=dict.fromkeys(("clip", "label"), unguard), keep_default_na=False)
            tables.append(table.loc[table["side"] == "test", columns] if "side" in table else table[columns])
        except FileNotFoundError:
            continue
        except (OSError, ValueError, KeyError) as error:
            raise ResultsError(f"{path}: damaged ({error!r:.150}). {REMEDY}") from error
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)


def _read(path: Path) -> pd.DataFrame:
    try:
        table = read_frame(path, {**PREDICTION_COLUMNS, "start_s": "number", "end_s": "number"})
        return table[table["side"] == "test"].reset_index(drop=True)
    except (OSError, ValueError) as error:
        raise ResultsError(f"{path}: damaged ({brief(error)}). {REMEDY}") from error


def _answers_in(path: Path, task: Task, settings: Settings, class_names: Sequence[str]) -> pd.DataFrame:
    table = _read(path)
    try:
        return _answers(task, settings, class_names, table)
    except (KeyError, ValueError, TypeError, IndexError) as error:
        raise ResultsError(f"{path}: damaged, it lacks a column or a value ({error!r:.150}). {REMEDY}") from error


def _answers(task: Task, settings: Settings, class_names: Sequence[str], table: pd.DataFrame) -> pd.DataFrame:
    """Return the answers of one fold."""
    codes = pd.factorize(table["clip"])[0]
    by_clip = table.groupby(codes, sort=True)
    found = by_clip.agg(clip=("clip", "first"), item=("item", "first"), start_s=("start_s", "min"), end_s=("end_s", "max"))
    found = found.assign(true="", answer="", sure=np.nan)
    if task.is_framewise:
        return found.assign(error=_wrong_seconds(task, class_names, table, settings).groupby(codes).sum())
    if task.is_reconstruction:
        return found.assign(error=by_clip["squared_error"].mean())
    if task.has_clip_numbers:
        names = [str(name).removeprefix("target_") for name in table if str(name).startswith("target_")]
        for kind, column in (("target", "true"), ("predicted", "answer")):
            numbers = by_clip[[f"{kind}_{name}" for name in names]].mean()
            found = found.assign(**{column: [", ".join(f"{value:.3g}" for value in row) for row in numbers.to_numpy()]})
            found = pd.concat([found, numbers], axis=1)
        return found
    if task.has_clip_labels:
        both = by_clip[["target", "predicted"]].first()
        wrong = [len(set(split_labels(one)) ^ set(split_labels(two))) for one, two in both.itertuples(index=False)]
        return found.assign(true=both["target"], answer=both["predicted"], error=np.array(wrong, float))
    columns = [f"probability_{name}" for name in class_names]
    probabilities = combine_examples(table[columns].to_numpy(np.float32), codes, settings.clip_average)
    true = by_clip["target"].first()
    target = true.map({name: number for number, name in enumerate(class_names)}).to_numpy()
    rows, best = np.arange(len(found)), probabilities.argmax(axis=1)
    sure = probabilities[rows, best]
    return found.assign(
        true=true, answer=np.array(class_names, dtype=object)[best], sure=sure, error=sure - probabilities[rows, target]
    )


def _wrong_seconds(task: Task, class_names: Sequence[str], table: pd.DataFrame, settings: Settings) -> "pd.Series[Any]":
    """Return for each frame its length (s), 0 where it is right or in dispute."""
    if task.is_multi_label:
        true = table[[f"target_{name}" for name in class_names]].to_numpy() > 0
        threshold = settings.event_threshold or _THRESHOLD
        answered = table[[f"probability_{name}" for name in class_names]].to_numpy() >= threshold
        is_wrong = (true != answered).any(axis=1)
    else:
        is_wrong = (table["target"] != table["predicted"]).to_numpy()
    seconds: pd.Series[Any] = (table["end_s"] - table["start_s"]) * (is_wrong & (table["weight"] > 0))
    return seconds


def _deviations(table: pd.DataFrame) -> "pd.Series[Any]":
    """Return the absolute errors of all targets together, each in standard deviations of the target."""
    total = pd.Series(0.0, index=table.index)
    for name in [str(column).removeprefix("target_") for column in table if str(column).startswith("target_")]:
        target = table[f"target_{name}"]
        total += (target - table[f"predicted_{name}"]).abs() / (float(target.std(ddof=0)) or 1.0)
    return total
