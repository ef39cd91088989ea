"""columns.parquet: the additional columns of a dataset, such as gender, age, language or recorder, with a row per clip.

They are stored next to corpus.parquet, and are not part of the hash of the index, because no fold and no feature depends on
them: a dataset that is prepared again with another column keeps its folds, its feature stores and its results.
"""

import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from preprocessing.clips.parquet_files import read_frame, write_table
from preprocessing.clips.table import NAMED, OPTIONAL_COLUMNS, REQUIRED_COLUMNS, UNWRITABLE
from preprocessing.file_replacement import replace_file
from xval.base.errors import CorpusError, brief

if TYPE_CHECKING:
    import pandas as pd

COLUMNS_NAME = "columns.parquet"
LEVEL = "level_dbfs"
"""Additional column that is measured unless the corpus lists it: the level of a clip (dB relative to full scale)."""

_MEASURED = ("duration_s", "sample_rate_hz", "audio_hash")  # columns of the index that are measured from the audio
# No number has leading zeros: 007 is the name of a recorder.
_NUMBER = re.compile(r"[+-]?(0|[1-9]\d*)(\.\d*)?([eE][+-]?\d+)?")


def further_columns(columns: Iterable[object]) -> list[str]:
    """Return the additional columns among the columns of a list of clips: those that xval does not use itself."""
    known = (*REQUIRED_COLUMNS, *OPTIONAL_COLUMNS, *_MEASURED)
    return [name for name in map(str, columns) if name.strip() and name not in known and not name.startswith(NAMED)]


def collect_columns(clips: "pd.DataFrame", names: Iterable[str]) -> "pd.DataFrame":
    """Return the additional columns of a list of clips.

    Args:
        clips: One row per clip, as a reader of corpora/ returns them.
        names: The clip of each row.

    Returns:
        The column clip, and each additional column with at least one value: float64 if every value is a number (NaN: empty),
        otherwise text (None: empty).
    """
    import pandas as pd

    collected = pd.DataFrame({"clip": list(names)})
    for name in further_columns(clips.columns):
        texts = [None if pd.isna(value) else _text(value) or None for value in clips[name]]
        there = [text for text in texts if text is not None]
        if there and all(map(_NUMBER.fullmatch, there)):
            collected[name] = pd.Series([None if text is None else float(text) for text in texts], dtype="float64")
        elif there:
            collected[name] = pd.Series(texts, dtype=object)
    return collected


def write_columns(folder: Path, index: "pd.DataFrame", collected: "pd.DataFrame | None") -> None:
    """Write columns.parquet for the clips of an index, or remove it if there are no additional columns.

    Args:
        folder: data/<dataset>.
        index: One row per clip; the columns clip, source_clip and, if it was measured, level_dbfs are used. An augmented copy
            that the corpus does not list gets the values of its source.
        collected: The table that `collect_columns` returns; None: the corpus lists no additional columns.
    """
    path = folder / COLUMNS_NAME
    columns = index[["clip"]].reset_index(drop=True)
    if collected is not None:
        clips = index["clip"].where(index["clip"].isin(collected["clip"]), index["source_clip"])
        listed = collected.set_index("clip").loc[list(clips)].reset_index(drop=True)
        columns = columns.join(listed)
    if LEVEL in index and LEVEL not in columns:
        columns[LEVEL] = index[LEVEL].to_numpy()
    if len(columns.columns) == 1:
        path.unlink(missing_ok=True)
        return
    replace_file(path, lambda temporary: write_table(temporary, columns))


def with_columns(index: "pd.DataFrame", folder: Path) -> "pd.DataFrame":
    """Return an index with the additional columns of its corpus after its own; without any, the index as it is.

    Raises:
        CorpusError: columns.parquet is damaged, or belongs to another dataset.
    """
    import pandas as pd

    path = folder / COLUMNS_NAME
    if not path.exists():
        return index
    try:
        table = read_frame(path, {"clip": "text"})
        _check(table, index)
        columns = table.set_index("clip").loc[list(index["clip"])].reset_index(drop=True)
    except (OSError, ValueError, KeyError) as error:
        raise CorpusError(f"{path}: damaged, or from another dataset ({brief(error)}). Run xval prepare again.") from error
    return pd.concat([index.reset_index(drop=True), columns], axis=1)


def _check(table: "pd.DataFrame", index: "pd.DataFrame") -> None:
    """Raise ValueError for a table that `write_columns` would not have written."""
    if table["clip"].duplicated().any():
        raise ValueError(f"the clip {table['clip'][table['clip'].duplicated()].iloc[0]!a} appears twice")
    names = [str(name) for name in table.columns if name != "clip"]
    if wrong := [name for name in names if name in index or name not in further_columns(names)]:
        raise ValueError(f"{wrong[0]!a} is not an extra column")
    for name in names:
        if table[name].dtype.kind != "f" and not all(isinstance(value, str) for value in table[name].dropna()):
            raise ValueError(f"{name!a} holds {table[name].dtype}; expected numbers or text")


def _text(value: Any) -> str:
    """Return a cell as NFC text without outer blanks, a blank for characters that no workbook can store; 1.0 becomes ``1``."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return unicodedata.normalize("NFC", UNWRITABLE.sub(" ", str(value))).strip()
