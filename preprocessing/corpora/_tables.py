"""Functions that the readers of this folder share: find and read tables, recognise numbers, and report all faults at once."""

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from preprocessing.corpora._table_files import Quoting, Wanted, read_rows
from xval.base.errors import CorpusError
from xval.base.operating_system import open_regular
from xval.base.size_limits import LARGEST_TABLE_BYTES

PHASES = {
    **dict.fromkeys(("training", "train", "1"), "training"),
    **dict.fromkeys(("validation", "valid", "val", "2"), "validation"),
    **dict.fromkeys(("test", "3", "4"), "test"),
}
"""The phase for each of its names in tables."""
PHASE_NAMES = "training (train, 1), validation (val, valid, 2), test (3, 4)"
MISSING = (
    "NA", "N/A", "n/a", "#N/A", "<NA>", "nan", "NaN", "NAN", "NaT", "None", "NULL", "null", "-",
    "#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#NUM!", "#NULL!",
)  # fmt: skip
"""Texts that programs write for a missing value; ``none`` and ``na`` in lower case are names."""
MISSING_OPTION = ",".join(MISSING)
"""Default of the option ``missing``."""
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
MOST_NUMBERS = 10
FEWEST_CLIPS_OF_A_NUMBER = 5
"""Numbers look like measured values if there are more than `MOST_NUMBERS` different ones, with fewer clips each than this."""
_N_SHOWN = 5
_N_LINES = 20
_N_MORE = 10
_ONE_FAULT = re.compile(r"received '.*?'; |'[^']*'|\S*[\d./]\S*")  # what differs between faults of one kind

Lines = list[tuple[int, list[str]]]
"""The number and the cells of each line of a table."""


def are_measurements(labels: Sequence[str]) -> bool:
    """Return whether labels look like measured values instead of classes: many different numbers with few clips each."""
    names = set(labels)
    are_many = len(names) > MOST_NUMBERS and len(labels) < FEWEST_CLIPS_OF_A_NUMBER * len(names)
    return are_many and all(NUMBER.fullmatch(name) for name in names)


def refuse_measurements(labels: Sequence[str], where: str) -> None:
    """Check that labels do not look like measured values, as long as the user has not chosen a task.

    Args:
        labels: The label of each clip.
        where: The place of the labels, with which the error begins.

    Raises:
        CorpusError: They look like measured values.
    """
    if are_measurements(labels):
        names = sorted(set(labels), key=float)
        raise CorpusError(
            f"{where}: {len(names)} different numbers ({', '.join(names[:_N_SHOWN])}, ...) for {len(labels)} clips. To "
            "predict them as numbers, give --task-type regression; if each is the name of a class, give --task-type "
            "classification."
        )


def find_nearby(path: Path, audio_folder: Path, *, default: Path) -> Path | None:
    """Return the first of these paths that exists: the path itself, in the audio folder, next to it; None: none exists.

    Args:
        path: Value of an option.
        audio_folder: The folder of the audio.
        default: Default of the option. If the path is the default, the working folder is looked in last, because its file may
            belong to something else.
    """
    near = (audio_folder / path, audio_folder.absolute().parent / path)
    candidates = (*near, path) if path == default else (path, *near)
    return next((candidate for candidate in candidates if candidate.exists()), None)


def read_table(
    table: Path,
    expected: str,
    *,
    needed: Callable[[str], bool] = lambda _: False,
    may_be_lists: Callable[[str], bool] = lambda _: False,
    others: bool = True,
    quoting: Quoting | None = None,
    notes: list[str] | None = None,
) -> tuple[list[str], Lines]:
    """Read a table: the first sheet of an Excel file, a parquet file, a JSON list or JSON lines, or else a csv file.

    A csv file has to be in UTF-8. Its separator is the most frequent of ``,``, ``;``, tab and ``|`` in its first line.

    Args:
        table: The file.
        expected: The columns that it should have, for errors.
        needed: Returns whether a column is needed, by its name.
        may_be_lists: Returns whether a needed column may have lists of names, which become texts such as ``["a", "b"]``.
        others: Whether other columns are read, too; otherwise their cells are empty, as are cells with lists, records or bytes.
        quoting: What quotes in a csv file are; None: the user has no option for it.
        notes: List to which notes for the user are added.

    Returns:
        The names of the columns without outer blanks; and the number and the cells of every other line that is not empty.

    Raises:
        CorpusError: The file cannot be read as a table, or is empty.
    """
    lines = read_rows(table, Wanted(needed, may_be_lists, others, quoting, [] if notes is None else notes))
    if not lines:
        raise CorpusError(f"{table} is empty. Its first line must name the columns: {expected}.")
    return [cell.strip() for cell in lines[0][1]], lines[1:]


def read_text(path: Path, advice: str) -> str:
    """Return the text of a file in UTF-8.

    Args:
        path: The file, at most as large as a table may be.
        advice: What to do, at the end of the error.

    Raises:
        CorpusError: It cannot be read.
    """
    try:
        with open_regular(path, LARGEST_TABLE_BYTES) as file:
            return file.read().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise CorpusError(f"{path} cannot be read: {error}. {advice}") from error


class Fault(NamedTuple):
    """A fault of a line of a table, or, if ``column`` is not empty, of one of its cells."""

    line: int
    text: str
    column: str = ""

    def __str__(self) -> str:
        """Return the position and the text of the fault."""
        return f"line {self.line}{f', column {self.column}' if self.column else ''}: {self.text}"


def refuse_faults(table: Path, faults: Sequence[Fault], what: str = "wrong cells") -> None:
    """Raise CorpusError with the first faults of each kind, if there are any; ``what`` says what the table has."""
    if faults:
        raise CorpusError(f"{table} has {what}:{one_of_each(faults)}")


def one_of_each(faults: Sequence[Fault]) -> str:
    """Return lines of text with the first faults of each kind, so that all can be fixed at once."""
    kinds: dict[str, list[Fault]] = {}
    for fault in faults:
        kinds.setdefault(fault.column + _ONE_FAULT.sub("", fault.text), []).append(fault)
    most = max(1, min(_N_SHOWN, _N_LINES // len(kinds)))
    lines: list[str] = []
    for alike in kinds.values():
        same: dict[tuple[str, str], list[Fault]] = {}  # so that equal texts are shown once
        for fault in alike:
            same.setdefault((fault.column, fault.text), []).append(fault)
        shown = list(same.values())
        lines += [f"{first}{_and_more(others)}" for first, *others in shown[:most]]
        lines[-1] += _and_more([fault for faults in shown[most:] for fault in faults])
    return first_lines(lines, _N_LINES)


def _and_more(faults: Sequence[Fault]) -> str:
    """Return a text with the number of other lines that have a fault, and the first of them; empty: none."""
    if not faults:
        return ""
    shown = ", ".join(str(fault.line) for fault in faults[:_N_MORE]) + ", ..." * (len(faults) > _N_MORE)
    return f" (and {len(faults)} more: line{'s' * (len(faults) > 1)} {shown})"


def first_lines(faults: Sequence[str], most: int) -> str:
    """Return the first ``most`` faults, each on a line of text, and the number of the others."""
    more = [f"... and {len(faults) - most} more"] if len(faults) > most else []
    return "".join(f"\n  {line}" for line in [*faults[:most], *more])


def wrong_widths(header: Sequence[str], lines: Iterable[tuple[int, Sequence[str]]]) -> list[Fault]:
    """Return a fault for each line that has more or fewer cells than the header."""
    return [
        Fault(line, f"{len(cells)} cells, but the header has {len(header)}")
        for line, cells in lines
        if len(cells) != len(header)
    ]
