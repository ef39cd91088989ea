"""Load the predictions of finished folds as a pandas DataFrame: a row per example or frame, from their predictions.parquet."""

from collections.abc import Collection, Sequence
from pathlib import Path

import pandas as pd

from preprocessing.clips.parquet_files import column_names, read_frame
from preprocessing.corpus import Corpus
from xval.answers.dataframes import warn_of_not_done
from xval.answers.read import read_corpus
from xval.base.errors import CorpusError, ResultsError, brief, suggestion
from xval.results.find_instances import find_instances
from xval.results.named import RESULTS_FOLDER, given_path

_KEY = ["instance", "fold", "repeat"]
_SEGMENT = ["clip", "start_s", "end_s"]


def load_predictions(
    folder: str | Path,
    *,
    instances: int | str | Collection[int | str] | None = None,
    columns: Sequence[str] | None = None,
    audformat: bool = False,
    data_folder: str | Path | None = None,
) -> pd.DataFrame:
    """Return the predictions of finished folds on their validation and test examples.

    Args:
        folder: ``results/<dataset>/experiment_<n>``, or one instance or fold folder in it.
        instances: The number of an instance, or several, also as ``2-4`` or ``1,3``; all when omitted. Others are not read.
        columns: The columns to read in addition to instance, fold and repeat; all when omitted.
        audformat: Return the table with the index of a segmented table of audformat, which requires the corpus.
        data_folder: The folder of corpora; None: the one in the experiment's settings.

    Returns:
        A row per example, or per frame of a recording. The columns instance, fold and repeat (int64), then those of
        predictions.parquet: item, clip, start_s, end_s, side, and, by task, target, predicted and probability_<class>
        (float32), target_<name> and predicted_<name>, or squared_error; NaN where an instance lacks a column.
        ``table.attrs["not_done"]``: as for `load_results`.

        With `audformat` the index is file (text, relative to ``table.attrs["audio_folder"]``), start and end (timedelta64, in
        the file) of the clip, window or frame, instead of clip, start_s and end_s. `audformat.Table` accepts only unique rows,
        such as the test side of an instance with one seed and one repeat.

    Warns:
        UserWarning: Folds failed or are missing.

    Raises:
        ResultsError: The folder has no experiment or several; an instance or column is unknown; a file is missing or damaged.
        SettingsError: `instances` has a part that is not a number.
        CorpusError: With `audformat`: the corpus is missing, has changed, or was made from arrays, which have no files.
    """
    chosen = find_instances(given_path("load_predictions(): folder", folder, RESULTS_FOLDER), instances)
    experiments = {str(instance.experiment.path) for instance in chosen}
    if len(experiments) > 1:
        raise ResultsError(f"{folder}: has several experiments. Give one of {', '.join(sorted(experiments))}.")
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
        predictions = _by_segment(predictions, corpus, are_frames=chosen[0].task.target == "frame")
    predictions.attrs["not_done"] = warn_of_not_done(chosen)
    return predictions


def _by_segment(predictions: pd.DataFrame, corpus: Corpus, *, are_frames: bool) -> pd.DataFrame:
    """Return predictions with the index of a segmented table of audformat; see `load_predictions`."""
    if corpus.is_custom:
        raise CorpusError(f"{corpus.folder}: a script made this dataset from arrays, which have no files.")
    clips = corpus.index.set_index("clip").loc[list(predictions["clip"])]
    # Frames are counted from the begin of their recording, clips and windows from that of the file.
    begins_s = clips["start_s"].fillna(0.0).to_numpy() if are_frames else 0.0
    times = [
        pd.to_timedelta(predictions[name] + begins_s, unit="s").astype("timedelta64[ns]")  # pandas may choose another unit
        for name in ("start_s", "end_s")
    ]
    index = pd.MultiIndex.from_arrays([clips["path"].astype("string"), *times], names=["file", "start", "end"])
    table = predictions.drop(columns=_SEGMENT).set_index(index)
    table.attrs["audio_folder"] = str(corpus.audio_folder)
    return table


def _read_predictions(path: Path, names: list[str]) -> pd.DataFrame:
    """Return some columns of predictions.parquet of a job."""
    try:
        return read_frame(path, {"item": "text"}, columns=names)[names]
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error


def _prediction_columns(path: Path) -> list[str]:
    """Return the column names of predictions.parquet from its footer."""
    try:
        return column_names(path)
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> ResultsError:
    reason = "missing" if isinstance(error, FileNotFoundError) else f"damaged ({brief(error)})"
    return ResultsError(f"{path}: {reason}. Move the fold folder away and run the experiment again.")
