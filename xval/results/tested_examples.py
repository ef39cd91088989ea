"""The test examples of an instance, read from the predictions.parquet of its folds."""

from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from preprocessing.clips.parquet_files import Kind, read_table, to_frame
from xval.base.csv_text import read_csv
from xval.base.errors import REMEDY, ResultsError, brief
from xval.data.clip_average import Averaging
from xval.measures.answered import combine_clips
from xval.measures.task import Task
from xval.results.read import PREDICTION_COLUMNS

_SAME_ANSWER = 1e-6  # probabilities that differ by less, but for rounding
_WEIGHT = "weight"  # a column of frames, which are not combined
Run: TypeAlias = tuple[frozenset[int], int]
"""The identity of a training run: its folds, and the number of its seed; 0: a seed that no other run has."""
_Arrays: TypeAlias = tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[np.float32]]


class Frames(NamedTuple):
    """The frames of a fold's test recordings (item, clip, start_s, end_s, weight), and their events.csv."""

    table: pd.DataFrame
    events: pd.DataFrame


class TestedExamples:
    """Targets and predictions of test examples, with the item, the clip and the fold of each.

    Attributes:
        items: int64 (n,), a number for each item, from 0 without gaps.
        names: The name of each item number.
        clips: object (n,), the names of the clips.
        folds: int64 (n,), the number of the fold of each example.
        targets: In the form that the metrics of the task accept.
        predictions: float32 (n, n_outputs), or (n,) for a representation.
        seed: The number of the seed of the models; 0: a seed that no other run has.
    """

    seed = 0

    def __init__(
        self,
        items: NDArray[Any],
        clips: NDArray[Any],
        folds: NDArray[np.int64],
        targets: NDArray[Any],
        predictions: NDArray[np.float32],
    ) -> None:
        names, codes = np.unique(items.astype(str), return_inverse=True)
        self.items, self.names, self.clips, self.folds = codes, tuple(names.tolist()), clips, folds
        self.targets, self.predictions = targets, predictions

    @property
    def run(self) -> Run:
        """The training run that tested them."""
        return frozenset(np.unique(self.folds).tolist()), self.seed

    @cached_property
    def levelled(self) -> NDArray[np.float32]:
        """Predictions for a metric of their order; constant predictions of folds are replaced by a common constant.

        Constant predictions differ with the training items of folds: the more examples of a class are tested, the fewer are in
        training. Their order would be worse than chance (Forman and Scholz, SIGKDD Explorations 12, 2010; Airola et al., CSDA
        55, 2011).
        """
        fold_predictions = [self.predictions[self.folds == fold] for fold in np.unique(self.folds)]
        if any(np.ptp(own, axis=0).max(initial=0) > _SAME_ANSWER for own in fold_predictions):
            return self.predictions
        return np.broadcast_to(self.predictions.mean(axis=0), self.predictions.shape)

    @cached_property
    def rows(self) -> list[NDArray[np.intp]]:
        """The rows of each item."""
        order = np.argsort(self.items, kind="stable")
        return np.split(order, np.cumsum(np.bincount(self.items))[:-1])


def read_examples(
    task: Task, paths: Mapping[int, Path], class_names: Sequence[str], averaging: Averaging | None, side: str = "test"
) -> TestedExamples:
    """Return the examples of one side, test or validation, of some folds.

    `paths` has the predictions.parquet of each fold; `class_names` is empty without classes. The examples of each clip, or of
    each item with one decision, are combined by `averaging`; None: examples are not combined. Frames are not combined, and
    frames without weight are skipped.

    Raises:
        ResultsError: A file is damaged.
        FileNotFoundError: A file is missing.
    """
    parts = []
    for path in paths.values():
        table = _read(path)
        parts.append(_by_clip(_read_side(task, table, path, class_names, side), _average_of(table, averaging)))
    items, clips, targets, predictions = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    folds = np.repeat(list(paths), [len(part[0]) for part in parts])
    return TestedExamples(items, clips, folds, targets, predictions)


def count_clips(path: Path) -> dict[str, int]:
    """Return the number of test clips of each item in a predictions.parquet.

    Raises:
        ResultsError: The file is damaged.
        FileNotFoundError: It is missing.
    """
    table = _read(path, columns=("item", "clip", "side"))
    counts = table.filter(pc.equal(table["side"], "test")).group_by("item").aggregate([("clip", "count_distinct")])
    return dict(zip(counts["item"].to_pylist(), counts["clip_count_distinct"].to_pylist(), strict=True))


