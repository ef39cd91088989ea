"""Names of models: ``EXPERIMENT[:N]``, the folder of an experiment and the number of one of its instances.

All commands and functions parse such names here. Without ``:N`` the name means the instance that validation selects, or all
instances, depending on the command. Several instances are ``1,3``, ``1-3``, ``EXPERIMENT:1-3``, or words of these.
"""

import re
from collections.abc import Collection, Sequence
from os import PathLike
from pathlib import Path
from typing import NamedTuple

from xval.base.errors import ResultsError, SettingsError
from xval.results.folder import ExperimentFolder, find_experiment
from xval.settings.resolve import describe_numbers

RESULTS_FOLDER = "a folder of results, such as 'results/demo/experiment_1'"
_NAME = re.compile(r"(?:(?P<path>.+):)?(?P<which>\d+|nested|selected)")
_NUMBERS = re.compile(r"(?:(?P<path>.+):)?(?P<numbers>\d+(?:[-,]\d*)*)")
_WHO_TAKES_SEVERAL = "Several (1,3 or 1-3) go to xval compare, xval ensemble, xval report --latex and --only of a script."
_INSTANCE = re.compile(r"instance_(\d+)")


class Named(NamedTuple):
    """An experiment and one of its instances; None: no instance was named."""

    experiment: ExperimentFolder
    number: int | None


def given_path(name: str, received: object, expected: str) -> Path:
    """Return a path that a function was given.

    Args:
        name: The argument as the error names it, such as ``load_model(): path``.
        received: What was given.
        expected: What is allowed, for the error.

    Raises:
        SettingsError: It is neither text nor a path.
    """
    if not isinstance(received, str | PathLike):
        raise SettingsError(f"{name}: received {received!r:.60}; expected {expected}.")
    return Path(received)


def split_name(text: str | Path) -> tuple[str | None, str | None]:
    """Return the path and the instance of ``PATH:3``, ``PATH:nested``, ``3`` or ``PATH``; None for a missing part.

    A path that exists is a path, whatever its name ends in.
    """
    match = _NAME.fullmatch(str(text))
    if match is None or (match["path"] and Path(text).exists()):
        return str(text), None
    return match["path"], match["which"].lstrip("0") or match["which"]


def find_named(text: str | Path) -> Named:
    """Return the experiment and instance that ``EXPERIMENT[:N]`` names, whether or not the instance exists.

    A path that is in the folder of an instance names that instance.

    Raises:
        ResultsError: There is no such experiment.
        SettingsError: It names several instances.
    """
    path, which = split_name(text)
    if path is not None and which is not None and which.isdecimal():
        return Named(find_experiment(Path(path)), int(which))
    _refuse_several(text)
    experiment = find_experiment(Path(text))
    inside = Path(text).resolve().relative_to(experiment.path.resolve()).parts
    match = _INSTANCE.fullmatch(inside[0]) if inside else None
    return Named(experiment, int(match[1]) if match else None)


def model_path(text: str | Path) -> Path:
    """Return the folder of the instance that ``EXPERIMENT:N`` names; any other path is returned unchanged.

    Raises:
        ResultsError: There is no such experiment, or no such instance of it.
        SettingsError: It names several instances.
    """
    path, which = split_name(text)
    if path is None or which is None or not which.isdecimal():
        _refuse_several(text)
        return Path(text)
    experiment, number = find_named(text)
    if number not in experiment.instances():
        listed = ", ".join(map(str, experiment.instances())) or "none"
        raise ResultsError(f"{text}: no instance {number}. Available: {listed}.")
    return experiment.instance_folder(int(which))


def read_numbers(name: str, text: str, available: Collection[int], where: object) -> list[int]:
    """Return the instances that ``3``, ``3-7`` or ``1,3-5`` names; for a range, those that exist.

    Args:
        name: The name of the text in error messages, such as ``--only``.
        text: The numbers.
        available: The existing numbers, which must include each number and both ends of a range.
        where: The script or folder of the instances.

    Raises:
        SettingsError: The text is not valid, a range runs backwards, or there is no such instance.
    """
    ranges = read_ranges(name, text)
    return [number for first, last in ranges for number in numbers_between(first, last, available, where)]


