"""Append rows of predictions to a csv file or standard output while they are computed.

Each table is written immediately and flushed. An existing file is continued, and only one process at a time appends to it.
"""

import csv
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from xval.base.csv_text import guard, guarded, unguard
from xval.base.errors import SettingsError
from xval.base.terminal import visible
from xval.results.lock import hold

if TYPE_CHECKING:
    import pandas as pd

_KEY = "path"  # the first column


class GrowingCsv:
    """A csv file of predictions that grows row by row; as a context manager it holds a lock against other processes.

    Args:
        path: A csv file, which need not exist yet; None: standard output.

    Attributes:
        predicted: The names in the column ``path`` that the file had when it was opened.

    Raises:
        SettingsError: The file is not a table of predictions, or another process appends to it.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._columns: list[str] | None = None
        self.predicted: set[str] = set()
        self._lock = ExitStack()
        if path is None:
            return
        with ExitStack() as lock:
            if lock.enter_context(hold(path.with_name(f".{path.name}"))) is None:
                raise SettingsError(
                    f"--output {path}: another process appends its predictions to this file. End it, or name another file."
                )
            if path.exists():
                self._continue(path)
            self._lock = lock.pop_all()

    def __enter__(self) -> Self:
        """Return this file."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Release the lock, so that other processes may append to the file."""
        self._lock.close()

    def append(self, table: "pd.DataFrame") -> None:
        """Write the rows of a table, with a header if the file has no rows yet.

        Raises:
            SettingsError: The table has other columns than the file.
        """
        if table.empty:
            return
        self.check(table)
        is_first = self._columns is None
        self._columns = self._columns or _names(table)
        text = guarded(table).to_csv(index=False, header=is_first, lineterminator="\n")
        if self._path is None:
            sys.stdout.write(visible(text) if sys.stdout.isatty() else text)
            sys.stdout.flush()
        else:
            with self._path.open("ab") as file:  # closed immediately, so that a killed process leaves complete rows
                file.write(text.encode(errors="surrogateescape"))

    def check(self, table: "pd.DataFrame") -> None:
        """Raise SettingsError if the table has rows and other columns than the file."""
        if self._columns and len(table) and _names(table) != self._columns:
            raise SettingsError(
                f"--output {self._path or 'csv'}: its columns are {', '.join(self._columns)}, but the rows have "
                f"{', '.join(_names(table))}, because of another model or other options. Give another file."
            )

    def _continue(self, path: Path) -> None:
        """Read the columns and paths of an existing file; if its last row is incomplete, remove all rows of that clip."""
        clip_offset, last_path, offset = 0, "", 0
        try:
            for cells, row_end in _complete_rows(path):
                if self._columns is None:
                    self._columns = cells
                else:
                    if cells[0] != last_path:
                        clip_offset, last_path = offset, cells[0]
                    self.predicted.add(unguard(cells[0]))
                offset = row_end
        except csv.Error:
            self._columns = None
        size = path.stat().st_size
        if size and (self._columns or [""])[0] != _KEY:
            raise SettingsError(f"--output {path}: not a file of predictions, whose first column is {_KEY}. Give another file.")
        if offset < size:  # an incomplete row, for example because the disk was full
            os.truncate(path, clip_offset or offset)
            self.predicted.discard(unguard(last_path))


def _names(table: "pd.DataFrame") -> list[str]:
    return [guard(str(name)) for name in table.columns]


def _complete_rows(path: Path) -> Iterator[tuple[list[str], int]]:
    """Yield the cells of each complete row, and the offset of its end in the file (bytes).

    A row may have several lines, because the path of a file may contain line breaks, which are quoted.
    """
    row: list[bytes] = []
    offset, n_quotes = 0, 0
    with path.open("rb") as file:
        for line in file:
            row.append(line)
            n_quotes += line.count(b'"')
            if n_quotes % 2 == 0 and line.endswith(b"\n"):
                offset += sum(map(len, row))
                yield next(csv.reader([b"".join(row).decode(errors="surrogateescape")])) or [""], offset
                row = []
