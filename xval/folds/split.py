"""Split items into training, validation and test items: a `FoldPlan`, the same for every instance of an experiment.

Labels are balanced as far as whole items allow, and the folds have a hash. Folds know nothing of models or features.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from xval.base.errors import FoldsError, counted
from xval.base.user_code.definitions import is_dotted
from xval.folds.assign import Item, Order, assign_items, draw
from xval.folds.check_folds import check_fold, refuse_lonely_labels, refuse_shared_audio
from xval.folds.own_splitter import ask_splitter, naming
from xval.folds.plan import Fold, FoldPlan, FoldSettings
from xval.folds.predefined import Split, read_predefined
from xval.folds.repeats import add_repeats
from xval.folds.shared_audio import find_shared_audio

if TYPE_CHECKING:
    import pandas as pd

_REGRESSION_STRATA = 4
_SEVERAL_LABELS = "multilabel_classification"  # the index has them in one text, with a ; between them
_MIN_FOLDS_OF_NEXT_FOLD = 3


def make_folds(
    index: "pd.DataFrame",
    index_hash: str,
    *,
    task_type: str,
    has_classes: bool,
    settings: FoldSettings,
    earlier: Sequence[tuple[Fold, ...]] = (),
) -> FoldPlan:
    """Split the items of a corpus.

    `balanced` assigns whole items, largest first, to the fold that this leaves closest to an equal share of every label; the
    folds differ by one item at most. Every item is tested exactly once by `balanced`, `leave_one_out` and a column `fold`; with
    `fold_repeats` of `balanced` once in each repeat, see `add_repeats`. A strategy of the user's own is asked by
    `ask_splitter`. Augmented clips never count and, on their own, make no item.

    Args:
        index: One row per clip: item, label, clip, audio_hash, augmented, and phase or fold for `predefined`, further columns
            for a strategy of the user's own.
        index_hash: Content hash of the index.
        task_type: Of the experiment; kept with the folds.
        has_classes: The labels are classes, each of which some item has to train. Folds are stratified by label, of clips with
            several by each of them; numbers by quartiles of the items' mean (first) label.
        settings: How items are put into folds.
        earlier: Repeats of the same items that stay as they are, such as those of results; further ones are added to them.

    Returns:
        The folds, a pure function of the arguments.

    Raises:
        FoldsError: More folds than items; too few items; no further repeat; a label that only one item has; identical audio or
            a copied clip on two sides; a phase or fold column that is missing, incomplete or puts one item on two sides; a
            strategy of the user's own fails or gives no such folds.
    """
    original = index[~index["augmented"].astype(bool)]
    items = _items(original, task_type, has_classes=has_classes)
    shared = list(find_shared_audio(index))
    given, strategy = None, settings.fold_strategy
    if strategy == "predefined":
        given = read_predefined(original)
    else:
        _refuse_few_items(items, settings)
    if has_classes:
        refuse_lonely_labels(items)
    if is_dotted(strategy):
        with naming(strategy):
            given = ask_splitter(strategy, original, items, has_numbers=_has_numbers(original, has_classes=has_classes))

    def make(rng: np.random.Generator, order: Order, before: Sequence[Fold]) -> tuple[Fold, ...]:
        folds = _make_repeat(items, given, settings, rng, order, before, has_classes=has_classes)
        for fold in folds:
            check_fold(fold, items, has_classes=has_classes)
        refuse_shared_audio(shared, folds)
        return folds

    with naming(strategy):
        earlier_repeats = earlier or [make(np.random.default_rng(settings.fold_seed), "size", ())]
    folds = add_repeats(earlier_repeats, settings.fold_repeats, settings.fold_seed, make)
    return FoldPlan(folds, settings.as_written(task_type), index_hash)


def _make_repeat(
    items: Sequence[Item],
    given: Sequence[Split] | None,
    settings: FoldSettings,
    rng: np.random.Generator,
    order: Order,
    before: Sequence[Fold],
    *,
    has_classes: bool,
) -> tuple[Fold, ...]:
    """Return the folds of one repeat, numbered from 1; items that validate seldom in those `before` come first."""
    times = Counter(name for fold in before for name in fold.validation)
    splits = given or [Split(frozenset(tested)) for tested in _split_tests(items, settings, rng, order)]
    folds = []
    for number, (tested, validation, training) in enumerate(splits, start=1):
        if not validation and training is None and settings.validation == "next_fold":
            following = splits[number % len(splits)].test
            validation = _next_fold(following, len(splits), len(items), tested)
        side = [item for item in items if item.name not in tested and (training is None or item.name in training)]
        if not validation:
            validation = _choose_validation(side, len(tested), settings, rng, number, times, keep_labels=has_classes)
        times.update(validation)
        trained = {item.name for item in side} - validation
        folds.append(Fold(number, *(tuple(sorted(names)) for names in (trained, validation, tested))))
    return tuple(folds)


def _has_numbers(index: "pd.DataFrame", *, has_classes: bool) -> bool:
    return not has_classes and index[_target(index)].dtype.kind in "if"


def _target(index: "pd.DataFrame") -> str:
    return str(next(column for column in index.columns if column.startswith("label")))


def _items(index: "pd.DataFrame", task_type: str, *, has_classes: bool) -> list[Item]:
    """Count labels per item, each of a clip that has several; numbers become quartiles of the items' means."""
    target = _target(index)
    if not _has_numbers(index, has_classes=has_classes):
        texts = index[target].astype(str)
        if task_type == _SEVERAL_LABELS:
            labels = [[label for label in text.split(";") if label] for text in texts]
        else:
            labels = [[text] for text in texts]
    else:
        means = index.groupby("item")[target].mean()
        edges = np.quantile(means, np.linspace(0, 1, _REGRESSION_STRATA + 1)[1:-1])
        strata = {item: str(np.searchsorted(edges, mean)) for item, mean in means.items()}
        labels = [[strata[item]] for item in index["item"]]
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for item, clip_labels in zip(index["item"], labels, strict=True):
        counts[str(item)].update(clip_labels)
    return [Item(name, counts[name]) for name in sorted(counts)]


