"""The labels of a clip that may have several at once, or none: one text in tables and in the index, 0 and 1 in a store.

Comes in: ``dog;rain``, or a list of names. Goes out: the same in one form, each label once and in order; rows of 0 and 1.
"""

import math
import unicodedata
from collections.abc import Iterable, Sequence
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xval.base.errors import CorpusError, suggestion

MULTI_LABEL = "multilabel_classification"
"""The task type of clips with several labels."""
SEPARATOR = ";"


def split_labels(text: str) -> list[str]:
    """Return the labels in a text, without outer blanks; none of an empty text."""
    return [label.strip() for label in text.split(SEPARATOR) if label.strip()]


def join_labels(value: object) -> str:
    """Return labels in the form that the index has: each once, in order, with ``;`` between them; empty: there is none.

    Args:
        value: Text such as ``dog;rain``, a number that is a name, several names as a list, tuple or set, or a missing value.

    Raises:
        CorpusError: A value of another kind, or a name in a list that has a ``;``.
    """
    is_list = isinstance(value, list | tuple | set | frozenset | np.ndarray)
    names: Iterable[Any] = value if is_list else split_labels(_label(value))  # type: ignore[assignment]
    labels = {_label(name) for name in names} - {""}
    if wrong := sorted(label for label in labels if SEPARATOR in label):
        raise CorpusError(f"Label '{wrong[0]}': '{SEPARATOR}' separates labels, so no label may contain it. Rename it.")
    return SEPARATOR.join(sorted(labels))


def labels_of(texts: Iterable[object], task_type: str) -> list[list[str]]:
    """Return the labels of each clip: any number of them where a clip may have several, else the one."""
    return [split_labels(str(text)) if task_type == MULTI_LABEL else [str(text)] for text in texts]


def multi_hot(texts: Sequence[str], class_names: Sequence[str]) -> NDArray[np.float32]:
    """Return which labels each text has, float32 (n_texts, n_classes), 0 or 1.

    Args:
        texts: As of `join_labels`.
        class_names: All labels there are, in their order.
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
    """Refuse classes that look like several labels, where nobody has said what they are.

    Args:
        labels: Of all clips.
        where: Whose labels they are, to begin the error with.
    """
    several = sorted({label for label in labels if len(split_labels(label)) > 1})
    if several:
        raise CorpusError(
            f"{where}: '{several[0]}' looks like several labels of one clip ({len(several)} of {len(set(labels))} different "
            f"labels have a '{SEPARATOR}'). If a clip may have several labels, give --task-type {MULTI_LABEL}; if each is the "
            "name of one class, --task-type classification."
        )


def is_missing(value: object) -> bool:
    """Return whether a value stands for none: None, NaN, what pandas has for it (NA, NaT), or blank text."""
    if value is None or isinstance(value, str):
        return not (value and value.strip())
    try:
        return bool(value != value)  # which NaN is
    except TypeError:  # of NA, which is neither
        return True
    except ValueError:  # of an array
        return False


def plain_name(value: Any) -> str:
    """Return NFC text without outer blanks; a missing value becomes empty and 1.0 becomes ``1``."""
    is_number = isinstance(value, Real)
    if is_missing(value) or (is_number and not math.isfinite(value)):
        return ""
    if is_number:
        value = int(value) if float(value).is_integer() else float(value)
    return unicodedata.normalize("NFC", str(value)).strip()


def _label(value: object) -> str:
    if isinstance(value, bool) or not (isinstance(value, str | Real) or is_missing(value)):
        raise CorpusError(f"Label {value!r} is neither text nor a list of names, but a {type(value).__name__}.")
    return plain_name(value)
