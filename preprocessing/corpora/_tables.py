"""What the files of this folder share: find the table that a corpus comes with and the audio it names; tell all its faults."""

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
"""The names that phases have in tables."""
PHASE_NAMES = "training (train, 1), validation (val, valid, 2), test (3, 4)"
MISSING = (
    "NA", "N/A", "n/a", "#N/A", "<NA>", "nan", "NaN", "NAN", "NaT", "None", "NULL", "null", "-",
    "#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#NUM!", "#NULL!",
)  # fmt: skip
"""Texts of cells that programs write where a value is missing; ``none`` and ``na`` are their own names."""
MISSING_OPTION = ",".join(MISSING)
"""The default of the option ``missing``."""
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
MOST_NUMBERS = 10
FEWEST_CLIPS_OF_A_NUMBER = 5
"""More classes than `MOST_NUMBERS`, all named by numbers, with fewer clips each than this: they look like measurements."""
_N_SHOWN = 5
_N_LINES = 20
_N_MORE = 10
_ONE_FAULT = re.compile(r"received '.*?'; |'[^']*'|\S*[\d./]\S*")  # what differs between faults of one kind

Lines = list[tuple[int, list[str]]]
"""The number and the cells of each line of a table."""


def are_measurements(labels: Sequence[str]) -> bool:
    """Return whether names of classes are rather numbers to be predicted: many different ones, of few clips each."""
    names = set(labels)
    are_many = len(names) > MOST_NUMBERS and len(labels) < FEWEST_CLIPS_OF_A_NUMBER * len(names)
    return are_many and all(NUMBER.fullmatch(name) for name in names)


def refuse_measurements(labels: Sequence[str], where: str) -> None:
    """Refuse numbers that would become classes, where nobody has said that they are classes.

    Args:
        labels: Of all clips.
        where: Whose labels they are, to begin the error with.
    """
    if are_measurements(labels):
        names = sorted(set(labels), key=float)
        raise CorpusError(
            f"{where}: {len(names)} different numbers ({', '.join(names[:_N_SHOWN])}, ...) for {len(labels)} clips. To "
            "predict them as numbers, give --task-type regression; if each is the name of a class, give --task-type "
            "classification."
        )


def find_nearby(path: Path, audio_folder: Path, *, default: Path) -> Path | None:
    """Return the first that exists: the path as it stands, in the audio folder, next to the audio folder.

    Args:
        path: What the option says.
        audio_folder: Where the audio is.
        default: What the option says when it is not given: then the working folder, which may hold anything, comes last.
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
    """Read a table: an Excel file's first sheet, a parquet file, a list in json or json lines, or else a csv file.

    A csv file is in UTF-8, separated by whichever of ``,`` ``;`` tab and ``|`` its first line has most of.

    Args:
        table: The file.
        expected: The columns that it should have, for the error.
        needed: Whether a column is needed, by its name.
        may_be_lists: Whether the cells of a needed column may be lists of names, which become texts such as ``["a", "b"]``.
        others: Read the other columns, too; if not, their cells are empty, as are those of lists, records and bytes.
        quoting: What quotes in a csv file are; None: the user has no option for it.
        notes: Where what a user should know of the file is noted.

    Returns:
        The header, without outer blanks; then the number and the cells of every other line that is not empty.
    """
    lines = read_rows(table, Wanted(needed, may_be_lists, others, quoting, [] if notes is None else notes))
    if not lines:
        raise CorpusError(f"{table} is empty. Its first line must name the columns: {expected}.")
    return [cell.strip() for cell in lines[0][1]], lines[1:]


def read_text(path: Path, advice: str) -> str:
    """Return the text of a list in UTF-8, which may have as many lines as a corpus has clips; the advice ends the error."""
    try:
        with open_regular(path, LARGEST_TABLE_BYTES) as file:
            return file.read().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise CorpusError(f"{path} cannot be read: {error}. {advice}") from error


class Fault(NamedTuple):
    """What is wrong with a line of a table, or with a cell of it."""

    line: int
    text: str
    column: str = ""

    def __str__(self) -> str:
        """Return where it is and what is wrong."""
        return f"line {self.line}{f', column {self.column}' if self.column else ''}: {self.text}"


def refuse_faults(table: Path, faults: Sequence[Fault], what: str = "wrong cells") -> None:
    """Raise when there are faults, with the first ones of each kind."""
    if faults:
        raise CorpusError(f"{table} has {what}:{one_of_each(faults)}")


def one_of_each(faults: Sequence[Fault]) -> str:
    """Return a line for the first faults of each kind, so that all of them can be fixed at once."""
    kinds: dict[str, list[Fault]] = {}
    for fault in faults:
        kinds.setdefault(fault.column + _ONE_FAULT.sub("", fault.text), []).append(fault)
    most = max(1, min(_N_SHOWN, _N_LINES // len(kinds)))
    lines: list[str] = []
    for alike in kinds.values():
        same: dict[tuple[str, str], list[Fault]] = {}  # the same text is there once
        for fault in alike:
            same.setdefault((fault.column, fault.text), []).append(fault)
        shown = list(same.values())
        lines += [f"{first}{_and_more(others)}" for first, *others in shown[:most]]
        lines[-1] += _and_more([fault for faults in shown[most:] for fault in faults])
    return first_lines(lines, _N_LINES)


def _and_more(faults: Sequence[Fault]) -> str:
    """Return how many further lines have a fault, and the first of them; empty: none."""
    if not faults:
        return ""
    shown = ", ".join(str(fault.line) for fault in faults[:_N_MORE]) + ", ..." * (len(faults) > _N_MORE)
    return f" (and {len(faults)} more: line{'s' * (len(faults) > 1)} {shown})"


def first_lines(faults: Sequence[str], most: int) -> str:
    """Return a line for each of the first faults, and how many more there are."""
    more = [f"... and {len(faults) - most} more"] if len(faults) > most else []
    return "".join(f"\n  {line}" for line in [*faults[:most], *more])


def wrong_widths(header: Sequence[str], lines: Iterable[tuple[int, Sequence[str]]]) -> list[Fault]:
    """Return a fault for each line that has more or fewer cells than the header."""
    return [
        Fault(line, f"{len(cells)} cells, but the header has {len(header)}")
        for line, cells in lines
        if len(cells) != len(header)
    ]
