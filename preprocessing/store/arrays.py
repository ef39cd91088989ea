"""Check the arrays that a custom script hands in, and write them as a dataset with one feature store.

`preprocessing.store.write` takes them as two dicts. It writes data/<dataset>/corpus.parquet, a row per example, and
features/custom/.
"""

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from preprocessing.clips.label_sets import MULTI_LABEL, SEPARATOR, is_missing, join_labels, multi_hot, refuse_missing_names
from preprocessing.clips.near_pairs import MOST_COMPARED, write_pairs
from preprocessing.clips.table import TASK_TYPES, check_names, class_names_of, natural_key
from preprocessing.corpus import CUSTOM, open_corpus, write_index
from preprocessing.corpus_folder import corpus_folder
from preprocessing.store.near_copies import Sketches, find_near_copies
from preprocessing.store.writer import Example, StoreWriter
from xval.base.errors import CorpusError, counted, suggestion

if TYPE_CHECKING:
    import pandas as pd

# Examples written at once: they are copied, and the whole array of an item might not fit twice.
_BLOCK_EXAMPLES = 256
_TEXT_OF_NUMBERS = np.dtype("<U32")  # which numpy makes of text and numbers in one list, so that NaN becomes 'nan'

WITHOUT_AUDIO: dict[str, Any] = {
    "path": "", "start_s": np.nan, "end_s": np.nan, "phase": None, "fold": None, "source_clip": None, "augmented": False,
}  # fmt: skip
"""The columns of the index that are alike in all examples of a script."""


@dataclass(frozen=True)
class CheckedArrays:
    """Arrays that fit each other.

    Attributes:
        predictors: For each item, in sorted order, numbers (n_examples, ...).
        targets: For each item int64 (n_examples,) or float32 (n_examples, n_outputs, ...); for representation 0.
        labels: For each item the targets as text (classes), or their mean over the outputs (regression), or empty text.
        task_type: ``classification``, ``multilabel_classification``, ``regression`` or ``representation``.
        class_names: What the targets 0, 1, ... mean; empty where there are no classes.
    """

    predictors: dict[str, NDArray[Any]]
    targets: dict[str, NDArray[Any]]
    labels: dict[str, list[Any]]
    task_type: str
    class_names: tuple[str, ...]


def check_arrays(
    predictors: Mapping[str, ArrayLike],
    targets: Mapping[str, ArrayLike] | None,
    *,
    task_type: str,
    class_names: Sequence[str] | None,
) -> CheckedArrays:
    """Check the two dicts of `preprocessing.store.write`, which has the meaning of each argument."""
    predictors, targets = by_item(predictors, targets)
    items = sorted(predictors)
    x = {item: as_array(predictors[item], f"predictors of item '{item}'") for item in items}
    if targets is None:
        targets = {item: np.zeros(x[item].shape[:1], np.int64) for item in items}
    for item in items:
        refuse_missing(targets[item], f"Item '{item}', row", "label", task_type)
    given = targets if task_type != MULTI_LABEL else {item: _label_sets(item, targets[item]) for item in items}
    y = {item: as_array(given[item], f"targets of item '{item}'") for item in items}
    for item in items:
        _check_item(item, x[item], y[item], x[items[0]], y[items[0]])
    if task_type == MULTI_LABEL:
        return CheckedArrays(x, *_number_label_sets(y, class_names))
    if task_type != "classification" and class_names is not None:
        raise CorpusError(f"class_names were given ({', '.join(class_names)}), but {task_type} has no classes.")
    if task_type == "representation":
        return CheckedArrays(x, y, {item: [""] * len(y[item]) for item in items}, task_type, ())
    if task_type == "regression":
        numbers = {item: _numbers(item, y[item]) for item in items}
        means = {item: [float(row.mean()) for row in values.astype(np.float64)] for item, values in numbers.items()}
        return CheckedArrays(x, numbers, means, task_type, ())
    classes, names = number_classes(y, class_names)
    return CheckedArrays(x, classes, {item: [names[i] for i in classes[item]] for item in items}, task_type, names)


def check_task(task_type: str, *, has_targets: bool) -> None:
    """Refuse a task that arrays cannot be of, and targets that it does not take or lacks."""
    if task_type not in TASK_TYPES:
        raise CorpusError(f"task_type '{task_type}': {suggestion(task_type, TASK_TYPES)}")
    if has_targets == (task_type == "representation"):
        why = "were given, but representation predicts nothing. Remove them" if has_targets else f"are missing for {task_type}"
        raise CorpusError(f"Targets {why}.")


