"""Options for the rows of a table: quotes, texts that mean an empty cell, conditions on rows, and renamed labels."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from preprocessing.clips.label_sets import SEPARATOR
from preprocessing.corpora._layout import split_names
from preprocessing.corpora._table_files import Quoting
from preprocessing.corpora._tables import MISSING, MISSING_OPTION, Fault, Lines, one_of_each
from xval.base.errors import CorpusError, SettingsError, counted, suggestion
from xval.folds.condition import NUMBER, Condition

if TYPE_CHECKING:
    import pandas as pd

NONE = "none"

_EQUALS = re.compile(r"\s*(\w+|`[^`]+`)\s*=\s*([^=<>!`\"']+?)\s*")


@dataclass(frozen=True)
class RowOptions:
    """The options for the rows of a table, which every command that reads one has, as texts of the command line."""

    where: str = field(
        default=NONE,
        metadata={
            "help": 'Use only the rows that satisfy a condition on columns of the table: split=train, or language == "de" and '
            "age >= 60."
        },
    )
    map_labels: str = field(default=NONE, metadata={"help": "Rename labels: happy=joy,glad=joy."})
    missing: str = field(
        default=MISSING_OPTION, metadata={"help": "Texts that mean an empty cell, separated by commas; none: only empty cells."}
    )
    drop_bad_rows: bool = field(
        default=False, metadata={"help": "true: skip rows with faults and print them; false: rows with faults are an error."}
    )
    quoting: Quoting = field(
        default="auto",
        metadata={
            "help": "Quotes in a csv file. minimal: a quote at the beginning of a cell opens a text, which may have line "
            "breaks; none: quotes are characters; auto: as minimal, but if a text would include whole rows, its quotes "
            "are characters or an error."
        },
    )

    similar_names: str = ""
    """The user's answer about names that differ only in notation, which is here so that all faults are reported at once."""

    def reading(self, names: Collection[str] = ()) -> "Reading":
        """Return how rows are read with these options.

        Args:
            names: Texts that are names and never mean an empty cell.

        Raises:
            SettingsError: map_labels is not of the form LABEL=OTHER,...
        """
        renames: dict[str, str] = {}
        for pair in split_names(self.map_labels) if self.map_labels != NONE else []:
            old, equals, new = (part.strip() for part in pair.partition("="))
            if not (old and equals and new) or old in renames:
                raise SettingsError(
                    f"--map-labels {self.map_labels}: received '{pair}'; expected LABEL=OTHER,... with each LABEL once."
                )
            renames[old] = new
        missing = set(read_missing(self.missing)) - set(names)
        where = "" if self.where == NONE else self.where
        return Reading(self.quoting, missing, self.drop_bad_rows, renames, where, self.similar_names, _unused=set(renames))


AS_IT_STANDS = RowOptions()
"""The default options."""


