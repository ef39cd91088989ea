"""Suggest regular expressions that find label and item in the names of files which are not in a folder per class."""

from collections.abc import Sequence
from pathlib import PurePosixPath

from xval.base.errors import first_of

_SEPARATORS = ("_", "-", " ", ".")
_MOST_LISTED = 6
_TABLE = "list them in a table with the columns path, item and label: xval prepare table clips.csv --audio-folder FOLDER"


def advise_patterns(names: Sequence[str]) -> str:
    """Return an advice: two patterns made for these names, and a table.

    Args:
        names: Of files, without folders.

    Returns:
        What follows "or": patterns that find something in every name, with what they find in the first and the values of each
        part, by which a user checks which one is the speaker; general ones where the names have no common form.
    """
    form = find_parts(names)
    if form is None:
        return (
            "give --label-pattern and --item-pattern, regular expressions whose group is the label or the speaker in a path "
            f"such as {names[0]}; or {_TABLE}"
        )
    separator, label, item = form
    parts = _split(names[0], separator)
    options = f"--label-pattern '{_pattern(separator, label, len(parts))}'"
    meaning = f"label '{parts[label]}'"
    if item is not None:
        options += f" --item-pattern '{_pattern(separator, item, len(parts))}'"
        meaning += f", item '{parts[item]}'"
    columns = zip(*(_split(name, separator) for name in names), strict=True)
    values = "; ".join(
        f"part {number}: {first_of(sorted(set(column)), _MOST_LISTED)}" for number, column in enumerate(columns, start=1)
    )
    return (
        f"give regular expressions whose group is the label or the speaker in the path, such as {options} ({meaning} of "
        f"{names[0]}; check which part is the speaker: {values}); or {_TABLE}"
    )


def find_parts(names: Sequence[str]) -> tuple[str, int, int | None] | None:
    """Return the separator of names, and the numbers (from 0) of the parts that may be label and item; None: no common form.

    The last part of several, if it is a number, counts takes. Of the others names come before numbers, and those with fewer
    different values first: the label, then the item. Where one part only is names, each of which comes with all values of a
    number, as speakers do with the digits that they say, the names are the items.
    """
    for separator in _SEPARATORS:
        split = [_split(name, separator) for name in names]
        if len({len(parts) for parts in split}) > 1 or len(split[0]) < 2 or not all(all(parts) for parts in split):
            continue
        columns = list(zip(*split, strict=True))
        # Parts that are all alike, or different in every file, tell neither a class nor a speaker.
        useful = [number for number, column in enumerate(columns) if 1 < len(set(column)) < len(names)]
        numbers = {number for number in useful if all(part.isdigit() for part in columns[number])}
        if len(useful) > 1 and useful[-1] == len(columns) - 1:
            useful = [number for number in useful if number not in numbers or number < useful[-1]]
        useful.sort(key=lambda number: (number in numbers, len(set(columns[number]))))
        if len(useful) > 1 and useful[0] not in numbers and useful[1] in numbers:
            first, second = (columns[number] for number in useful[:2])
            if len(set(zip(first, second, strict=True))) == len(set(first)) * len(set(second)):
                useful[:2] = useful[1], useful[0]
        if useful:
            return separator, useful[0], useful[1] if len(useful) > 1 else None
    return None


def _split(name: str, separator: str) -> list[str]:
    return PurePosixPath(name).stem.split(separator)


def _pattern(separator: str, number: int, n_parts: int) -> str:
    between = "[.]" if separator == "." else separator
    if number == n_parts - 1:
        return f"{between}([^{separator}]+)[.][^.]+$"
    one = f"[^{separator}]+"
    before = {0: "", 1: f"{one}{between}"}.get(number, f"(?:{one}{between}){{{number}}}")
    return f"^{before}({one}){between}"
