"""Check the list of clips that a reader in corpora/ returns, and add the columns that it may omit.

The list is a DataFrame with path, item, label (or one or more ``label:<name>``) and any additional columns. The result has all
columns of an index, each with values of one type, and every clip once.
"""

import math
import os
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from preprocessing.clips.label_sets import (
    MULTI_LABEL,
    SEPARATOR,
    is_missing,
    join_labels,
    plain_name,
    refuse_missing_names,
    split_labels,
)
from preprocessing.clips.listing import (
    ASK,
    HEADER_CHECKED,
    KEEP,
    NO_UTF8,
    OVERLAPS,
    SEVERAL,
    SHARED_FILES,
    SIMILAR_NAMES,
    is_utf8,
)
from preprocessing.clips.notation import common_spellings, composed, similar_names
from preprocessing.clips.same_files import first_paths
from xval.base.errors import CorpusError, counted, first_of, suggestion, verb_of
from xval.folds.shared_audio import describe_shared_file, find_shared_files

if TYPE_CHECKING:
    import pandas as pd

REQUIRED_COLUMNS = ("path", "item", "label")
NAMED = "label:"
"""Prefix of the columns of a regression with named targets, which are used instead of the column ``label``."""
OPTIONAL_COLUMNS = ("clip", "phase", "fold", "start_s", "end_s", "source_clip", "augmented")
PHASES = ("training", "validation", "test")
TaskType = Literal["classification", "multilabel_classification", "regression", "representation", "frame_classification"]
TASK_TYPES: tuple[str, ...] = get_args(TaskType)

LARGEST_NAME = 1000
"""Largest number of characters of a name; a model.json with a longer one is not read."""

_ONE_CLASS = ("classification", "frame_classification")
_ROUNDED_S = 0.01
"""Overlap of two segments that is tolerated (seconds), because annotations are rounded."""
_N_SHOWN = 3
UNWRITABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
"""Characters that a terminal, a workbook or a results file cannot show: control characters, lone surrogates (bytes of a file
name that are not UTF-8), and characters that XML does not allow."""


