"""The predictions of an instance for each test clip, the worst first."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from preprocessing.clips.parquet_files import read_frame
from xval.base.csv_text import read_csv
from xval.base.errors import REMEDY, ResultsError, brief
from xval.measures.forms import ScoreOptions
from xval.measures.task import Task
from xval.results.job_key import JobKey
from xval.results.read import PREDICTION_COLUMNS
from xval.settings.schema import Settings


def read_answers(task: Task, settings: Settings, class_names: Sequence[str], folders: Mapping[JobKey, Path]) -> pd.DataFrame:
    """Return the predictions for the test clips of finished folds and seeds.

    Returns:
        A row per clip (and seed), the worst prediction first: clip, item, job (``fold 1``), start_s, end_s, true and answer
        (text; empty for frames and reconstructions), sure (probability of the prediction; NaN without classes) and error, see
        `Task.answer_clips` and `Task.worst`. For numbers also target_<name> and predicted_<name>.
    """
    options = settings.score_options(class_names)
    tables = [
        _answers_in(folder / "predictions.parquet", task, options).assign(job=key.fold_name)
        for key, folder in folders.items()
        if (folder / "predictions.parquet").exists()
    ]
    if not tables:
        return pd.DataFrame(columns=["clip", "item", "job", "start_s", "end_s", "true", "answer", "sure", "error"])
    return task.worst(pd.concat(tables, ignore_index=True))


def target_names(answers: pd.DataFrame) -> list[str]:
    """Return the names of the numbers that are predicted, in the order of the outputs; empty: no numbers are."""
    return [str(name).removeprefix("target_") for name in answers if str(name).startswith("target_")]


def read_events(folders: Mapping[JobKey, Path]) -> pd.DataFrame:
    """Return the annotated and found events of the test recordings: clip, source, start_s, end_s, label."""
    columns = ["clip", "source", "start_s", "end_s", "label"]
    tables = []
    for folder in folders.values():
        path = folder / "events.csv"
        try:
            table = read_csv(path, ("clip", "label"))
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


def _answers_in(path: Path, task: Task, options: ScoreOptions) -> pd.DataFrame:
    table = _read(path)
    try:
        return _answers(task, options, table)
    except (KeyError, ValueError, TypeError, IndexError) as error:
        raise ResultsError(f"{path}: damaged, it lacks a column or a value ({error!r:.150}). {REMEDY}") from error


def _answers(task: Task, options: ScoreOptions, table: pd.DataFrame) -> pd.DataFrame:
    codes = pd.factorize(table["clip"])[0]
    by_clip = table.groupby(codes, sort=True)
    clips = by_clip.agg(clip=("clip", "first"), item=("item", "first"), start_s=("start_s", "min"), end_s=("end_s", "max"))
    answered = task.answer_clips(table, codes, options)
    return clips.assign(
        true=answered.true, answer=answered.answer, sure=answered.sure, error=answered.error, **answered.numbers
    )
