"""Write texts in csv files so that spreadsheets do not compute them, because names of items, classes and files are untrusted.

A text that begins with ``=``, ``+``, ``-``, ``@``, a tab or an end of line, and is not a number, gets an apostrophe in front.
`read_csv` removes it again, so that names are unchanged, even if they begin with apostrophes.

Source: OWASP, CSV Injection, https://owasp.org/www-community/attacks/CSV_Injection (of its three measures the apostrophe;
quotes are the csv writer's).
"""

import re
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xval.base.operating_system import open_regular
from xval.base.size_limits import LARGEST_TABLE_BYTES, check_rows

if TYPE_CHECKING:
    import pandas as pd

_FORMULA = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")
_GUARDED = re.compile(f"'{_FORMULA.pattern}")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def guard(text: str) -> str:
    """Return a text in its form for csv files."""
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def unguard(text: str) -> str:
    """Return the original text of `guard`."""
    return text[1:] if _GUARDED.match(text) else text


def read_csv(path: Path, texts: Collection[str] | None = None, **options: Any) -> "pd.DataFrame":
    """Return the table in a UTF-8 csv file with the original texts of `guard`; no text means a missing value.

    Args:
        path: The file.
        texts: The columns with texts; None: all.
        options: Options of `pandas.read_csv`.

    Raises:
        OSError: The file is missing, cannot be read, or is too large.
        ValueError: It is not a table.
    """
    import pandas as pd

    kinds = {"dtype": str} if texts is None else {"converters": dict.fromkeys(texts, unguard)}
    with open_regular(path, LARGEST_TABLE_BYTES) as file:
        table: pd.DataFrame = pd.read_csv(file, **{"keep_default_na": False, "encoding": "utf-8", **kinds, **options})
    check_rows(path, len(table))
    return table.map(unguard) if texts is None else table


def guarded(table: "pd.DataFrame") -> "pd.DataFrame":
    """Return a table with its texts and column names in the form of `guard`."""
    made = table.copy(deep=False)
    for place, kind in enumerate(table.dtypes):  # a name may occur twice
        if kind.kind not in "fiub":
            cells = [guard(cell) if isinstance(cell, str) else cell for cell in table.iloc[:, place]]
            made.isetitem(place, cells)
    made.columns = [guard(str(name)) for name in table.columns]
    return made