def check_clips(clips: "pd.DataFrame", audio_folder: Path, *, task_type: str) -> "pd.DataFrame":
    """Check a list of clips and complete it.

    Args:
        clips: One row per clip. Required columns: path, item, label (or one or more ``label:<name>``). Optional: clip (made
            from path and segment if missing), phase, fold, start_s, end_s, source_clip, augmented. Additional columns are
            skipped here; `preprocessing.clips.columns` stores them.
        audio_folder: The folder to which paths are relative.
        task_type: ``regression``: labels become float64; otherwise they become text (1.0 becomes ``1``). ``representation``:
            labels may be missing. ``multilabel_classification``: a clip has any number of labels, in the forms that
            `preprocessing.clips.label_sets.join_labels` reads.

    Returns:
        The columns clip, path, item, label (or ``label:<name>``), start_s, end_s, phase, fold, source_clip, augmented, in the
        order of the rows. Texts are in Unicode form NFC; paths are relative and without ``.`` and ``..`` where possible.

    Raises:
        CorpusError: A required column is missing or a column is misspelt; there are no clips; an item or a label is empty (for
            several labels: all labels are empty); labels are neither all text nor all numbers; a phase or segment is
            impossible; a clip is listed twice; two items (unless they are files) or classes differ only in notation; or a name
            cannot be written (`check_names`). If ``attrs`` of the clips ask for it, also if clips overlap, or if a file has
            segments of several items.
    """
    import pandas as pd

    targets = _check_columns(clips, task_type)
    paths, items = [plain_path(path, audio_folder) for path in clips["path"]], [plain_name(item) for item in clips["item"]]
    labels = {
        column: _labels(list(clips[column]) if column in clips else [""] * len(clips), paths, task_type) for column in targets
    }
    # Before the table is made, because pandas cannot hold text that is not valid Unicode.
    classes = [name for name in labels[targets[0]] if isinstance(name, str)]
    if task_type == MULTI_LABEL:
        classes = [name for text in classes for name in split_labels(text)]
    for what, names in (("paths", paths), ("items", items), ("classes", classes), ("targets", targets)):
        refuse_unwritable(names, what)
    checked = pd.DataFrame({"path": paths, "item": items, **labels})
    for column in ("start_s", "end_s"):
        checked[column] = pd.Series(_values(clips, column, math.nan), dtype="float64")
    checked["phase"] = _values(clips, "phase", None)
    checked["fold"] = pd.array(_values(clips, "fold", None), dtype="Int64")
    segments = [_segment_name(*segment) for segment in zip(checked["path"], checked["start_s"], checked["end_s"], strict=True)]
    names = [plain_name(clip) for clip in clips["clip"]] if "clip" in clips else segments
    refuse_unwritable(names, "clips")
    checked.insert(0, "clip", names)
    as_listed = {composed(name): name for name in names}  # a name that is a path has the Unicode form of the disk
    sources = map(plain_name, _values(clips, "source_clip", None))
    checked["source_clip"] = [as_listed.get(source, source) or None for source in sources]
    checked["augmented"] = pd.Series(_values(clips, "augmented", False), dtype="bool")
    impossible = (checked["start_s"] < 0) | (checked["end_s"] <= checked["start_s"].fillna(0))
    _refuse(checked, checked["item"] == "", "no item")
    answer = clips.attrs.get(SIMILAR_NAMES, "")
    are_files = any(list(map(composed, files)) == items for files in (paths, names))  # different files are different items
    problems: list[str] = []
    with gathered(problems):
        check_names(checked["item"], "items", SEVERAL if are_files else answer)
    with gathered(problems):
        if task_type == "classification":
            check_names(checked["label"], "classes", answer)
        elif task_type == MULTI_LABEL:
            check_names((label for text in checked["label"] for label in split_labels(text)), "labels", answer)
    with gathered(problems):
        _refuse(checked, checked["clip"] == "", "no clip name")
        _refuse(checked, ~checked["phase"].isin([None, *PHASES]), f"a phase other than {', '.join(PHASES)}")
        _refuse(checked, impossible, "a segment that begins before 0 s, or does not end after its beginning")
        _refuse_repeated(checked, pd.Series(segments), "clip (file and segment)")
        _refuse_repeated(checked, checked["clip"], "clip name")
        if clips.attrs.get(OVERLAPS) == ASK:
            _refuse_overlaps(checked, audio_folder)
    with gathered(problems):
        if clips.attrs.get(SHARED_FILES) == ASK:
            refuse_shared_files(checked)
    if problems:
        raise CorpusError("\n  ".join(problems))
    return checked


@contextmanager
def gathered(problems: list[str]) -> Iterator[None]:
    """Append a CorpusError of this block to a list instead of raising it, so that several are reported together."""
    try:
        yield
    except CorpusError as error:
        problems.append(str(error))


def refuse_shared_files(clips: "pd.DataFrame") -> None:
    """Check that the segments of each file belong to one item; otherwise one recording would be in training and test.

    Args:
        clips: One row per clip: clip, path, item, augmented. Files with the same content have the same path, as from
            `same_files.first_paths`.

    Raises:
        CorpusError: A file has segments of several items.
    """
    shared = list(find_shared_files(clips))
    if shared:
        more = f" Such files in all: {len(shared)}." if len(shared) > 1 else ""
        what = describe_shared_file(shared[0])
        option = SHARED_FILES.replace("_", "-")
        raise CorpusError(
            f"{what[:1].upper()}{what[1:]}: one recording would be in training and test. Give them one item (what stays on "
            f"one side of a fold). If this is intended, as for two speakers in a dialogue, give --{option} {KEEP}.{more}"
        )


