"""What the files of this folder share: find the table that a corpus comes with and the audio it names; tell all its faults.

Comes in: the path of a table: csv, xlsx or parquet. Goes out: its header and its lines with their numbers; or an error that
names file, line, and what was expected.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from preprocessing.corpora._table_files import Wanted, read_rows
from xval.base.errors import CorpusError
from xval.base.table_bounds import MOST_CLIPS, open_table

PHASES = {
    **dict.fromkeys(("training", "train", "1"), "training"),
    **dict.fromkeys(("validation", "valid", "val", "2"), "validation"),
    **dict.fromkeys(("test", "3", "4"), "test"),
}
"""The names that phases have in tables."""
PHASE_NAMES = "training (train, 1), validation (val, valid, 2), test (3, 4)"
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
MOST_NUMBERS = 10
FEWEST_CLIPS_OF_A_NUMBER = 5
"""More classes than `MOST_NUMBERS`, all named by numbers, with fewer clips each than this: they look like measurements."""
_N_SHOWN = 5


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
            f"{where}: {len(names)} different numbers ({', '.join(names[:_N_SHOWN])}, ...) for {len(labels)} clips. To predict "
            "them, give --task-type regression; if each is the name of a class, --task-type classification."
        )


def find_beside(path: Path, audio_folder: Path, *, default: Path) -> Path | None:
    """Return the first that exists: the path as it stands, in the audio folder, beside the audio folder.

    Args:
        path: What the option says.
        audio_folder: Where the audio lies.
        default: What the option says when it is not given: then the working folder, which may hold anything, comes last.
    """
    near = (audio_folder / path, audio_folder.absolute().parent / path)
    candidates = (*near, path) if path == default else (path, *near)
    return next((candidate for candidate in candidates if candidate.exists()), None)


def read_table(
    table: Path, expected: str, *, needed: Callable[[str], bool] = lambda _: False, others: bool = True
) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Read a table: an Excel file's first sheet, a parquet file, or else a csv file.

    A csv file is in UTF-8, separated by whichever of ``,`` ``;`` and tab its first line has most of.

    Args:
        table: The file.
        expected: The columns that it should have, for the error.
        needed: Whether a column is needed, by its name.
        others: Read the other columns, too; if not, their cells are empty, as are those of lists, records and bytes.

    Returns:
        The header, without outer blanks; then the number and the cells of every other line that is not empty.
    """
    try:
        lines = list(read_rows(table, Wanted(needed, others)))
    except OSError as error:
        raise CorpusError(f"{table} cannot be read: {error.strerror or error}. Give the path of a table.") from error
    if not lines:
        raise CorpusError(f"{table} is empty; its first line names the columns: {expected}.")
    return [cell.strip() for cell in lines[0][1]], lines[1:]


def read_text(path: Path, advice: str) -> str:
    """Return the text of a list in UTF-8, which may have as many lines as a corpus has clips; the advice ends the error."""
    try:
        with open_table(path, MOST_CLIPS) as file:
            return file.read().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise CorpusError(f"{path} cannot be read: {error}. {advice}") from error


def refuse_faults(table: Path, faults: Sequence[str], what: str = "wrong cells") -> None:
    """Raise when there are faults, with the first few of them."""
    if faults:
        raise CorpusError(f"{table} has {what}:{first_lines(faults, _N_SHOWN)}")


def first_lines(faults: Sequence[str], most: int) -> str:
    """Return a line for each of the first faults, and how many more there are."""
    more = [f"... and {len(faults) - most} more"] if len(faults) > most else []
    return "".join(f"\n  {line}" for line in [*faults[:most], *more])


def wrong_widths(header: Sequence[str], lines: Iterable[tuple[int, Sequence[str]]]) -> list[str]:
    """Return a fault for each line that has more or fewer cells than the header."""
    return [
        f"line {line}: {len(cells)} cells, but the header has {len(header)}"
        for line, cells in lines
        if len(cells) != len(header)
    ]
