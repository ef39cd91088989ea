"""Repeats of the folds (repeated cross-validation): the same items in as many folds again, grouped differently.

Folds of all repeats are numbered consecutively. As used by Bouckaert and Frank (PAKDD 2004).
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from xval.base.errors import FoldsError, counted
from xval.folds.assign import Order
from xval.folds.plan import Fold

_MOST_TRIES = 100


def add_repeats(
    earlier: Sequence[tuple[Fold, ...]],
    n_repeats: int,
    seed: int,
    make: Callable[[np.random.Generator, Order, Sequence[Fold]], tuple[Fold, ...]],
) -> tuple[Fold, ...]:
    """Return the folds of all repeats: those of repeat d are numbered from ``(d - 1) * num_folds + 1`` on.

    A repeat depends on its number, the seed and the repeats before it, so that more of them change none that is there. Each has
    another set of folds than all before it. A repeat that cannot be (a label that no training item has) is drawn again.
    `make` returns the folds of a repeat, numbered from 1 as the first ones are, or raises `FoldsError`; it is given the folds
    of all repeats before.
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