def check_names(names: Iterable[str], what: str, answer: str = "") -> None:
    """Check that names of items or classes can be written, and do not differ only in notation (`notation.notation_key`).

    Names that differ only in notation may put one speaker into training and test, or split a class.

    Args:
        names: Names of items or classes in any order, also repeated.
        what: What they name, in the plural, for errors: ``items``, ``classes``.
        answer: The user's answer: ``several`` if such names are different; ``ask`` if an option can answer it; empty if there
            is no such option.

    Raises:
        CorpusError: A name is missing, too long or has characters that cannot be written; or names differ only in notation.
    """
    once = list(dict.fromkeys(names))
    if wrong := [name for name in once if not isinstance(name, str) or is_missing(name)]:
        raise CorpusError(f"The {what}: received the name {wrong[0]!r}; expected text that is not empty.")
    refuse_unwritable(once, what)
    several = [] if answer == SEVERAL else similar_names(once)
    if several:
        *first, last = [f"'{name}'" if name.isprintable() else ascii(name) for name in several[0]]
        notation = "case or spaces" if len({"".join(name.casefold().split()) for name in several[0]}) == 1 else "notation"
        advice = (
            'give --similar-names one; if not, give --similar-names several. In Python: similar_names="one".') if answer else (
            "write them alike; if not, give one of them another name."
        )  # fmt: skip
        more = f" In all, {len(several)} names are written in several ways." if len(several) > 1 else ""
        raise CorpusError(
            f"The {what} {', '.join(first)} and {last} differ only in {notation}. Are they the same? If so, {advice}{more}"
        )


def with_common_names(clips: "pd.DataFrame", task_type: str) -> "pd.DataFrame":
    """Return clips in which items and classes that differ only in notation have their most frequent spelling.

    Args:
        clips: A list of clips before it is checked.
        task_type: Task of the dataset; labels of a regression are no names and stay as they are.
    """
    changed = clips.copy()
    if "item" in clips:
        items = clips["item"].map(plain_name)
        changed["item"] = items.replace(common_spellings(items))
    if "label" not in clips or task_type not in (MULTI_LABEL, "classification", "frame_classification"):
        return changed
    separator = {MULTI_LABEL: SEPARATOR, "frame_classification": "+"}.get(task_type)
    labels = clips["label"].map(join_labels if task_type == MULTI_LABEL else lambda label: plain_name(_named_truth(label)))
    names = [label.split(separator) if separator else [label] for label in labels]
    spellings = common_spellings(name for clip_labels in names for name in clip_labels)
    changed["label"] = [
        (separator or "").join(dict.fromkeys(spellings.get(name, name) for name in clip_labels)) for clip_labels in names
    ]
    return changed


def refuse_unwritable(names: Iterable[str], what: str) -> None:
    """Check that names are not too long and have only characters that results files can hold.

    Args:
        names: Names in any order.
        what: What they name, in the plural, for errors: ``paths``, ``items``.

    Raises:
        CorpusError: A name is longer than `LARGEST_NAME`, or has a character of `UNWRITABLE`.
    """
    by_fault: dict[str, list[str]] = {}
    for name in dict.fromkeys(names):
        if len(name) > LARGEST_NAME:
            fault = f"are longer than {LARGEST_NAME} characters"
        elif not UNWRITABLE.search(name):
            continue
        else:
            fault = "have control characters, which a workbook cannot store" if is_utf8(name) else NO_UTF8
        by_fault.setdefault(fault, []).append(name)
    if by_fault:
        fault, wrong = next(iter(by_fault.items()))
        shown = ", ".join(ascii(name) if len(name) <= LARGEST_NAME else _shorten(name) for name in wrong[:_N_SHOWN])
        raise CorpusError(f"{what.capitalize()} with names that {fault}: {shown} ({len(wrong)} in all). Rename them.")


def _shorten(name: str) -> str:
    begin = f"{name[:40]}..."
    return f"{begin!a} of {len(name):,}"


def natural_key(text: str) -> tuple[list[int | str], str]:
    """Return a sorting key by which ``take 2`` comes before ``take 10``."""
    parts: list[int | str] = list(re.split(r"(\d+)", text.casefold()))
    parts[1::2] = [int(digits) for digits in parts[1::2]]
    return parts, text


def class_names_of(labels: Iterable[object], task_type: str) -> tuple[str, ...]:
    """Return the classes among labels, in natural order; none if the task has no classes."""
    if task_type == MULTI_LABEL:
        names = {label for text in labels for label in split_labels(str(text))}
    else:
        names = set(map(str, labels)) if task_type in _ONE_CLASS else set()
    return tuple(sorted(names, key=natural_key))


