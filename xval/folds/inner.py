"""Inner folds for searches: the items that a fold does not test are split again, so that a trial is scored on separate items.

They have the numbers of the fold and no test items.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from xval.base.errors import FoldsError
from xval.folds.plan import Fold, FoldSettings
from xval.folds.split import make_folds

if TYPE_CHECKING:
    import pandas as pd


def inner_folds(
    fold: Fold, n_folds: int, index: "pd.DataFrame", *, task_type: str, has_classes: bool, settings: FoldSettings
) -> list[Fold]:
    """Return the splits that the trials of a fold are trained on and scored by; other arguments are as of `make_folds`.

    Each item that the fold does not test validates in one of ``n_folds``. 0: the fold's own training and validation items;
    where none validates, validation_fraction of its items, drawn anew. fold_seed is that of the inner folds too.
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
