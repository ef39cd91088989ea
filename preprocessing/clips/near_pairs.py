"""The file of the clips of different items that are nearly alike: near_duplicates.csv."""

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
"""Of larger corpora only ``check`` compares the clips: its time grows with the square of their number."""


def write_pairs(folder: Path, index_hash: str, rows: Sequence[tuple[str, str, str, str, float]]) -> "pd.DataFrame":
    """Write pairs of clips that are nearly alike, and return them, the most alike first.

    Args:
        folder: data/<dataset>.
        index_hash: Of the corpus. Where there is no pair, a row without names says that this index was searched.
        rows: clip, item, other_clip, other_item, likeness.
    """
    import pandas as pd

    alike = pd.DataFrame(rows, columns=["clip", "item", "other_clip", "other_item", "likeness"])
    alike = alike.sort_values("likeness", ascending=False, kind="stable", ignore_index=True)
    searched = pd.DataFrame([("", "", "", "", math.nan)], columns=alike.columns)
    table = (alike if len(alike) else searched).assign(index_hash=index_hash)
    replace_file(folder / FILE_NAME, lambda path: guarded(table).to_csv(path, index=False, encoding="utf-8"))
    return alike


def read_across_items(folder: Path, index_hash: str) -> "pd.DataFrame | None":
    """Return what `write_pairs` has written of this index; None: it was not searched, or another index was.

    Args:
        folder: data/<dataset>.
        index_hash: Of the opened corpus.
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