def find_misspelt(columns: Sequence[str], known: Collection[str]) -> tuple[str, str] | None:
    """Return the first misspelt column and the known column that it should be; None: there is none.

    Misspelt are the same letters in another order, case or with another separator (lable, Phase), and, if the known column is
    missing, with an s at the end (folds). All other names, such as start, folder or phrase, are additional columns.
    """
    for column in columns:
        letters = re.sub(r"[\W_]", "", column.casefold())
        for name in known if column not in known else ():
            own = name.replace("_", "")
            slips = [own] if name in columns else [own, f"{own}s"]
            if name != "clip" and any(sorted(letters) == sorted(slip) for slip in slips):
                return column, name
    return None


def label_columns(columns: Iterable[str]) -> list[str]:
    """Return the columns that are targets: ``label``, or every ``label:<name>``."""
    return [column for column in columns if column == "label" or column.startswith(NAMED)]


def _check_columns(clips: "pd.DataFrame", task_type: str) -> list[str]:
    """Raise CorpusError for missing or misspelt columns, and for an empty list; return the columns of the targets."""
    columns = [str(column) for column in clips.columns]
    targets = label_columns(columns)
    named = [column for column in targets if column != "label"]
    if named and "label" in targets:
        raise CorpusError(
            f"The list of clips has the label columns {', '.join(targets)}; expected: label, or one or more {NAMED}<name>."
        )
    if named and task_type != "regression":
        raise CorpusError(
            f"Targets with names ({', '.join(named)}) need task_type regression; received {task_type}. Give --task-type "
            "regression."
        )
    without_label = named or task_type == "representation"
    known = (*REQUIRED_COLUMNS, *OPTIONAL_COLUMNS, *named)
    for column in (column for column in REQUIRED_COLUMNS if column != "label" or not without_label):
        if column not in columns:
            raise CorpusError(f"The list of clips has no column '{column}'. {suggestion(column, columns)}")
    if not clips.attrs.get(HEADER_CHECKED) and (wrong := find_misspelt(columns, known)):
        raise CorpusError(f"The list of clips has an unknown column '{wrong[0]}'. {suggestion(wrong[1], known)}")
    if clips.empty:
        raise CorpusError("The list of clips is empty.")
    return named or ["label"]


def _values(clips: "pd.DataFrame", column: str, default: object) -> list[Any]:
    """Return the values of an optional column, and the default for missing values or a missing column."""
    import pandas as pd

    if column not in clips:
        return [default] * len(clips)
    return [default if pd.isna(value) else value for value in clips[column]]


def plain_path(path: object, audio_folder: Path) -> str:
    """Return a path relative to the audio folder, with forward slashes and without ``..`` in between: one name per file."""
    folder = os.path.abspath(audio_folder)  # noqa: PTH100 - resolve() would access the disk for every clip
    whole = os.path.join(folder, str(path).replace("\\", "/"))  # noqa: PTH118 - Path keeps '..'
    return Path(os.path.relpath(whole, folder)).as_posix()


def _labels(labels: Sequence[Any], paths: Sequence[str], task_type: str) -> list[str] | list[float]:
    """Return labels as numbers for regression, and as text for all other tasks."""
    if task_type not in TASK_TYPES:
        raise CorpusError(f"Unknown task type '{task_type}'. {suggestion(task_type, TASK_TYPES)}")
    if task_type == MULTI_LABEL:
        return _label_sets(labels, paths)
    if task_type != "regression":
        labels = [*map(_named_truth, labels)]
    numbers = [isinstance(label, Real) and not isinstance(label, bool) for label in labels]
    for path, label, is_number in zip(paths, labels, numbers, strict=True):
        if not plain_name(label) and task_type != "representation":
            raise CorpusError(f"{path} has no label; every clip needs one (received {label!r}).")
        if not is_number and not isinstance(label, str):
            raise CorpusError(f"{path}: label {label!r} is a {type(label).__name__}; expected text or a number.")
    if any(numbers) and not all(numbers):
        number, text = labels[numbers.index(True)], labels[numbers.index(False)]
        raise CorpusError(f"Labels must be all text or all numbers; received both, such as {number!r} and {text!r}.")
    if task_type != "regression":
        return [plain_name(label) for label in labels]
    if not all(numbers):
        raise CorpusError(f"Regression needs labels that are numbers; received {labels[0]!r} for {paths[0]}.")
    return [float(label) for label in labels]


