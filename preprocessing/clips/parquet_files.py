"""Write and read parquet files; a file that was cut off, edited, or is no parquet file raises OSError or ValueError."""

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

# A small file that is read by several threads, or column by column, takes five times as long.
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
        needed: The columns that must exist, and the kind of their values. Only numbers, and "text or nothing", may be missing.
        columns: Read only these columns, as far as they exist, and the needed ones; None: all.
        most_rows: Largest number of rows that is read.

    Raises:
        OSError: The file is missing, cannot be read, is no regular file, or has more rows.
        ValueError: It is damaged or no parquet file, lacks a column, or a column has values of another kind.
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
        ValueError: pandas cannot represent a value, such as an impossible date, or pandas' own metadata in the file is damaged.
    """
    try:
        frame: pd.DataFrame = table.to_pandas()
    except (KeyError, TypeError, AttributeError, NotImplementedError, OverflowError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error
    return frame


def read_schema(path: Path) -> "pyarrow.Schema":
    """Return the columns of a parquet file and their types; only its footer is read.

    Raises:
        OSError, ValueError: It is missing, cannot be read, or is damaged.
    """
    return _read(path, lambda file: file.schema_arrow)


def column_names(path: Path) -> list[str]:
    """Return the names of the columns of a parquet file; only its footer is read.

    Raises:
        OSError, ValueError: It is missing, cannot be read, or is damaged.
    """
    return [str(name) for name in read_schema(path).names]


def write_table(path: Path, table: "pyarrow.Table | pd.DataFrame") -> None:
    """Write a table as a parquet file, without the index of a DataFrame.

    Raises:
        OSError: The disk is full or not writable.
    """
    import pandas as pd
    from pyarrow import parquet

    with path.open("wb") as file:  # pyarrow cannot open a path that is not UTF-8
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
    """Raise ValueError if a table lacks a column, or if the column has values of another kind."""
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