@dataclass
class Reading:
    """How the rows of one table are read.

    Attributes:
        quoting: What quotes in a csv file are; None: as auto, for a table without these options.
        missing: Texts that mean an empty cell.
        drops_bad_rows: Whether rows with faults are skipped instead of raising an error.
        renames: New names of labels, by the old ones.
        where: Condition for the rows that are read; empty: all rows.
        similar_names: The user's answer about names that differ only in notation; empty: none.
        notes: Notes for the user about the rows that were read.
    """

    quoting: Quoting | None = None
    missing: Collection[str] = MISSING
    drops_bad_rows: bool = False
    renames: Mapping[str, str] = field(default_factory=dict)
    where: str = ""
    similar_names: str = ""
    notes: list[str] = field(default_factory=list)
    _unused: set[str] = field(default_factory=set)

    def blank_missing(
        self, header: Sequence[str], lines: Lines, *, labels: Collection[str] = (), are_sets: bool = False
    ) -> Lines:
        """Return lines in which cells whose text means an empty cell are empty, and add a note with their number.

        Args:
            header: The columns.
            lines: The number and the cells of each line.
            labels: The columns of the label, in which a text that is renamed stays.
            are_sets: Whether a cell of these may have several labels, of which those that mean an empty cell are removed.
        """
        found: dict[str, Counter[str]] = {}
        missing = [set(self.missing) - (set(self.renames) if name in labels else set()) for name in header]

        def blank(place: int, cell: str) -> str:
            if place >= len(missing):
                return cell
            if are_sets and header[place] in labels and SEPARATOR in cell:
                return SEPARATOR.join(filter(None, (blank(place, name) for name in cell.split(SEPARATOR))))
            if cell.strip() not in missing[place]:
                return cell
            found.setdefault(header[place], Counter())[cell.strip()] += 1
            return ""

        texts = set(self.missing)
        blanked = [
            line  # unchanged, as most lines are
            if not are_sets and texts.isdisjoint(map(str.strip, line[1]))
            else (line[0], [blank(place, cell) for place, cell in enumerate(line[1])])
            for line in lines
        ]
        if found:
            where = "; ".join(
                f"{name}: {', '.join(f'{count} {text}' for text, count in texts.items())}" for name, texts in found.items()
            )
            keep = (
                " To keep one of them as a name, list the others: --missing NA,nan, or --missing none." if self.quoting else ""
            )
            n_cells = counted(sum(map(Counter.total, found.values())), "cell")
            self.notes.append(f"Read as empty: {n_cells} ({where}).{keep}")
        return blanked

    def choose_rows(self, columns: Sequence[Sequence[str]], lines: Lines) -> Lines:
        """Return the lines that satisfy the condition ``where``.

        Args:
            columns: The names of each column: the one in the table, and perhaps another one.
            lines: The number and the cells of each line.

        Raises:
            CorpusError, SettingsError: The condition is not valid, or no line satisfies it.
        """
        if not self.where:
            return lines
        import pandas as pd

        cells = {
            name: [(row[place].strip() if place < len(row) else "") or None for _, row in lines]
            for place, names in enumerate(columns)
            for name in names
            if name
        }
        table = pd.DataFrame({name: _numbers(texts) for name, texts in cells.items()})
        match = _EQUALS.fullmatch(self.where)
        condition = self.where
        if match:
            column = match[1].strip("`")
            is_number = column in table and table[column].dtype.kind == "f" and NUMBER.fullmatch(match[2])
            condition = f"{match[1]} == {match[2]}" if is_number else f'{match[1]} == "{match[2]}"'
        chosen = Condition(condition).choose(table)
        if not chosen.any():
            raise CorpusError(f"--where {self.where}: none of the {counted(len(lines), 'row')} satisfies this condition.")
        if not chosen.all():
            self.notes.append(f"Read: {int(chosen.sum())} of {counted(len(lines), 'row')} ({self.where}).")
        return [line for line, is_chosen in zip(lines, chosen, strict=True) if is_chosen]

    def rename(self, label: str, *, are_sets: bool = False) -> str:
        """Return a label with its new name; if ``are_sets``, each of several labels."""
        if not self.renames:
            return label
        names = label.split(SEPARATOR) if are_sets else [label]
        self._unused.difference_update(map(str.strip, names))
        return SEPARATOR.join(self.renames.get(name.strip(), name) for name in names)

    def refuse_unused(self, labels: Iterable[str]) -> None:
        """Raise SettingsError if no label had a name of ``map_labels``; called after `rename` of all labels."""
        if self._unused:
            name = min(self._unused)
            raise SettingsError(f"--map-labels {name}=...: no row has this label. {suggestion(name, set(labels))}")

    def refuse_faults(self, table: Path, faults: Sequence[Fault], n_rows: int, what: str = "wrong cells") -> None:
        """Raise CorpusError if rows have faults; or, if ``drops_bad_rows``, add a note about the skipped rows.

        Args:
            table: The file.
            faults: The faults of lines.
            n_rows: Number of rows of the table.
            what: What the table has, for the error.
        """
        if not faults:
            return
        n_wrong = len({fault.line for fault in faults})
        if self.drops_bad_rows and n_wrong < n_rows:
            self.notes.append(f"Skipped {n_wrong} of {n_rows} rows with faults:{one_of_each(faults)}")
            return
        advice = ["--drop-bad-rows skips these rows."] if self.quoting and n_wrong < n_rows else []
        said = "".join(f"\n  {text}" for text in [*self.notes, *advice])
        raise CorpusError(f"{table} has {what}:{one_of_each(faults)}{said}")

    @property
    def note(self) -> str:
        """All notes for the user as one text; empty: none."""
        return " ".join(self.notes)


def read_missing(text: str) -> tuple[str, ...]:
    """Return the texts that mean an empty cell, from the value of the option ``missing``."""
    return () if text == NONE else tuple(filter(None, split_names(text)))


def _numbers(texts: "Sequence[str | None]") -> "pd.Series[Any]":
    """Return a column as numbers if all of its cells are numbers, otherwise as texts."""
    import pandas as pd

    there = [text for text in texts if text is not None]
    if there and all(map(NUMBER.fullmatch, there)):
        return pd.Series([None if text is None else float(text) for text in texts], dtype="float64")
    return pd.Series(list[Any](texts), dtype=object)
