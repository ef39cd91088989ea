"""Folds by a user's own function or splitter, by dotted path: ``fold_strategy = my_folds.split``.

The path names a function of a table of items, or an object with scikit-learn's ``split(X, y, groups)``: an instance in the
module, or a class without required arguments. It returns the test items of each fold, and optionally validation and training
items. It is called twice and must return the same.
"""

import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.util import cache_from_source
from inspect import isclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xval.base.code_hash import hash_code
from xval.base.errors import FoldsError, XvalError, first_of, one_line
from xval.base.user_code import definitions, imports
from xval.base.user_code.files import own_files
from xval.base.user_code.modules import PACKAGES, describe_place
from xval.folds.assign import Item
from xval.folds.predefined import Split

if TYPE_CHECKING:
    import pandas as pd

_NOT_OF_ITEMS = {"clip", "path", "audio_hash", "augmented", "source_clip", "start_s", "end_s", "duration_s", "item"}
_WANTED = "expected a list in which each fold is {'test': items, 'validation': items}, (test, validation) or its test items"


def hash_source(path: str) -> str:
    """Return a hash (sixteen hex digits) of the module of a dotted path, and of the user's modules that it imports."""
    module = definitions.find_module(path.rpartition(".")[0])
    return hash_code({module.name: module.file} | _own_files(path))


def _own_files(path: str) -> dict[str, Path]:
    """Return the user's files behind a dotted path; none if its module is installed."""
    return own_files([path.rpartition(".")[0]], known=PACKAGES)


@contextmanager
def naming(strategy: str) -> Iterator[None]:
    """Turn any error of a user's splitter into a `FoldsError` of one line with its name; do nothing for built-in strategies."""
    if not definitions.is_dotted(strategy):
        yield
        return
    try:
        yield
    except XvalError as error:
        raise FoldsError(f"fold_strategy '{strategy}': {error}") from error
    except Exception as error:
        raise FoldsError(f"fold_strategy '{strategy}': {describe_place(error)}{one_line(error)}") from error


def table_of_items(index: "pd.DataFrame", items: Sequence[Item], *, has_numbers: bool) -> "pd.DataFrame":
    """Return a table with a row per item, sorted by name.

    Returns:
        item: text; clips: int64, number of clips; duration_s: float64, of all its clips (s). For numbers, label or
            label:<name>: their mean. For other labels clips:<label>: int64, number of clips with the label. Also each column,
            including the label, that has one value for all clips of every item.
    """
    import pandas as pd

    by_item = index.groupby(index["item"].astype(str))
    table = pd.DataFrame({"item": [item.name for item in items]})
    names = table["item"]
    table["clips"] = by_item.size().loc[names].to_numpy()
    if "duration_s" in index:
        table["duration_s"] = by_item["duration_s"].sum().loc[names].to_numpy()
    targets = [column for column in index.columns if column.startswith("label") and has_numbers]
    for column in targets:
        table[column] = by_item[column].mean().loc[names].to_numpy()
    if not has_numbers:
        for label in sorted({label for item in items for label in item.labels}):
            table[f"clips:{label}"] = [item.labels[label] for item in items]
    for column in index.columns:
        if column not in _NOT_OF_ITEMS | {*targets} and (by_item[column].nunique(dropna=False) == 1).all():
            table[column] = by_item[column].first().loc[names].to_numpy()
    return table


def ask_splitter(path: str, index: "pd.DataFrame", items: Sequence[Item], *, has_numbers: bool) -> list[Split]:
    """Return the folds of a user's splitter.

    Raises:
        FoldsError: It is not a splitter; its result is not a list of folds, has unknown items, has an item on two sides, does
            not test each item once in several folds, or differs at the second call.
        Exception: Any error of the user's code.
    """
    answers = [
        _ask_for_clips(part.split, index) if hasattr(part, "split") else _ask_for_items(part, index, items, has_numbers)
        for part in (_load(path), _load(path))
    ]
    if answers[0] != answers[1]:
        raise FoldsError(
            "it returned different folds in a second call. Create the random generator with a fixed seed inside each call."
        )
    _check(answers[0], [item.name for item in items])
    return answers[0]


