"""Split foldable items into training, validation and test items.

Comes in: a table of clips with their items and labels. Goes out: a `FoldPlan`, the folds with a hash, the same for every
instance of an experiment. Folds know nothing of models or features.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from hashlib import blake2b
from json import dumps
from typing import TYPE_CHECKING, Any

import numpy as np

from xval.errors import FoldsError
from xval.folds.dealing import Item, deal, draw
from xval.folds.shared_audio import find_shared_audio

if TYPE_CHECKING:
    import pandas as pd

SIDES = ("training", "validation", "test")
_REGRESSION_STRATA = 4
_MIN_FOLDS_OF_NEXT_FOLD = 3


@dataclass(frozen=True)
class Fold:
    """One split of the items.

    Attributes:
        number: From 1.
        training: Items that train, sorted.
        validation: Items that choose the best epoch, sorted.
        test: Items that are tested, sorted.
    """

    number: int
    training: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]


@dataclass(frozen=True)
class FoldSettings:
    """How the items of a corpus are put into folds; config.ini has the meaning of each setting."""

    num_folds: int
    fold_strategy: str
    fold_seed: int
    validation: str
    validation_fraction: float
    test_fraction: float

    def of_task(self, task_type: str) -> dict[str, object]:
        """Return what folds.json says of them, the task included that decides how labels are counted."""
        return asdict(self) | {"task_type": task_type}


@dataclass(frozen=True)
class FoldPlan:
    """All folds of an experiment.

    Attributes:
        folds: In the order of their numbers.
        settings: The fold settings that made them.
        index_hash: The content hash of the corpus index that they were made from.
    """

    folds: tuple[Fold, ...]
    settings: Mapping[str, object]
    index_hash: str

    @classmethod
    def from_dict(cls, written: Mapping[str, Any]) -> "FoldPlan":
        """Return the folds that folds.json holds.

        Raises:
            KeyError, TypeError: Something is missing, or of another type.
        """
        folds = (Fold(fold["number"], *(tuple(fold[side]) for side in SIDES)) for fold in written["folds"])
        return cls(tuple(folds), written["settings"], written["index_hash"])

    @cached_property
    def hash(self) -> str:
        """Sixteen hex digits of the folds and of the corpus index."""
        content = dumps([[asdict(fold) for fold in self.folds], self.index_hash], sort_keys=True)
        return blake2b(content.encode(), digest_size=8).hexdigest()


def make_folds(
    index: "pd.DataFrame", index_hash: str, *, task_type: str, has_classes: bool, settings: FoldSettings
) -> FoldPlan:
    """Split the items of a corpus.

    `balanced` deals whole items, largest first, to the fold that this leaves closest to an equal share of every label; the
    folds differ by one item at most. Every item is tested exactly once by `balanced`, `leave_one_out` and a column `fold`.
    Augmented clips never count and, on their own, make no item.

    Args:
        index: One row per clip: item, label, clip, audio_hash, augmented, and phase or fold for `predefined`.
        index_hash: Content hash of the index.
        task_type: Of the experiment; kept with the folds.
        has_classes: The labels are classes, each of which some item has to train. Folds are stratified by label; numbers by
            quartiles of the items' mean (first) label.
        settings: How items are put into folds.

    Returns:
        The folds, a pure function of the arguments.

    Raises:
        FoldsError: More folds than items; too few items; a label that only one item has; identical audio or a copied clip on
            two sides; a phase or fold column that is missing, incomplete or puts one item on two sides.
    """
    original = index[~index["augmented"].astype(bool)]
    items = _items(original, has_classes=has_classes)
    rng = np.random.default_rng(settings.fold_seed)
    strategy = settings.fold_strategy
    if strategy == "predefined":
        test_sets, phases = _predefined(original)
    else:
        phases = None
        test_sets = _split_tests(items, strategy, settings, rng)
    if has_classes:
        _refuse_lonely_labels(items)
    folds = []
    for number, tested in enumerate(test_sets, start=1):
        if phases is not None:
            validation = phases["validation"] or _choose_validation(
                items, set(phases["test"]), settings, rng, number, keep_labels=has_classes
            )
            training = set(phases["training"]) - set(validation)
        else:
            following = test_sets[number % len(test_sets)]
            validation = (
                _next_fold(following, test_sets, items, tested)
                if settings.validation == "next_fold"
                else _choose_validation(items, tested, settings, rng, number, keep_labels=has_classes)
            )
            training = {item.name for item in items} - tested - set(validation)
        folds.append(Fold(number, *(tuple(sorted(side)) for side in (training, validation, tested))))
    chosen = tuple(folds)
    for fold in chosen:
        _check_fold(fold, items, has_classes=has_classes)
    _refuse_shared_audio(index, chosen)
    return FoldPlan(chosen, settings.of_task(task_type), index_hash)


def _items(index: "pd.DataFrame", *, has_classes: bool) -> list[Item]:
    """Count labels per item; numbers become quartiles of the items' means."""
    target = next(column for column in index.columns if column.startswith("label"))
    if has_classes or index[target].dtype.kind not in "if":
        labels = index[target].astype(str)
    else:
        means = index.groupby("item")[target].mean()
        edges = np.quantile(means, np.linspace(0, 1, _REGRESSION_STRATA + 1)[1:-1])
        strata = {item: str(np.searchsorted(edges, mean)) for item, mean in means.items()}
        labels = index["item"].map(strata)
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for item, label in zip(index["item"], labels, strict=True):
        counts[str(item)][str(label)] += 1
    return [Item(name, counts[name]) for name in sorted(counts)]


