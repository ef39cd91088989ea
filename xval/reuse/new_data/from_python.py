"""`SavedModel.evaluate`: test a model from Python with the code of ``xval evaluate``."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from preprocessing.commands.prepare import rows_from_python
from preprocessing.corpora._tables import MISSING
from preprocessing.parallel import reading_processes
from preprocessing.store import write
from preprocessing.store.arrays import refuse_missing
from xval.base.config_file import default_folder
from xval.base.csv_text import guarded
from xval.base.errors import CorpusError, SettingsError, counted
from xval.measures.task import find_task
from xval.reuse.new_data.evaluation import Choices, Outcome, evaluate_on
from xval.reuse.new_data.labelled_clips import LabelledClips, ReadOptions, naming_reader, read_labelled_clips

if TYPE_CHECKING:
    from xval.reuse.inference import SavedModel

_ARRAYS = "arrays"  # the name of the corpus that examples of a script are for as long as they are read


class Scores(dict[str, float]):
    """The metrics of a model on labelled data, by name, with all other results of the command.

    Attributes:
        table: A row for each metric: value, and its 95 % interval over items, low and high.
        predictions: A row per clip, or per frame for a model that labels frames: label, predicted, probabilities, seen.
        classes: A row per class: precision, recall and so on, as `sklearn.metrics.classification_report`; None: no classes.
        confusion_matrix: Counts, a row per true class and a column per predicted one, as `sklearn.metrics.confusion_matrix`.
        by_item: A row per item with its metrics.
        left_out: path, item and reason of skipped clips.
        warnings: The limits of the metrics, such as clips that the model was trained on, and skipped parts of a table.
    """

    def __init__(self, outcome: Outcome, class_names: Sequence[str]) -> None:
        scores = outcome.scores
        super().__init__(scores.metrics)
        edges = {name: (interval.low, interval.high) for name, interval in scores.intervals.items()}
        rows = [(value, *edges.get(name, (np.nan, np.nan))) for name, value in scores.metrics.items()]
        index = pd.Index(list(scores.metrics), name="metric")
        self.table = pd.DataFrame(rows, columns=["value", "low", "high"], index=index)
        self.predictions, self.classes = scores.predictions, scores.class_metrics
        matrix, names = scores.confusion_matrix, list(class_names)
        self.confusion_matrix = None if matrix is None else pd.DataFrame(matrix, index=names, columns=names)
        self.by_item = pd.DataFrame.from_dict(scores.item_metrics, orient="index")
        self.left_out, self.warnings = outcome.left_out, outcome.warnings


def evaluate(
    model: "SavedModel",
    data: Any,
    targets: Any = None,
    items: Any = None,
    *,
    item_pattern: str | None = None,
    label_pattern: str | None = None,
    labels: Sequence[str] | None = None,
    audio_folder: str | Path | None = None,
    data_folder: str | Path | None = None,
    rename: Mapping[str, str] | None = None,
    only_items: Sequence[str] = (),
    leave_out_seen: bool = False,
    annotation_policy: str | None = None,
    where: str | None = None,
    missing: str | Sequence[str] | None = None,
    drop_bad_rows: bool = False,
    quoting: str = "auto",
) -> Scores:
    """Test a model on labelled data.

    Args:
        model: A model of any kind that `load_model` loads.
        data: A folder with a folder for each class, or a list of such class folders; a table of clips, or a DataFrame; a
            prepared dataset; or, for models of ready features, examples (n_examples, ...) as one array or for each item, as for
            `preprocessing.store.write`.
        targets: The targets of examples; None: for an autoencoder.
        items: For examples in one array, the speaker (or other item) of each, for the intervals; None: each is a separate item.
        item_pattern: For a folder, a pattern that finds the item in the path of a file.
        label_pattern: For a folder, a pattern that finds the label in the path, if no folder names it.
        labels: The classes of the folders in a list; None: the folders' names.
        audio_folder: The folder that the paths of a table are relative to; None: the folder of the table, or the current folder
            for a DataFrame.
        data_folder: Folder of all prepared datasets; None: the one in config.ini.
        rename: Labels of the data with the class of the model that each becomes.
        only_items: Use only the clips of these items; empty: all.
        leave_out_seen: Exclude clips that the model was trained on; otherwise a warning counts them.
        annotation_policy: How to combine annotations of recordings with events; None: as in training.
        where: For a table, a condition that selects rows, such as ``split=test``; None: all rows.
        missing: For a table, texts that mean an empty cell unless they are classes of the model; empty: only empty cells; None:
            NA, nan and similar ones.
        drop_bad_rows: For a table, skip rows with faults, which otherwise raise an error.
        quoting: For a csv file, the meaning of quotes; see docs/tables.md.

    Returns:
        The metrics, as `Scores`.

    Raises:
        SettingsError: An option does not fit the data or the model.
        CorpusError: The data cannot be used, or have no clip that the model has not seen.
        AudioError: No clip can be read.
    """
    place = default_folder("data_folder") if data_folder is None else Path(data_folder)
    options = ReadOptions(
        place, None if audio_folder is None else Path(audio_folder), item_pattern or "none", label_pattern or "none",
        tuple(map(str, only_items)), "none" if labels is None else ",".join(labels),
        rows_from_python(where=where, missing=missing, drop_bad_rows=drop_bad_rows, quoting=quoting),
        (*model.class_names, *(rename or {})),
    )  # fmt: skip
    choices = Choices(rename or {}, leave_out_seen, annotation_policy, reading_processes(None))
    given = [data] if isinstance(data, str | Path) else data
    if isinstance(given, list | tuple) and (not given or any(isinstance(path, str | Path) for path in given)):
        if not given or not all(isinstance(path, str | Path) for path in given):
            raise CorpusError(f"Folders: received {list(given)!r:.200}; expected a list of paths, the folder of each class.")
        _refuse_targets(targets, items, f"'{given[0]}'")
        with naming_reader(str(given[0]), place):
            clips = read_labelled_clips([str(path) for path in given], model.task_type, options)
            return _scores(model, clips, choices)
    if isinstance(data, pd.DataFrame):
        _refuse_targets(targets, items, "a DataFrame")
        return _scores(model, _read_frame(data, model, options), choices)
    with _stored(model, data, targets, items) as folder:
        clips = read_labelled_clips(_ARRAYS, model.task_type, replace(options, data_folder=folder))
        clips = replace(clips, corpus_names=())  # no speaker of another dataset of this name
        if items is None and not isinstance(data, Mapping):
            clips = replace(clips, table=clips.table.assign(item=clips.table["clip"]))
        return _scores(model, clips, choices)


def _scores(model: "SavedModel", clips: LabelledClips, choices: Choices) -> Scores:
    outcome = evaluate_on(model, clips, choices, lambda _: nullcontext(lambda *_: None))
    said = (*filter(None, [clips.note]), *outcome.warnings)
    return Scores(replace(outcome, warnings=said), model.class_names)


def _refuse_targets(targets: Any, items: Any, what: str) -> None:
    for name, values in (("targets", targets), ("items", items)):
        if values is not None:
            raise SettingsError(f"{name}: needs examples in arrays, but {what} has its own. Remove it.")


def _read_frame(frame: pd.DataFrame, model: "SavedModel", options: ReadOptions) -> LabelledClips:
    """Return the clips of a DataFrame, like those of a table with these columns."""
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "DataFrame.csv"
        guarded(frame).to_csv(table, index=False)
        place, rows = options.audio_folder or Path.cwd(), replace(options.rows, quoting="minimal")  # as pandas writes it
        return read_labelled_clips(str(table), model.task_type, replace(options, audio_folder=place, rows=rows))


@contextmanager
def _stored(model: "SavedModel", data: Any, targets: Any, items: Any) -> Iterator[Path]:
    """Write examples of a script as a dataset with all usual checks, and yield its folder."""
    task, frames = find_task(model.task_type), model.description.frames
    if not model.description.is_custom:
        raise SettingsError(
            f"evaluate: received arrays, but {model.path} reads audio. Give a folder of class folders, a table or a "
            "DataFrame with the columns path and label, or a prepared dataset. For samples use model.predict."
        )
    if targets is None and task.needs_labels:
        raise SettingsError(f"targets: missing. {model.task_type} needs one for each example.")
    if not isinstance(data, Mapping):
        data, targets = _by_item(data, targets, items)
    elif items is not None:
        raise SettingsError("items: needs one array of examples, but the keys of a dict are already its items. Remove it.")
    further: dict[str, Any] = {}
    if frames is not None:
        further["frame_s"] = frames.frame_s(model.description.feature_settings.sample_rate_hz)
    if targets is not None and _are_places(targets, model.class_names):
        further["class_names"] = model.class_names
    if targets is not None and not task.needs_labels:
        raise SettingsError(f"targets: {model.task_type} predicts nothing. Remove it.")
    with tempfile.TemporaryDirectory() as folder:
        write(_ARRAYS, data, targets, data_folder=folder, task_type=model.task_type, **further)
        yield Path(folder)


def _by_item(x: Any, targets: Any, items: Any) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Return examples and targets by item; without items all belong to one."""
    names = [_ARRAYS] * len(x) if items is None else [str(item) for item in items]
    y = None if targets is None else list(targets)
    if items is not None:
        refuse_missing(items, "Arrays: example", "item", texts=MISSING, keep="change its spelling")
    if len(names) != len(x) or (y is not None and len(y) != len(x)):
        n_targets = "no targets" if y is None else counted(len(y), "target")
        raise CorpusError(
            f"Arrays: received {counted(len(x), 'example')}, {n_targets} and {counted(len(names), 'item')}; expected "
            "one for each."
        )
    rows: dict[str, list[int]] = {}
    for number, name in enumerate(names):
        rows.setdefault(name, []).append(number)
    values = x if isinstance(x, list | tuple) else np.asarray(x)
    return (
        {name: [values[number] for number in numbers] for name, numbers in rows.items()},
        None if y is None else {name: [y[number] for number in numbers] for name, numbers in rows.items()},
    )


def _are_places(targets: Mapping[Any, Any], class_names: Sequence[str]) -> bool:
    """Return whether targets are the numbers 0, 1, ... of the classes of a model, whose names are not numbers."""
    if not class_names or all(name.isdecimal() for name in class_names):
        return False
    values = next(iter(targets.values()), ())
    while isinstance(values, list | tuple) and len(values):
        values = values[0]
    kind = np.asarray(values).dtype.kind
    return kind in "iuf" or (kind == "b" and not {"False", "True"} & set(class_names))
