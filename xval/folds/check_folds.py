"""Raise a `FoldsError` for folds with an empty side, an item or shared audio on two sides, or a label that is never trained."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from xval.base.errors import FoldsError, counted
from xval.folds.assign import Item
from xval.folds.plan import Fold
from xval.folds.predefined import SIDES

if TYPE_CHECKING:
    import pandas as pd


def refuse_lonely_labels(items: Sequence[Item]) -> None:
    """Raise an error for labels that only one item has."""
    owners: dict[str, list[str]] = defaultdict(list)
    for item in items:
        for label in item.labels:
            owners[label].append(item.name)
    lonely = {label: names[0] for label, names in owners.items() if len(names) == 1}
    if lonely:
        listed = ", ".join(f"'{label}' (item '{item}')" for label, item in sorted(lonely.items())[:5])
        raise FoldsError(
            f"{counted(len(lonely), 'label')} of only one item: {listed}. When that item is tested, the model has never seen "
            "its label. Remove those clips, or give each label at least two items, better three."
        )


def check_fold(fold: Fold, items: Sequence[Item], *, has_classes: bool) -> None:
    """Raise an error for a fold with an empty side, an item on two sides, or a test label without training clips."""
    for side in SIDES:
        if not getattr(fold, side):
            raise FoldsError(f"fold {fold.number} has no {side} items. Use fewer folds or more items.")
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
                f"fold {fold.number}: label '{min(unseen)}' occurs among the {side} items, but not among the training items. "
                "Use more folds, another fold_seed, or give the label more items."
            )


def refuse_shared_audio(shared: Sequence[tuple[str, "pd.DataFrame"]], folds: Sequence[Fold]) -> None:
    """Raise an error for clips that share audio if a fold has their items on two sides."""
    for kind, group in shared:
        first, second = (group.drop_duplicates("item").iloc[position] for position in (0, 1))
        for fold in folds:
            sides = {item: side for side in SIDES for item in getattr(fold, side)}
            if len({sides.get(item, "training") for item in group["item"]}) > 1:
                raise FoldsError(
                    f"{kind} on two sides of fold {fold.number}: clip '{first['clip']}' of item '{first['item']}' and clip "
                    f"'{second['clip']}' of item '{second['item']}'. Remove one of them, or give both the same item."
                )