def _load(path: str) -> Any:
    """Return the object of a path from its current source, because a notebook may have loaded it before.

    For a class, a new instance.
    """
    files = _own_files(path)
    names = {name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for name in files}
    for file in files.values():
        with suppress(OSError):  # Python takes its copy for one of an edit in the same second that leaves the size as it was
            Path(cache_from_source(str(file))).unlink()
    loaded = {name: sys.modules.pop(name) for name in names if name in sys.modules}
    try:
        part = imports.load(path)
    finally:
        sys.modules.update(loaded)  # what other parts of the user's own hold
    if isclass(part):
        try:
            part = part()
        except TypeError as error:
            raise FoldsError(
                f"the class needs arguments ({error}). Create the object in the module and give its name."
            ) from error
    if not callable(part) and not hasattr(part, "split"):
        raise FoldsError(
            f"received {part!r:.60}; expected a function of a table of items, or an object with split(X, y, groups)."
        )
    return part


def _ask_for_items(
    function: Callable[["pd.DataFrame"], object], index: "pd.DataFrame", items: Sequence[Item], has_numbers: bool
) -> list[Split]:
    answer = function(table_of_items(index, items, has_numbers=has_numbers))
    if isinstance(answer, str | Mapping) or not isinstance(answer, Iterable):
        raise FoldsError(f"received {answer!r:.60}; {_WANTED}.")
    return [_read_fold(fold, number) for number, fold in enumerate(answer, start=1)]


def _read_fold(fold: object, number: int) -> Split:
    """Return the test items of a fold, and its validation items if the splitter returns them."""
    sides: Sequence[object] = (fold,)
    if isinstance(fold, Mapping):
        if "test" not in fold or set(fold) - {"test", "validation"}:
            raise FoldsError(f"fold {number}: received the keys {first_of(fold)}; expected test, and optionally validation.")
        sides = (fold["test"], fold.get("validation", ()))
    elif isinstance(fold, tuple) and not any(isinstance(part, str) for part in fold):
        sides = fold
    if len(sides) not in (1, 2):
        raise FoldsError(f"fold {number}: received {len(sides)} sides; {_WANTED}.")
    for side in sides:
        if isinstance(side, str) or not isinstance(side, Iterable):
            raise FoldsError(f"fold {number}: received {side!r:.60}; {_WANTED}.")
    return Split(*(frozenset(side) for side in sides))  # type: ignore[call-overload]


def _ask_for_clips(split: Callable[..., Iterable[tuple[Any, Any]]], index: "pd.DataFrame") -> list[Split]:
    """Return the folds of scikit-learn's ``split``, called with clips, their labels, and their items as groups."""
    owners = index["item"].astype(str).to_numpy()
    targets = [column for column in index.columns if column.startswith("label")]
    labels = index[targets[0] if len(targets) == 1 else targets].to_numpy()
    splits = []
    for number, sides in enumerate(split(index.reset_index(drop=True), labels, owners), start=1):
        training, tested = (frozenset(owners[_positions(side, number, len(owners))].tolist()) for side in sides)
        if shared := training & tested:
            raise FoldsError(
                f"fold {number}: item '{min(shared)}' is on two sides. The groups are the items; use a splitter that keeps "
                "groups together."
            )
        splits.append(Split(tested, training=None if len(training | tested) == len({*owners}) else training))
    return splits


def _positions(side: object, number: int, n_clips: int) -> np.ndarray:
    positions = np.asarray(side)
    if positions.dtype == bool and positions.shape == (n_clips,):
        return positions
    if (
        positions.ndim != 1
        or positions.dtype.kind not in "iu"
        or (positions.size and not 0 <= positions.min() <= positions.max() < n_clips)
    ):
        raise FoldsError(f"fold {number}: received {side!r:.60}; expected positions of the {n_clips} clips, from 0.")
    return positions


def _check(splits: Sequence[Split], names: Collection[str]) -> None:
    """Raise an error for unknown items, an item on two sides, and, with several folds, an item that is not tested once."""
    if not splits:
        raise FoldsError(f"it returned no fold; {_WANTED}.")
    known = frozenset(names)
    for number, split in enumerate(splits, start=1):
        if unknown := (split.test | split.validation) - known:
            raise FoldsError(
                f"fold {number}: there is no item {first_of(sorted(map(repr, unknown)))}; the dataset has {first_of(names)}."
            )
        if shared := split.test & split.validation:
            raise FoldsError(f"fold {number}: item '{min(shared)}' is on two sides.")
    if len(splits) == 1:
        return
    for name in names:
        times = [number for number, split in enumerate(splits, start=1) if name in split.test]
        if len(times) != 1:
            where_tested = f"in folds {first_of(times)}" if times else "in no fold"
            raise FoldsError(
                f"item '{name}' is tested {where_tested}; several folds must test each item exactly once (a single fold is a "
                "holdout)."
            )
