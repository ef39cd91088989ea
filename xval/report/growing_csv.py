"""A csv file, or standard output, that rows of predictions are appended to as they come.

Comes in: tables. Goes out: their rows, each table written at once and flushed. A file that was begun before goes on.
"""

import csv
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from xval.base.csv_text import guard, guarded, unguard
from xval.base.errors import SettingsError
from xval.base.terminal import visible

if TYPE_CHECKING:
    import pandas as pd

_KEY = "path"  # the first column


class GrowingCsv:
    """Rows of predictions of files.

    Args:
        path: A file, which need not exist yet; None: standard output.

    Attributes:
        answered: The names in the column ``path`` that the file had when it was opened.

    Raises:
        SettingsError: The file holds something else.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._columns: list[str] | None = None
        self.answered: set[str] = set()
        if path is not None and path.exists():
            self._go_on(path)

    def append(self, table: "pd.DataFrame") -> None:
        """Write the rows of a table, below a header if these are the first.

        Raises:
            SettingsError: The table has other columns than the file.
        """
        if table.empty:
            return
        names = [guard(str(name)) for name in table.columns]
        is_first = self._columns is None
        self._columns = self._columns or names
        if names != self._columns:
            raise SettingsError(
                f"--output {self._path or 'csv'}: its columns are {', '.join(self._columns)}, and the rows have "
                f"{', '.join(names)}: of another model, or with other options. Give another file."
            )
        text = guarded(table).to_csv(index=False, header=is_first, lineterminator="\n")
        if self._path is None:
            sys.stdout.write(visible(text) if sys.stdout.isatty() else text)
            sys.stdout.flush()
        else:
            with self._path.open("ab") as file:  # closed at once, so that a process that is killed leaves whole rows
                file.write(text.encode(errors="surrogateescape"))

    def _go_on(self, path: Path) -> None:
        """Read what a file has; of rows that end within a line, as of a full disk, those of their clip are removed."""
        first_of_clip, last, place, is_torn = 0, "", 0, False
        with path.open("rb") as file:
            for line in file:
                if is_torn := not line.endswith(b"\n"):
                    break
                cells = next(csv.reader([line.decode(errors="surrogateescape")]), [""])
                if self._columns is None:
                    self._columns = cells
                else:
                    if cells[0] != last:
                        first_of_clip, last = place, cells[0]
                    self.answered.add(unguard(cells[0]))
                place += len(line)
        if path.stat().st_size and (self._columns or [""])[0] != _KEY:
            raise SettingsError(
                f"--output {path}: the file has no predictions, whose first column is {_KEY}. Give another file."
            )
        if is_torn:
            os.truncate(path, first_of_clip or place)
            self.answered.discard(unguard(last))