def _named_truth(label: object) -> object:
    """Return the class name, ``True`` or ``False``, of a label that is a boolean; other labels as they are."""
    return str(label) if isinstance(label, bool | np.bool_) else label


def _label_sets(labels: Sequence[Any], paths: Sequence[str]) -> list[str]:
    """Return the labels of each clip as one text; raise CorpusError if no clip has a label."""
    joined = []
    refuse_missing_names(labels, paths.__getitem__)
    for path, label in zip(paths, labels, strict=True):
        try:
            joined.append(join_labels(label))
        except CorpusError as error:
            raise CorpusError(f"{path}: {error}") from error
    if not any(joined):
        raise CorpusError(
            f"None of the {counted(len(joined), 'clip')} has a label. Single clips may lack one, but not all of them."
        )
    return joined


def _segment_name(path: str, start_s: float, end_s: float) -> str:
    """Return the name of a clip that has none: its path, and its segment where it is not the whole file."""
    start_s = 0.0 if math.isnan(start_s) else start_s
    if start_s == 0 and math.isnan(end_s):
        return path
    return f"{path}#{start_s}-{'end' if math.isnan(end_s) else end_s}"


def _refuse(checked: "pd.DataFrame", wrong: "pd.Series[bool]", what: str) -> None:
    """Raise when any row is wrong, naming the first few."""
    if wrong.any():
        paths = list(checked.loc[wrong, "path"])
        raise CorpusError(
            f"{len(paths)} of {counted(len(checked), 'clip')} {verb_of(len(paths), 'have')} {what}: "
            f"{first_of(paths, _N_SHOWN)}."
        )


def _refuse_repeated(checked: "pd.DataFrame", names: "pd.Series[str]", what: str) -> None:
    """Raise when a name occurs twice, saying under which items."""
    repeated = names[names.duplicated()]
    if repeated.empty:
        return
    rows = checked[names == repeated.iloc[0]]
    items = sorted(set(rows["item"]))
    where = " and ".join(f"'{item}'" for item in items)
    raise CorpusError(
        f"The {what} '{repeated.iloc[0]}' is listed {len(rows)} times, under the item{'s' * (len(items) > 1)} {where}. List "
        f"each once, under one item: keep one of these rows. Repeated in all: {repeated.nunique()}."
    )


def _refuse_overlaps(checked: "pd.DataFrame", audio_folder: Path) -> None:
    """Raise when clips of one recording and item overlap, as a file and a part do; what two items share is refused by folds."""
    own = checked[~checked["augmented"]]
    if own[["start_s", "end_s"]].isna().all(axis=None):  # whole files, each listed once
        return
    recordings = first_paths(own, audio_folder)  # also by links and copies
    columns = recordings, own["item"], own["start_s"].fillna(0.0), own["end_s"].fillna(math.inf), own["clip"]
    spans = list(zip(*columns, strict=True))
    # Copies of whole files are compared by their audio, with those in lists without segments.
    whole = dict(
        reversed([((path, item), clip) for path, item, start_s, end_s, clip in spans if (start_s, end_s) == (0, math.inf)])
    )
    spans = [span for span in spans if span[2:4] != (0, math.inf) or whole[span[:2]] == span[4]]
    pairs, reached, until, first = list[tuple[str, str]](), ("", ""), 0.0, ""
    for path, item, start_s, end_s, clip in sorted(spans):
        if (path, item) != reached:
            reached, until, first = (path, item), end_s, clip
            continue
        if start_s < until - _ROUNDED_S:
            pairs.append((first, clip))
        if end_s > until:
            until, first = end_s, clip
    if pairs:
        more = f" Such pairs in all: {len(pairs)}." if len(pairs) > 1 else ""
        raise CorpusError(
            f"The clips '{pairs[0][0]}' and '{pairs[0][1]}' overlap, so what they share would count twice, perhaps with two "
            f"labels. List it once. If this is intended, as for overlapping windows, give --{OVERLAPS} {KEEP}.{more}"
        )