def by_item(predictors: Mapping[Any, Any], targets: Mapping[Any, Any] | None) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Return both dicts by the names of their items; refuse keys that are no items, or not the same ones."""
    x = _named(predictors, "Predictors")
    y = None if targets is None else _named(targets, "Targets")
    check_names(x, "items")
    if y is not None and x.keys() != y.keys():
        odd = sorted(map(repr, x.keys() ^ y.keys()))
        raise CorpusError(f"Predictors and targets have different items: only one of them has {', '.join(odd[:5])}.")
    return x, y


def item_name(key: object) -> str | None:
    """Return the item that a key of a dict stands for, so that 1 is the item '1'; None: it stands for none."""
    if isinstance(key, int | np.integer) and not isinstance(key, bool):
        return str(int(key))
    return str(key) if isinstance(key, str) and key.strip() else None


def _named(arrays: Mapping[Any, Any], what: str) -> dict[str, Any]:
    named: dict[str, Any] = {}
    for key, values in arrays.items():
        name = item_name(key)
        if name is None:
            raise CorpusError(
                f"{what}: received the key {key!r} ({type(key).__name__}); expected items, each non-empty text, or a whole "
                "number such as 1 for the item '1'. Write str(key) or int(key)."
            )
        if name in named:
            raise CorpusError(
                f"{what}: received a key {name} that is a number and one that is the text '{name}', but both mean the item "
                f"'{name}'. Rename one of them."
            )
        named[name] = values
    if not named:
        raise CorpusError(f"{what}: received no keys; expected at least one item.")
    return named


def write_arrays(arrays: CheckedArrays, *, dataset: str, data_folder: Path) -> Path:
    """Write the index and the store of checked arrays in the place of those that are there; return the store's folder.

    The store names the index it belongs to: if this is killed between the two, make_store says so.
    """
    import pandas as pd

    folder = corpus_folder(dataset, data_folder)
    sketches = Sketches()
    is_compared = sum(map(len, arrays.predictors.values())) <= MOST_COMPARED
    with StoreWriter(folder / "features" / CUSTOM, task_type=arrays.task_type, class_names=arrays.class_names) as writer:
        hashes: list[str] = []
        for item, first, block in _blocks(arrays.predictors):
            rows = range(first, first + len(block))
            examples = [Example(f"{item}#{row}", np.nan, np.nan) for row in rows]
            writer.append(item, block, arrays.targets[item][first : first + len(block)], examples)
            hashes += [blake2b(example.tobytes(), digest_size=16).hexdigest() for example in block]
            if is_compared:
                sketches.add(block)
        clips = [(f"{item}#{row}", item, label) for item, labels in arrays.labels.items() for row, label in enumerate(labels)]
        index = pd.DataFrame(clips, columns=["clip", "item", "label"])
        index = index.assign(duration_s=np.nan, sample_rate_hz=0, audio_hash=hashes, **WITHOUT_AUDIO)
        index_hash = publish(writer, index, folder, arrays.task_type, arrays.class_names)
    if is_compared:
        _compare(index, sketches, folder, index_hash)
    return writer.folder


def _compare(index: "pd.DataFrame", sketches: Sketches, folder: Path, index_hash: str) -> None:
    """Write which examples of different items are copies of each other but for noise, where that can be told."""
    clips, items = index["clip"].tolist(), index["item"].tolist()
    pairs = find_near_copies(sketches.values(), items)
    if pairs is not None:
        named = [(clips[one], items[one], clips[other], items[other], likeness) for one, other, likeness in pairs]
        write_pairs(folder, index_hash, named)


def publish(
    writer: StoreWriter,
    index: "pd.DataFrame",
    folder: Path,
    task_type: str,
    class_names: Sequence[str],
    annotations: "pd.DataFrame | None" = None,
) -> str:
    """Write the index of a custom corpus, as of `write_index`, and put its store in place; return the hash of the index."""
    facts: dict[str, Any] = {"task_type": task_type, "class_names": class_names, "annotations": annotations}
    write = partial(write_index, index, folder=folder, corpus=CUSTOM, audio_folder=folder, **facts)
    index_hash = write().index_hash
    writer.publish(index_hash=index_hash, replace=True)
    if open_corpus(folder.name, folder.parent).index_hash != index_hash:  # of another machine, where locks do nothing
        write()
    return index_hash


def _blocks(predictors: Mapping[str, NDArray[Any]]) -> Iterator[tuple[str, int, NDArray[np.float32]]]:
    """Yield an item, the first row, and float32 values of up to _BLOCK_EXAMPLES rows, item by item."""
    for item, values in predictors.items():
        for first in range(0, len(values), _BLOCK_EXAMPLES):
            # What is too large for float32 becomes infinite, which the writer refuses.
            with np.errstate(over="ignore"):
                yield item, first, values[first : first + _BLOCK_EXAMPLES].astype(np.float32)


def refuse_missing(
    values: object, where: str, what: str, task_type: str = "classification", *, texts: Collection[str] = (), keep: str = ""
) -> None:
    """Refuse labels or items of which one is missing: None, NaN, or blank text, by which several labels are none.

    Args:
        values: As a script has them, one for each example; what is no list or array is left to other checks.
        where: What the number of an example is appended to: ``Item 's1', row``.
        what: ``label`` or ``item``.
        task_type: What labels are for.
        texts: Texts that mean a missing value, too.
        keep: What to do where one of them is a name.
    """
    if isinstance(values, str | bytes) or not np.iterable(values):
        return
    may_be_blank = task_type == MULTI_LABEL and what == "label"
    single = list(values) if not hasattr(values, "__array__") else _single_values(np.asarray(values))
    missing = [
        (number, value)
        for number, value in enumerate(single)
        if (is_missing(value) and not (may_be_blank and isinstance(value, str)))
        or (isinstance(value, str) and value.strip() in texts)
    ]
    if missing:
        number, value = missing[0]
        how = "an empty list or text means that an example has none" if may_be_blank else "every example needs one"
        counted = f" Missing in all: {len(missing)}." if len(missing) > 1 else ""
        named = f" If this is a name, {keep}." if isinstance(value, str) and value.strip() in texts else ""
        raise CorpusError(f"{where} {number} has no {what}; {how} (received {value!r}).{named}{counted}")


def _single_values(values: NDArray[Any]) -> Iterable[object]:
    """Return the value of each example; NaN for one that has NaN among several, and for NaN that numpy has made text."""
    if values.dtype == _TEXT_OF_NUMBERS and np.char.str_len(values).max(initial=0) < values.dtype.itemsize // 4:
        return [math.nan if text == "nan" else text for text in values.ravel()]
    if values.dtype.kind == "f":
        is_missing_in = np.isnan(values).reshape(len(values), -1).any(axis=1)
        return [math.nan if is_nan else 0.0 for is_nan in is_missing_in]
    return values.tolist() if values.dtype.kind in "OU" and values.ndim == 1 else []


def as_array(values: ArrayLike, what: str) -> NDArray[Any]:
    """Return values as an array; text may come as a list or as an array of objects."""
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise CorpusError(f"The {what} cannot be made an array: {error}") from error
    if array.dtype == object:
        kinds = {type(value) for value in array.flat}
        if all(issubclass(kind, str) for kind in kinds):
            return array.astype(str)
        if kinds <= {bool, np.bool_}:
            return array.astype(bool)
    return array


def _check_item(item: str, x: NDArray[Any], y: NDArray[Any], first_x: NDArray[Any], first_y: NDArray[Any]) -> None:
    """Refuse predictors that are no finite numbers, and shapes that differ from those of the first item."""
    if x.dtype.kind not in "fiu" or x.ndim < 2 or not x.size:
        raise CorpusError(
            f"Item '{item}': received predictors {x.dtype} {x.shape}; expected numbers (n_examples, ...), with at least one "
            "example and a second axis."
        )
    if y.ndim < 1 or len(y) != len(x):
        raise CorpusError(
            f"Item '{item}': received {len(x)} predictors and targets of shape {y.shape}; expected {len(x)} targets."
        )
    if x.shape[1:] != first_x.shape[1:] or y.shape[1:] != first_y.shape[1:]:
        raise CorpusError(
            f"Item '{item}': received examples of shape {x.shape[1:]} with targets of shape {y.shape[1:]}; expected "
            f"{first_x.shape[1:]} and {first_y.shape[1:]} as in the first item."
        )
    if not np.isfinite(x).all():
        row = int(np.argmin(np.isfinite(x).reshape(len(x), -1).all(axis=1)))
        raise CorpusError(f"Item '{item}', row {row}: the predictors are NaN or infinite; expected finite numbers.")


def _numbers(item: str, y: NDArray[Any]) -> NDArray[np.float32]:
    """Return the targets of an item for regression, float32 (n_examples, n_outputs, ...)."""
    if y.dtype.kind not in "fiu":
        raise CorpusError(f"Item '{item}': received targets {y.dtype}; expected finite numbers for regression.")
    if not np.isfinite(y).all():
        row = int(np.argmin(np.isfinite(y).reshape(len(y), -1).all(axis=1)))
        raise CorpusError(f"Item '{item}', row {row}: received the target {y[row]}; expected finite numbers for regression.")
    return (y[:, np.newaxis] if y.ndim == 1 else y).astype(np.float32)


def number_classes(
    y: Mapping[str, NDArray[Any]], class_names: Sequence[str] | None
) -> tuple[dict[str, NDArray[Any]], tuple[str, ...]]:
    """Return the targets of every item as int64 (n_examples,), and the names of the classes."""
    if all(targets.dtype.kind == "b" for targets in y.values()):  # classes False and True, or 0 and 1 of the names
        y = {item: targets.astype(np.str_ if class_names is None else np.int64) for item, targets in y.items()}
    are_text = {targets.dtype.kind == "U" for targets in y.values()}
    if len(are_text) > 1 or any(targets.dtype.kind not in "Uiu" or targets.ndim != 1 for targets in y.values()):
        received = sorted({f"{targets.dtype} {targets.ndim}-D" for targets in y.values()})
        raise CorpusError(
            f"Received targets {', '.join(received)}; expected text for all items, or 1-D integers for all items. To predict "
            "numbers, set task_type='regression'."
        )
    occurring = {target for targets in y.values() for target in np.unique(targets).tolist()}
    if class_names is None:
        values = sorted(occurring, key=lambda target: natural_key(str(target)))
        names = tuple(map(str, values))
    else:
        names = tuple(class_names)
        values = list(names) if are_text == {True} else list(range(len(names)))
    if len(set(names)) != len(names):
        raise CorpusError(f"class_names has a name twice: {', '.join(names)}.")
    check_names(names, "classes")
    codes = {value: code for code, value in enumerate(values)}
    for item, targets in y.items():
        for target in np.unique(targets).tolist():
            if target not in codes:
                known = suggestion(str(target), map(str, values))
                raise CorpusError(f"Item '{item}': received the target '{target}', which is not a class. {known}")
    return {
        item: np.array([codes[target] for target in targets.tolist()], dtype=np.int64) for item, targets in y.items()
    }, names


def _label_sets(item: str, targets: Any) -> Any:
    """Return the targets of an item as text with all labels of each example; as they are where they are no names."""
    if isinstance(targets, np.ndarray) and targets.dtype.kind not in "UO":
        return targets
    values = list(targets)
    several = [[labels] if isinstance(labels, str) else labels for labels in values]
    are_names = all(
        np.iterable(labels) and all(isinstance(name, str) or is_missing(name) for name in labels) for labels in several
    )
    if not are_names or not any(map(len, several)):
        return targets
    refuse_missing_names(several, lambda row: f"Item '{item}', row {row}")
    texts = []
    for row, labels in enumerate(values):
        try:
            texts.append(join_labels(list(labels) if isinstance(labels, np.ndarray) else labels))
        except CorpusError as error:
            raise CorpusError(f"Item '{item}', row {row}: {error}") from error
    return texts


def _number_label_sets(
    y: Mapping[str, NDArray[Any]], class_names: Sequence[str] | None
) -> tuple[dict[str, NDArray[Any]], dict[str, list[Any]], str, tuple[str, ...]]:
    """Return the targets of every item as float32 (n_examples, n_classes), 0 or 1, as text, the task, and the classes."""
    kinds = {(targets.dtype.kind == "U", targets.ndim) for targets in y.values()}
    if kinds == {(True, 1)}:
        names = tuple(class_names or class_names_of((text for texts in y.values() for text in texts), MULTI_LABEL))
        rows = {item: multi_hot(texts.tolist(), names) for item, texts in y.items()}
    elif kinds == {(False, 2)} and all(np.isin(targets, (0, 1)).all() for targets in y.values()):
        names = tuple(class_names or map(str, range(next(iter(y.values())).shape[1])))
        rows = {item: targets.astype(np.float32) for item, targets in y.items()}
    else:
        received = sorted({f"{targets.dtype} {targets.ndim}-D" for targets in y.values()})
        raise CorpusError(
            f"Received targets {', '.join(received)} for {MULTI_LABEL}; expected text for all items such as "
            f"'dog{SEPARATOR}rain', or lists of names, one per example; or 0 and 1 (n_examples, n_classes) for all items."
        )
    widths = {values.shape[1] for values in rows.values()}
    if len(set(names)) != len(names) or widths != {len(names)} or not names or any(SEPARATOR in name for name in names):
        raise CorpusError(
            f"class_names ({', '.join(names)}): expected a name for each of the {counted(max(widths), 'column')} of the "
            f"targets, each once and without '{SEPARATOR}'."
        )
    check_names(names, "labels")
    columns = np.array(names, dtype=object)
    labels = {item: [join_labels(list(columns[row > 0])) for row in values] for item, values in rows.items()}
    return rows, labels, MULTI_LABEL, names