def _split_tests(items: Sequence[Item], strategy: str, settings: FoldSettings, rng: np.random.Generator) -> list[set[str]]:
    """Return the test items of every fold."""
    if len(items) < _MIN_FOLDS_OF_NEXT_FOLD:
        raise FoldsError(
            f"the corpus has {len(items)} item(s) ({', '.join(item.name for item in items)}); training, validation and test "
            "need one each. If several speakers share a name, correct the column item."
        )
    if strategy == "leave_one_out":
        return [{item.name} for item in items]
    if strategy == "holdout":
        n_test = min(max(1, round(settings.test_fraction * len(items))), len(items) - 2)
        return [draw(items, n_test, rng)]
    num_folds = settings.num_folds
    if num_folds > len(items):
        raise FoldsError(
            f"num_folds={num_folds} is more than the {len(items)} items of the corpus; "
            f"allowed: 2 to {len(items)}, or fold_strategy=leave_one_out."
        )
    if num_folds < 2:
        raise FoldsError(f"num_folds={num_folds}; allowed: 2 to {len(items)}, or fold_strategy=holdout for one split.")
    return deal(items, num_folds, rng)


def _choose_validation(
    items: Sequence[Item],
    tested: Collection[str],
    settings: FoldSettings,
    rng: np.random.Generator,
    number: int,
    *,
    keep_labels: bool,
) -> set[str]:
    """Choose whole items of the training side; never the last one that has a class (a regression has none)."""
    side = [item for item in items if item.name not in tested]
    if len(side) < 2:
        raise FoldsError(
            f"fold {number} tests {len(tested)} of {len(items)} items, which leaves {len(side)} for training and validation. "
            "Use more folds, or fold_strategy=leave_one_out."
        )
    wanted = min(max(1, round(settings.validation_fraction * len(side))), len(side) - 1)
    chosen = draw(side, wanted, rng, keep_labels=keep_labels)
    if not chosen:
        raise FoldsError(
            f"fold {number}: no item can validate, because each of the {len(side)} items beside the test items is the only one "
            "with some label. Add items, or join labels that too few items have."
        )
    return chosen


def _next_fold(following: set[str], test_sets: Sequence[set[str]], items: Sequence[Item], tested: set[str]) -> set[str]:
    if len(test_sets) < _MIN_FOLDS_OF_NEXT_FOLD or following & tested or len(following | tested) == len(items):
        raise FoldsError(f"validation=next_fold needs three folds or more; there are {len(test_sets)}.")
    return following