def read_ranges(name: str, text: str) -> list[tuple[int, int]]:
    """Return the first and the last number of each part of ``3``, ``3-7`` or ``1,3-5``.

    Raises:
        SettingsError: As for `read_numbers`.
    """
    ranges: list[tuple[int, int]] = []
    for part in filter(None, text.replace(" ", "").split(",")):
        ends = part.split("-")
        if len(ends) > 2 or not all(end.isascii() and end.isdecimal() for end in ends):
            raise SettingsError(f"{name}: received '{text}'; expected a whole number, or several such as 1,3 or 3-7.")
        first, last = int(ends[0]), int(ends[-1])
        if first > last:
            option = f"{name} " if name.startswith("-") else ""
            raise SettingsError(f"{name} {part}: {first} is above {last}. Give {option}{last}-{first}.")
        ranges.append((first, last))
    if not ranges:
        raise SettingsError(f"{name}: received '{text}'; expected a whole number, or several such as 1,3 or 3-7.")
    return ranges


def read_number(name: str, text: str) -> int:
    """Return the number of an instance from an option that takes a single one.

    Raises:
        SettingsError: It is not a number, or several are named.
    """
    if text.isascii() and text.isdecimal():
        return int(text)
    if _NUMBERS.fullmatch(text):
        raise SettingsError(f"{name} {text}: takes one instance; received several. {_WHO_TAKES_SEVERAL}")
    raise SettingsError(f"{name} {text}: expected the number of an instance, such as 2.")


def number_of(name: str, number: int | str) -> int:
    """Return the number of an instance from an argument ``3`` or ``"3"`` that takes a single one; as `read_number`."""
    return number if isinstance(number, int) else read_number(name, str(number))


def _refuse_several(text: str | Path) -> None:
    """Raise an error for ``PATH:1-3`` where one instance is required."""
    match = _NUMBERS.fullmatch(str(text))
    if match and match["path"] and not match["numbers"].isdecimal() and not Path(text).exists():
        one = f"{match['path']}:{re.split('[-,]', match['numbers'])[0]}"
        raise SettingsError(
            f"{text}: one instance is needed here; received several. Give one, such as {one}. {_WHO_TAKES_SEVERAL}"
        )


def numbers_between(first: int, last: int, available: Collection[int], where: object) -> list[int]:
    """Return the available numbers from the first to the last, which must both be available; as for `read_numbers`."""
    if outside := sorted({first, last} - set(available)):
        listed = ", ".join(map(str, outside))
        raise SettingsError(f"{where}: there is no instance {listed}. Available: {describe_numbers(available)}.")
    return [number for number in sorted(available) if first <= number <= last]


def find_numbered(words: Sequence[str | Path]) -> tuple[ExperimentFolder, list[int]]:
    """Return the experiment that the first word names, and the numbers of the instances that the words name.

    Raises:
        ResultsError: There is no such experiment.
        SettingsError: A word does not name an instance, or names one of another experiment.
    """
    experiment, numbers = find_each(words[0])
    for word in map(str, words[1:]):
        match = _NUMBERS.fullmatch(word)
        if match is None and not Path(word).exists():
            raise SettingsError(f"INSTANCES {word}: expected numbers, such as 3, 1,3 or 3-7.")
        other, named = find_each(word, experiment)
        if not named or other.path.resolve() != experiment.path.resolve():
            raise SettingsError(f"INSTANCES {word}: expected instances of {experiment.path}, such as {experiment.path}:3.")
        numbers += named
    return experiment, numbers


def find_each(word: str | Path, home: ExperimentFolder | None = None) -> tuple[ExperimentFolder, list[int]]:
    """Return the experiment and the numbers of ``PATH:1-3``, or of ``1-3`` in `home`; ``PATH`` alone has no numbers."""
    match = _NUMBERS.fullmatch(str(word))
    if match is None or (Path(word).exists() if match["path"] else home is None):
        experiment, number = find_named(word)
        return experiment, [] if number is None else [number]
    experiment = find_experiment(Path(match["path"])) if match["path"] or home is None else home
    begun = list(filter(experiment.has_begun, experiment.instances()))
    return experiment, read_numbers("INSTANCES", match["numbers"], begun, experiment.path)


def each_of(word: str, home: ExperimentFolder) -> list[str]:
    """Return the names of the single instances of ``1-3`` or ``PATH:1,3``; any other word is returned unchanged."""
    match = _NUMBERS.fullmatch(word)
    if match is None or match["numbers"].isdecimal() or (match["path"] and Path(word).exists()):
        return [word]
    prefix = f"{match['path']}:" if match["path"] else ""
    return [f"{prefix}{number}" for number in find_each(word, home)[1]]
