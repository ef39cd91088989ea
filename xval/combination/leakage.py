"""Has a model seen the items that a fold tests?

Comes in: the path of a model.keras with the files that a run leaves around it, and a fold. Goes out: a `Leakage`. A model that
has trained on a test item of the same corpus is refused, because its features of that item are better than those of an unseen
one; a model of which that cannot be known is reported.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from xval.errors import FoldsError
from xval.folds.split import Fold
from xval.json_files import read_json
from xval.saved_models.seen_items import SeenItems


@dataclass(frozen=True)
class Leakage:
    """What is known of a model and a fold.

    Attributes:
        state: clean: it has seen no item that is tested or validated; validation: it has seen items that validate, so the
            validation figures are too good; unknown: what it has seen is not known.
        reason: For a person; empty where it is clean.
    """

    state: Literal["clean", "validation", "unknown"]
    reason: str = ""


def judge(model: Path, fold: Fold, dataset: str) -> Leakage:
    """Return whether a model may have seen the items that a fold tests.

    Args:
        model: The path of its model.keras. Read beside it: model.json, which names the items that it and the models that it
            started from have seen, by corpus; and record.json.
        fold: The fold whose examples it is to describe.
        dataset: The corpus of the fold.

    Raises:
        FoldsError: It has trained on test items of this fold, or was chosen by them.
        ResultsError: A file beside it is no JSON, or of a newer format.
    """
    described, record = (read_json(model.parent / name) or {} for name in ("model.json", "record.json"))
    sides = record.get("items", {"training": [], "validation": []})
    written = described.get("seen_items")
    seen = SeenItems.of(described | {"seen_items": written or {dataset: [*sides["training"], *sides["validation"]]}})
    if tested := seen.among(dataset, fold.test):
        raise FoldsError(
            f"{model} has been trained on {tested}, which fold {fold.number} tests: its "
            "features of them would be too good. Write {fold} in the path where the number of the fold stands, and take an "
            "experiment with the same folds (num_folds, fold_strategy, fold_seed)."
        )
    if not written or not seen.is_complete:
        return Leakage("unknown", "nothing beside it says all of what it, or the model that it started from, was trained on")
    others = sorted(set(seen.by_corpus) - {dataset})
    if others:
        listed = ", ".join(others)
        return Leakage("unknown", f"it was trained on another corpus too ({listed}), which may hold the same recordings")
    if set(sides["training"]) & set(fold.validation):
        return Leakage("validation", "it was trained on items that validate here, so the validation figures are too good")
    return Leakage("clean")
