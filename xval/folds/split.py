"""Split items into training, validation and test items: a `FoldPlan`, the same for every instance of an experiment.

Labels are balanced as far as whole items allow, and the folds have a hash. Folds are independent of models and features.
Repeats of the folds (repeated cross-validation) group the same items differently, as in Bouckaert and Frank (PAKDD 2004). For a
search, the items that a fold does not test are split again into inner folds, so that a trial is scored on separate items.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from xval.base.errors import FoldsError, counted
from xval.base.user_code.definitions import is_dotted
from xval.folds.assign import Item, Order, assign_items, draw
from xval.folds.check_folds import check_fold, refuse_lonely_labels, refuse_shared_audio
from xval.folds.own_splitter import ask_splitter, naming
from xval.folds.plan import Fold, FoldPlan, FoldSettings
from xval.folds.predefined import Split, read_predefined
from xval.folds.shared_audio import find_shared_audio

if TYPE_CHECKING:
    import pandas as pd

_REGRESSION_STRATA = 4
_SEVERAL_LABELS = "multilabel_classification"  # the index has them in one text, with a ; between them
_MIN_FOLDS_OF_NEXT_FOLD = 3
_MOST_TRIES = 100  # to draw a repeat that is not there yet


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

    `balanced` assigns whole items, largest first, to the fold that comes closest to an equal share of every label; the sizes of
    folds differ by at most one item. `balanced`, `leave_one_out` and a column `fold` test every item exactly once;
    `fold_repeats` of `balanced` once in each repeat, see `add_repeats`. `ask_splitter` calls a user's strategy. Augmented clips
    do not count; an item with only augmented clips is ignored.

    Args:
        index: One row per clip: item, label, clip, audio_hash, augmented, phase or fold for `predefined`, and further columns
            for a user's strategy.
        index_hash: Content hash of the index.
        task_type: Task of the experiment, stored with the folds.
        has_classes: Whether labels are classes, each of which needs a training item. Folds are stratified by label, or by each
            of several labels of a clip; numbers by quartiles of the items' mean (first) label.
        settings: The fold settings.
        earlier: Existing repeats of the same items, such as those of results, to which further ones are added.

    Returns:
        The folds, a pure function of the arguments.

    Raises:
        FoldsError: More folds than items; too few items; no further repeat is possible; a label that only one item has;
            identical audio or a copied clip on two sides; a phase or fold column that is missing, incomplete or puts one item
            on two sides; a user's strategy fails or returns invalid folds.
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
    """Return the folds of one repeat, numbered from 1; items that rarely validated in those `before` validate first."""
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
    """Count labels per item, all labels of a clip with several; numbers become quartiles of the items' means."""
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
    """Raise an error for a number of folds that the items do not allow."""
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
    """Return the largest number of folds for a number of items; each fold needs items for training and validation."""
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
    """Choose validation items among the training items, first those that validated the fewest `times` in other folds.

    The last training item with a class is never chosen (a regression has no classes).
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


def add_repeats(
    earlier: Sequence[tuple[Fold, ...]],
    n_repeats: int,
    seed: int,
    make: Callable[[np.random.Generator, Order, Sequence[Fold]], tuple[Fold, ...]],
) -> tuple[Fold, ...]:
    """Return the folds of all repeats: those of repeat d are numbered from ``(d - 1) * num_folds + 1`` on.

    A repeat depends on its number, the seed and the repeats before it, so further repeats do not change existing ones. Each has
    different folds from all before it. An impossible repeat (a label without training item) is drawn again. `make` returns the
    folds of a repeat, numbered from 1, or raises a `FoldsError`; it receives the folds of all earlier repeats.
    """
    repeats = list(earlier[:n_repeats])
    known = {_test_sets(folds) for folds in repeats}
    for number in range(len(repeats) + 1, n_repeats + 1):
        rng = np.random.default_rng([seed, number])
        before = [fold for folds in repeats for fold in folds]
        error: FoldsError | None = None
        for attempt in range(_MOST_TRIES):
            try:
                drawn_folds = make(rng, "blocks" if attempt < _MOST_TRIES // 2 else "any", before)
            except FoldsError as caught:
                error = caught
                continue
            if _test_sets(drawn_folds) not in known:
                break
        else:
            why = f" Some were rejected: {error}" if error else ""
            raise FoldsError(
                f"fold_repeats={n_repeats}: the items can be split into {len(repeats[0])} folds in "
                f"{counted(number - 1, 'way')}, "
                f"found in {_MOST_TRIES} tries. Use fold_repeats={number - 1}, fewer folds, or the setting repeats, which "
                f"trains the same folds with other seeds.{why}"
            )
        known.add(_test_sets(drawn_folds))
        repeats.append(tuple(replace(fold, number=(number - 1) * len(drawn_folds) + fold.number) for fold in drawn_folds))
    return tuple(fold for folds in repeats for fold in folds)


def _test_sets(folds: tuple[Fold, ...]) -> frozenset[tuple[str, ...]]:
    return frozenset(fold.test for fold in folds)


def inner_folds(
    fold: Fold, n_folds: int, index: "pd.DataFrame", *, task_type: str, has_classes: bool, settings: FoldSettings
) -> list[Fold]:
    """Return the splits on which the trials of a fold are trained and scored; they have its number and no test items.

    Each item that the fold does not test validates in one of ``n_folds``. 0: the fold's own training and validation items;
    without validation items, a new draw of validation_fraction of its items. fold_seed is also the seed of the inner folds.
    Other arguments are as for `make_folds`.
    """
    if not n_folds and fold.validation:
        return [replace(fold, test=())]
    known = index[index["item"].isin({*fold.training, *fold.validation})]
    inner = settings.model_copy(
        update={"num_folds": n_folds, "fold_strategy": "balanced", "validation": "fraction", "fold_repeats": 1}
    )
    if not n_folds:
        inner = inner.model_copy(update={"fold_strategy": "holdout", "test_fraction": settings.validation_fraction})
    try:
        plan = make_folds(known, "", task_type=task_type, has_classes=has_classes, settings=inner)
    except FoldsError as error:
        raise FoldsError(f"fold {fold.number}, inner_folds={n_folds}: {error}") from error
    return [
        Fold(fold.number, tuple(sorted({*inner_fold.training, *inner_fold.validation})), inner_fold.test, ())
        for inner_fold in plan.folds
    ]