def _predefined(index: "pd.DataFrame") -> tuple[list[set[str]], dict[str, set[str]] | None]:
    """Read the column fold (each number is tested once), or else the column phase (one fold)."""
    for column in ("fold", "phase"):
        if column in index and index[column].notna().any():
            break
    else:
        raise FoldsError(
            "fold_strategy=predefined needs a column fold or phase in the corpus; it has neither. "
            "Add one to the table, or choose balanced or leave_one_out."
        )
    if index[column].isna().any():
        clip = index.loc[index[column].isna(), "clip"].iloc[0]
        raise FoldsError(f"column {column} is empty for clip '{clip}'; every clip needs a value.")
    sides: dict[Any, set[str]] = defaultdict(set)
    owner: dict[str, Any] = {}
    for item, value in zip(index["item"].astype(str), index[column], strict=True):
        if owner.setdefault(item, value) != value:
            raise FoldsError(f"item '{item}' is in {column} {owner[item]} and in {column} {value}; an item has one side.")
        sides[value].add(item)
    if column == "fold":
        if len(sides) < 2:
            raise FoldsError(f"column fold has the one value {next(iter(sides))}; two folds or more are needed.")
        return [sides[value] for value in sorted(sides)], None
    unknown = set(sides) - set(SIDES)
    if unknown or not sides["test"] or not sides["training"]:
        raise FoldsError(
            f"column phase has {', '.join(map(str, sorted(value for value in sides if sides[value])))}; "
            "training and test are needed, validation is optional, nothing else is allowed."
        )
    return [sides["test"]], {side: sides[side] for side in SIDES}


def _refuse_lonely_labels(items: Sequence[Item]) -> None:
    owners: dict[str, list[str]] = defaultdict(list)
    for item in items:
        for label in item.labels:
            owners[label].append(item.name)
    lonely = {label: names[0] for label, names in owners.items() if len(names) == 1}
    if lonely:
        listed = ", ".join(f"'{label}' (item '{item}')" for label, item in sorted(lonely.items())[:5])
        raise FoldsError(
            f"{len(lonely)} label(s) occur in one item only: {listed}. When that item is tested, no model has seen its label; "
            "leave those clips out, or give each label at least two items, better three."
        )


def _check_fold(fold: Fold, items: Sequence[Item], *, has_classes: bool) -> None:
    """Refuse a fold with an empty side, an item on two sides, or a tested label that nothing trained."""
    for side in SIDES:
        if not getattr(fold, side):
            raise FoldsError(f"fold {fold.number} has no {side} items; use fewer folds or more items.")
    placed = Counter((*fold.training, *fold.validation, *fold.test))
    twice = sorted(item for item, count in placed.items() if count > 1)
    if twice:
        raise FoldsError(f"fold {fold.number}: item '{twice[0]}' is on two sides.")
    if not has_classes:
        return
    labels = {item.name: set(item.labels) for item in items}
    trained = set().union(*(labels[item] for item in fold.training))
    for side in ("validation", "test"):
        unseen = set().union(*(labels[item] for item in getattr(fold, side))) - trained
        if unseen:
            raise FoldsError(
                f"fold {fold.number}: label '{min(unseen)}' occurs among the {side} items but not among the training items. "
                "Use more folds, another fold_seed, or give the label more items."
            )


def _refuse_shared_audio(index: "pd.DataFrame", folds: Sequence[Fold]) -> None:
    """Refuse clips that share audio, under items that some fold puts on two sides."""
    for what, group in find_shared_audio(index):
        first, second = (group.drop_duplicates("item").iloc[position] for position in (0, 1))
        for fold in folds:
            sides = {item: side for side in SIDES for item in getattr(fold, side)}
            if len({sides.get(item, "training") for item in group["item"]}) > 1:
                raise FoldsError(
                    f"{what} on two sides of fold {fold.number}: clip '{first['clip']}' of item '{first['item']}' and clip "
                    f"'{second['clip']}' of item '{second['item']}'. Leave one of them out, or give both the same item."
                )