def count_validation_classes(path: Path, class_names: tuple[str, ...]) -> dict[str, int]:
    """Return the number of validation examples of each class in a predictions.parquet; raises as `count_clips`."""
    return dict(zip(class_names, _count_validation(path, class_names, path.stat().st_mtime_ns), strict=True))


@lru_cache(maxsize=4096)
def _count_validation(path: Path, class_names: tuple[str, ...], changed_ns: int) -> tuple[int, ...]:  # noqa: ARG001 - the key
    table = _read(path, {"target": "text"}, columns=("side", "target"))
    labels = table.filter(pc.equal(table["side"], "validation"))["target"].to_pylist()
    return tuple(labels.count(name) for name in class_names)


def read_fold(
    task: Task, fold: int, path: Path, class_names: Sequence[str], averaging: Averaging | None
) -> dict[str, TestedExamples]:
    """Return the validation and test examples of a fold by side: validation, test, clip_validation and clip_test.

    The arguments are those of `read_examples`; the predictions.parquet in `path` is read once.

    Raises:
        ResultsError: The file is damaged.
        FileNotFoundError: It is missing.
    """
    table = _read(path)
    sides = {}
    for side in ("validation", "test"):
        examples = _read_side(task, table, path, class_names, side)
        if not len(examples[0]):
            raise ResultsError(f"{path}: damaged, it has no {side} examples. {REMEDY}")
        clips = _by_clip(examples, _average_of(table, averaging))
        for name, arrays in {side: examples, f"clip_{side}": clips}.items():
            sides[name] = TestedExamples(*arrays[:2], np.full(len(arrays[0]), fold), *arrays[2:])
    return sides


def read_frames(folder: Path, labels: Sequence[str] = ()) -> Frames:
    """Return the test frames and events in a fold folder, with the probabilities of some labels."""
    numbers = ("start_s", "end_s", "weight", *(f"probability_{label}" for label in labels))
    predictions = _read(folder / "predictions.parquet", dict.fromkeys(numbers, "number"), columns=())
    table = to_frame(predictions.filter(pc.equal(predictions["side"], "test")))
    try:
        events = read_csv(folder / "events.csv", ("item", "clip", "label"))
        return Frames(table, events.loc[events["side"] == "test", ["item", "clip", "source", "start_s", "end_s", "label"]])
    except FileNotFoundError:
        raise
    except (OSError, ValueError, KeyError) as error:
        raise ResultsError(f"{folder / 'events.csv'}: damaged ({error!r:.150}). {REMEDY}") from error


def _read_side(task: Task, table: pa.Table, path: Path, class_names: Sequence[str], side: str) -> _Arrays:
    """Return items, clips, targets and predictions of a side of a table; `path` is its file."""
    try:
        table = table.filter(pc.equal(table["side"], side))
        if _WEIGHT in table.column_names:
            table = table.filter(pc.greater(table[_WEIGHT], 0))
        targets, predictions = task.decode(dict(zip(table.column_names, table.columns, strict=True)), class_names).complete()
        return table["item"].to_numpy().astype(str), table["clip"].to_numpy(), targets, predictions
    except (KeyError, ValueError, TypeError, pa.ArrowException) as error:
        raise ResultsError(f"{path}: damaged, it lacks a column or a value ({error!r:.150}). {REMEDY}") from error


def _average_of(table: pa.Table, averaging: Averaging | None) -> Averaging | None:
    return None if _WEIGHT in table.column_names else averaging


def _by_clip(examples: _Arrays, averaging: Averaging | None) -> _Arrays:
    """Combine the examples of each clip, or the clips of each item with one decision; None: do not combine."""
    for column, how in averaging.levels if averaging else ():
        items, clips, targets, predictions = examples
        codes = pd.factorize(clips if column == "clip" else items)[0]
        first = np.unique(codes, return_index=True)[1]
        examples = items[first], clips[first], *combine_clips(targets, predictions, codes, how)
    return examples


def _read(path: Path, needed: Mapping[str, Kind] | None = None, *, columns: Sequence[str] | None = None) -> pa.Table:
    try:
        return read_table(path, PREDICTION_COLUMNS | dict(needed or {}), columns=columns)
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise ResultsError(f"{path}: damaged ({brief(error)}). {REMEDY}") from error
