"""Further deals of the folds: the same items dealt into as many folds again, grouped differently.

Comes in: the folds of the first deal, and a function that deals again. Goes out: the folds of all deals, with consecutive
numbers. Repeated cross-validation, as Bouckaert and Frank (PAKDD 2004) use it.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from xval.base.errors import FoldsError, counted
from xval.folds.dealing import Order
from xval.folds.plan import Fold

_MOST_TRIES = 100


def add_deals(
    first: tuple[Fold, ...],
    n_deals: int,
    seed: int,
    make: Callable[[np.random.Generator, Order], tuple[Fold, ...]],
) -> tuple[Fold, ...]:
    """Return the folds of all deals: those of deal d are numbered from ``(d - 1) * len(first) + 1`` on.

    A deal depends on its number, the seed and the deals before it, so that more of them change none that is there. Each has
    another set of folds than all before it. A deal that cannot be (a label that no training item has) is dealt again.
    `make` returns the folds of a deal, numbered from 1 as the `first` ones are, or raises `FoldsError`.
    """
    folds, known = list(first), {_test_sets(first)}
    for number in range(2, n_deals + 1):
        rng = np.random.default_rng([seed, number])
        error: FoldsError | None = None
        for attempt in range(_MOST_TRIES):
            try:
                dealt = make(rng, "blocks" if attempt < _MOST_TRIES // 2 else "any")
            except FoldsError as caught:
                error = caught
                continue
            if _test_sets(dealt) not in known:
                break
        else:
            why = f" Some were refused: {error}" if error else ""
            raise FoldsError(
                f"fold_repeats={n_deals}: the items can be split into {len(first)} folds in {counted(number - 1, 'way')}, as "
                f"far as {_MOST_TRIES} tries found. Use fold_repeats={number - 1}, fewer folds, or repeats, which train the "
                f"same folds with other seeds.{why}"
            )
        known.add(_test_sets(dealt))
        folds += [replace(fold, number=(number - 1) * len(first) + fold.number) for fold in dealt]
    return tuple(folds)


def _test_sets(folds: tuple[Fold, ...]) -> frozenset[tuple[str, ...]]:
    return frozenset(fold.test for fold in folds)
