"""Convert the labels of a clip that may have several or none, such as ``dog;rain`` or a list, to one text or to 0 and 1.

The text has each label once, sorted. Tables of other programs separate labels in other ways, which `read_cells` and
`refuse_several` recognise.
"""

import json
import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xval.base.errors import CorpusError, counted, suggestion

MULTI_LABEL = "multilabel_classification"
"""The task type of clips with any number of labels."""
SEPARATOR = ";"
_OTHER_SEPARATORS = ("|", ",")
"""Separators of labels in a cell, tried in this order: if a column has one, the later ones are parts of names."""
_QUOTED = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""")
_LIST = re.compile(r"\[(.*)\]|\((.*)\)|\{(.*)\}|set\(\)", re.DOTALL)
_LISTS = (list, tuple, set, frozenset, np.ndarray)


def split_labels(text: str) -> list[str]:
    """Return the labels in a text such as ``dog;rain``, without outer blanks; an empty text has none."""
    return [label.strip() for label in text.split(SEPARATOR) if label.strip()]


def join_labels(value: object) -> str:
    """Return labels in the form of the index: each once, sorted, separated by ``;``; an empty text for no label.

    Args:
        value: Text such as ``dog;rain``, a number that is a name, names in a list, tuple, set or array, or a missing value.

    Raises:
        CorpusError: The value is of another type, or a name in a list contains a ``;``.
    """
    is_list = isinstance(value, _LISTS)
    names: Iterable[Any] = value if is_list else split_labels(_label(value))  # type: ignore[assignment]
    labels = {_label(name) for name in names} - {""}
    if wrong := sorted(label for label in labels if SEPARATOR in label):
        raise CorpusError(f"Label '{wrong[0]}': '{SEPARATOR}' separates labels, so a label cannot contain it. Rename it.")
    return SEPARATOR.join(sorted(labels))


def refuse_missing_names(values: Iterable[object], where: Callable[[int], str]) -> None:
    """Raise CorpusError for a list of labels with a missing name, such as ``["dog", nan]``: that label may be any.

    Args:
        values: The labels of each clip; only lists, tuples, sets and arrays are checked.
        where: Returns the name of a clip by its position in ``values``, for the error.

    Raises:
        CorpusError: A list has a missing name.
    """
    lists = {place: list(value) for place, value in enumerate(values) if isinstance(value, _LISTS)}
    lacking = {
        place: names for place, names in lists.items() if any(is_missing(name) and not isinstance(name, str) for name in names)
    }
    for place, names in lacking.items():
        n_such = counted(len(lacking), "such list")
        raise CorpusError(
            f"{where(place)}: one of the labels {names!r:.100} is missing ({n_such} in all). Remove it; an empty list means "
            "that an example has none."
        )


def labels_of(texts: Iterable[object], task_type: str) -> list[list[str]]:
    """Return the labels of each clip: any number of them for multi-label classification, otherwise exactly one."""
    return [split_labels(str(text)) if task_type == MULTI_LABEL else [str(text)] for text in texts]


def multi_hot(texts: Sequence[str], class_names: Sequence[str]) -> NDArray[np.float32]:
    """Return which labels each clip has (multi-hot encoding): float32 (n_clips, n_classes), 0 or 1.

    Args:
        texts: The labels of each clip, as `join_labels` returns them.
        class_names: All labels in their order.

    Raises:
        CorpusError: A label is not among the class names.
    """
    numbers = {name: number for number, name in enumerate(class_names)}
    active = np.zeros((len(texts), len(numbers)), np.float32)
    for row, text in enumerate(texts):
        for label in split_labels(text):
            if label not in numbers:
                raise CorpusError(f"Label '{label}' is not a class. {suggestion(label, class_names)}")
            active[row, numbers[label]] = 1
    return active


def refuse_several(labels: Sequence[str], where: str) -> None:
    """Raise CorpusError for classes that look like several labels, as long as the user has not chosen a task type.

    Args:
        labels: The label of each clip.
        where: The file with the labels, with which the error begins.

    Raises:
        CorpusError: A label is a list, or contains a separator between names.
    """
    several = {label for label, names in zip(labels, _lists_in(labels), strict=True) if names is not None}
    how = "are lists"
    for separator in (SEPARATOR, *_OTHER_SEPARATORS):
        if not several:
            several = {label for label in labels if sum(bool(part.strip()) for part in label.split(separator)) > 1}
            how = f"have a '{separator}'"
    if several:
        raise CorpusError(
            f"{where}: '{min(several)}' looks like several labels of one clip ({len(several)} of {len(set(labels))} "
            f"different labels {how}). If clips have several labels, give --task-type {MULTI_LABEL}; if each is the name of "
            "one class, give --task-type classification."
        )


def read_cells(cells: Sequence[str]) -> tuple[list[str], str]:
    """Return the labels in the cells of a column in the form of `join_labels`, and the separator of the column.

    Args:
        cells: Labels as people write them: ``dog;rain``, ``dog|rain``, ``dog,rain``, or a list of Python, NumPy or JSON.

    Returns:
        The labels of each cell; and ``|`` or ``,`` if the column uses it as the separator, otherwise an empty text.
    """
    lists = _lists_in(cells)
    plain = [cell for cell, names in zip(cells, lists, strict=True) if names is None]
    separator = next((one for one in (SEPARATOR, *_OTHER_SEPARATORS) if any(one in cell for cell in plain)), SEPARATOR)
    parts = [cell.split(separator) if names is None else names for cell, names in zip(cells, lists, strict=True)]
    return [join_labels(names) for names in parts], "" if separator == SEPARATOR else separator


def cell_of(value: object) -> object:
    """Return the labels of a clip as a cell of a table, a JSON list, from which `read_cells` reads the same labels."""
    if isinstance(value, str) or is_missing(value):
        return value
    return json.dumps(split_labels(join_labels(value)), ensure_ascii=False)


def single_names(cells: Sequence[str]) -> list[str]:
    """Return the only name in each cell if all cells are lists of at most one name; otherwise the cells as they are."""
    lists = [_listed(cell, may_be_bare=False) if cell.strip() else [] for cell in cells]
    is_single = any(lists) and all(names is not None and len(names) <= 1 for names in lists)
    return ["".join(names or ()) for names in lists] if is_single else list(cells)


def _lists_in(cells: Sequence[str]) -> list[list[str] | None]:
    """Return the names in each cell that is a list of Python, NumPy or JSON; None: it is no list.

    A name in brackets without quotes or commas, such as ``[noise]``, is a list only if another cell of the column is one.
    """
    lists = [_listed(cell, may_be_bare=False) for cell in cells]
    return lists if not any(names is not None for names in lists) else [_listed(cell, may_be_bare=True) for cell in cells]


def _listed(cell: str, *, may_be_bare: bool) -> list[str] | None:
    match = _LIST.fullmatch(cell.strip())
    if match is None:
        return None
    inner = (match[1] or match[2] or match[3] or "").strip()
    if not _QUOTED.sub("", inner).strip(", \n"):  # NumPy separates elements by blanks
        return [_unquoted(text) for text in _QUOTED.findall(inner)]
    is_list = match[1] is not None and (may_be_bare or "," in inner or inner.isdecimal())
    return [_unquoted(name.strip()) for name in inner.split(",")] if is_list else None


def _unquoted(text: str) -> str:
    if not _QUOTED.fullmatch(text):
        return text
    try:
        return str(json.loads(text))
    except ValueError:  # quotes of Python, which are not JSON
        return re.sub(r"\\(.)", r"\1", text[1:-1])


def is_missing(value: object) -> bool:
    """Return whether a value is missing: None, NaN, NA or NaT of pandas, or blank text."""
    if value is None or isinstance(value, str):
        return not (value and value.strip())
    try:
        return bool(value != value)  # true for NaN and NaT
    except TypeError:  # raised by NA, which has no truth value
        return True
    except ValueError:  # raised by an array, which is not missing
        return False


def plain_name(value: Any) -> str:
    """Return a name as NFC text without outer blanks; a missing or infinite value becomes empty, and 1.0 becomes ``1``."""
    is_number = isinstance(value, Real)
    if is_missing(value) or (is_number and not math.isfinite(value)):
        return ""
    if is_number:
        value = int(value) if float(value).is_integer() else float(value)
    return unicodedata.normalize("NFC", str(value)).strip()


def _label(value: object) -> str:
    if isinstance(value, bool) or not (isinstance(value, str | Real) or is_missing(value)):
        raise CorpusError(f"Label {value!r} is a {type(value).__name__}; expected text or a list of names.")
    return plain_name(value)