def _refuse_few_items(items: Sequence[Item], settings: FoldSettings) -> None:
    """Refuse a number of folds that the items do not allow."""
    if len(items) < _MIN_FOLDS_OF_NEXT_FOLD:
        raise FoldsError(
            f"the dataset has {counted(len(items), 'item')} ({', '.join(item.name for item in items)}), but training, "
            "validation and test need one each. If several speakers share a name, correct the column item."
        )
    num_folds = settings.num_folds
    if settings.fold_strategy != "balanced":
        return
    if num_folds > len(items):
        raise FoldsError(
            f"num_folds={num_folds} is more than the {counted(len(items), 'item')} of the dataset; expected "
            f"{_allowed_folds(len(items))}, or fold_strategy=leave_one_out."
        )
    if num_folds < 2:
        allowed = _allowed_folds(len(items))
        raise FoldsError(f"num_folds={num_folds}; expected {allowed}, or fold_strategy=holdout for one split.")


def _allowed_folds(n_items: int) -> str:
    """Return how many folds so many items allow: two folds of three would leave one item for training and validation."""
    return "3" if n_items == _MIN_FOLDS_OF_NEXT_FOLD else f"2 to {n_items}"


def _split_tests(items: Sequence[Item], settings: FoldSettings, rng: np.random.Generator, order: Order) -> list[set[str]]:
    if settings.fold_strategy == "leave_one_out":
        return [{item.name} for item in items]
    if settings.fold_strategy == "holdout":
        n_test = min(max(1, round(settings.test_fraction * len(items))), len(items) - 2)
        return [draw(items, n_test, rng)]
    return assign_items(items, settings.num_folds, rng, order)


def _choose_validation(
    side: Sequence[Item],
    n_tested: int,
    settings: FoldSettings,
    rng: np.random.Generator,
    number: int,
    times: Mapping[str, int],
    *,
    keep_labels: bool,
) -> frozenset[str]:
    """Choose whole items of the training side, those first that validated the fewest `times` in other folds.

    Never the last one that has a class (a regression has none).
    """
    if len(side) < 2:
        raise FoldsError(
            f"fold {number} tests {n_tested} of {counted(n_tested + len(side), 'item')}, which leaves {len(side)} for training "
            "and validation. Use more folds, or fold_strategy=leave_one_out."
        )
    wanted = min(max(1, round(settings.validation_fraction * len(side))), len(side) - 1)
    chosen = draw(side, wanted, rng, keep_labels=keep_labels, before=times)
    if not chosen:
        raise FoldsError(
            f"fold {number}: no item can validate, because each of the {len(side)} items outside the test set is the only "
            "one with some label. Add items, or merge labels that too few items have."
        )
    return frozenset(chosen)


def _next_fold(following: frozenset[str], n_folds: int, n_items: int, tested: frozenset[str]) -> frozenset[str]:
    if n_folds < _MIN_FOLDS_OF_NEXT_FOLD or following & tested or len(following | tested) == n_items:
        raise FoldsError(f"validation=next_fold needs at least three folds; received {n_folds}.")
    return following
