"""Write parquet files, and read them with care: they may have been cut or edited, or be something else."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar

from xval.base.errors import brief
from xval.base.operating_system import open_regular
from xval.base.size_limits import MOST_ROWS, IrregularFileError, check_rows

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow
    from pyarrow.parquet import ParquetFile

Kind: TypeAlias = Literal["text", "text or nothing", "number", "whole number", "yes or no"]
T = TypeVar("T")

# A small file takes five times as long by several threads, or with a call for each column.
_LARGEST_READ_AT_ONCE = 64 << 20  # bytes


def read_table(
    path: Path,
    needed: Mapping[str, Kind] | None = None,
    *,
    columns: Sequence[str] | None = None,
    most_rows: int = MOST_ROWS,
) -> "pyarrow.Table":
    """Return the table in a parquet file.

    Args:
        path: The file.
        needed: The columns that must be there, and what they hold: a number may be missing (NaN), nothing else may.
        columns: Read these, as far as they are there; None: all.
        most_rows: How many rows it may have.

    Raises:
        OSError: It is missing, cannot be read, is no regular file, or has more rows.
        ValueError: It is no parquet file or damaged, lacks a column, or a column holds something else.
    """
    wanted = None if columns is None else list(dict.fromkeys((*columns, *(needed or {}))))

    def read(file: "ParquetFile") -> "pyarrow.Table":
        check_rows(path, file.metadata.num_rows, most_rows)
        return file.read(wanted, use_threads=False)

    table = _read(path, read)
    for name, kind in (needed or {}).items():
        _check_column(table, name, kind)
    return table


def read_frame(path: Path, needed: Mapping[str, Kind] | None = None, *, columns: Sequence[str] | None = None) -> "pd.DataFrame":
    """Return the table in a parquet file as a DataFrame; arguments and errors are those of `read_table`."""
    table = read_table(path, needed, columns=columns)
    return to_frame(table)


def to_frame(table: "pyarrow.Table") -> "pd.DataFrame":
    """Return a table as a DataFrame.

    Raises:
        ValueError: A value has no such form, as a time that no calendar has, or what pandas has noted in the file is damaged.
    """
    try:
        frame: pd.DataFrame = table.to_pandas()
    except (KeyError, TypeError, AttributeError, NotImplementedError, OverflowError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error
    return frame


def read_schema(path: Path) -> "pyarrow.Schema":
    """Return the columns of a parquet file and their types, reading no more than its footer.

    Raises:
        OSError, ValueError: As `read_table`.
    """
    return _read(path, lambda file: file.schema_arrow)


def column_names(path: Path) -> list[str]:
    """Return the columns of a parquet file, reading no more than its footer.

    Raises:
        OSError, ValueError: As `read_table`.
    """
    return [str(name) for name in read_schema(path).names]


def write_table(path: Path, table: "pyarrow.Table | pd.DataFrame") -> None:
    """Write a table, without the index of a DataFrame.

    Raises:
        OSError: The disk is full or not writable.
    """
    import pandas as pd
    from pyarrow import parquet

    with path.open("wb") as file:  # pyarrow opens no path that is not UTF-8
        if isinstance(table, pd.DataFrame):
            table.to_parquet(file, index=False)
        else:
            parquet.write_table(table, file)


def _read(path: Path, use: "Callable[[ParquetFile], T]") -> T:
    import pyarrow
    from pyarrow.parquet import ParquetFile

    with open_regular(path) as file:
        is_small = os.fstat(file.fileno()).st_size <= _LARGEST_READ_AT_ONCE
        source = pyarrow.BufferReader(file.read()) if is_small else file
        try:
            with ParquetFile(source, pre_buffer=False) as opened:
                return use(opened)
        except IrregularFileError:
            raise
        except (pyarrow.ArrowException, OSError) as error:
            raise ValueError(brief(error)) from error


def _check_column(table: "pyarrow.Table", name: str, kind: Kind) -> None:
    """Refuse a table that lacks a column, or has something else in it; ValueError says what."""
    from pyarrow import types

    if (n_found := table.column_names.count(name)) != 1:
        raise ValueError(f"{n_found or 'no'} columns '{name}'")
    column = table[name]
    held = column.type.value_type if types.is_dictionary(column.type) else column.type
    is_text = types.is_string(held) or types.is_large_string(held)
    fits = {
        "text": is_text,
        "text or nothing": is_text or types.is_null(held),
        "number": types.is_floating(held) or types.is_integer(held),
        "whole number": types.is_integer(held),
        "yes or no": types.is_boolean(held),
    }
    if not fits[kind]:
        raise ValueError(f"the column '{name}' has {column.type}; expected {kind}")
    if column.null_count and kind not in ("text or nothing", "number"):
        raise ValueError(f"the column '{name}' has {column.null_count} empty cells")
