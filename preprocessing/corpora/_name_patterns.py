"""Suggest regular expressions that find label and item in the names of files that are not in one folder per class."""

from collections.abc import Sequence
from pathlib import PurePosixPath

from xval.base.errors import first_of

_SEPARATORS = ("_", "-", " ", ".")
_MOST_LISTED = 6
_TABLE = "list them in a table with the columns path, item and label: xval prepare table clips.csv --audio-folder FOLDER"


def advise_patterns(names: Sequence[str]) -> str:
    """Return advice on how to find label and item in names of files: by patterns made for these names, or by a table.

    Args:
        names: Names of files without folders.

    Returns:
        A text that continues "or". It has patterns that match every name, their results for the first name, and the values of
        each part of the names, so that the user can check which part is the speaker. If the names have no common form, it
        only describes the options.
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
    """Return the separator of names, and the positions (from 0) of the parts that are probably label and item.

    A number in the last part is the number of a take. Of the other parts, words come before numbers, and parts with fewer
    different values first: the first is the label, the second the item. If only one part has words, and each occurs with all
    values of a number, as speakers do with digits, the words are the items.

    Returns:
        The separator, the position of the label, and that of the item (None: there is none). None: the names have no common
        form.
    """
    for separator in _SEPARATORS:
        split = [_split(name, separator) for name in names]
        if len({len(parts) for parts in split}) > 1 or len(split[0]) < 2 or not all(all(parts) for parts in split):
            continue
        columns = list(zip(*split, strict=True))
        # A part that is equal in all files, or different in every file, is neither a class nor a speaker.
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
