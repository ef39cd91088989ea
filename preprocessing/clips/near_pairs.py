"""near_duplicates.csv: pairs of clips of different items that contain nearly the same audio."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from preprocessing.file_replacement import replace_file
from xval.base.csv_text import guarded, read_csv
from xval.base.errors import CorpusError

if TYPE_CHECKING:
    import pandas as pd

FILE_NAME = "near_duplicates.csv"
MOST_COMPARED = 5000
"""In datasets of more clips, only ``xval prepare --check`` compares them: the time grows with the square of their number."""


def write_pairs(folder: Path, index_hash: str, rows: Sequence[tuple[str, str, str, str, float]]) -> "pd.DataFrame":
    """Write pairs of clips with nearly the same audio, and return them, the most similar first.

    Args:
        folder: data/<dataset>.
        index_hash: Hash of the index of the dataset. If there is no pair, a row without names records that it was searched.
        rows: clip, item, other_clip, other_item, likeness (0 to 1; for audio `preprocessing.quality.near_duplicates.likeness`).
    """
    import pandas as pd

    alike = pd.DataFrame(rows, columns=["clip", "item", "other_clip", "other_item", "likeness"])
    alike = alike.sort_values("likeness", ascending=False, kind="stable", ignore_index=True)
    searched = pd.DataFrame([("", "", "", "", math.nan)], columns=alike.columns)
    table = (alike if len(alike) else searched).assign(index_hash=index_hash)
    replace_file(folder / FILE_NAME, lambda path: guarded(table).to_csv(path, index=False, encoding="utf-8"))
    return alike


def read_across_items(folder: Path, index_hash: str) -> "pd.DataFrame | None":
    """Return the pairs that `write_pairs` has written for this index; None: this index was not searched.

    Args:
        folder: data/<dataset>.
        index_hash: Hash of the index of the opened dataset.

    Raises:
        CorpusError: The file is damaged.
    """
    path = folder / FILE_NAME
    if not path.is_file():
        return None
    try:
        names = ("clip", "item", "other_clip", "other_item")
        table = read_csv(path, names, dtype={"likeness": float}, na_values={"likeness": [""]})
        table = table[table["index_hash"] == index_hash].drop(columns="index_hash")
        return table[table["clip"] != ""] if len(table) else None
    except (OSError, ValueError, KeyError) as error:
        raise CorpusError(f"{path}: damaged ({error}). Delete it; xval prepare writes it again.") from error
