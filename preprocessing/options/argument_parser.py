"""The parser of every command line, whose errors name the option, and the arguments that several commands share."""

import argparse
import math
import re
import sys
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, NoReturn

from xval.base.config_file import default_folder, known_names
from xval.base.errors import SettingsError, suggestion
from xval.base.operating_system import quote
from xval.base.synonyms import OPTIONS, OPTIONS_OF_COMMANDS, describe_synonym

_LIKE_AN_OPTION = re.compile(r"-\w|--\w[\w-]*(=.*)?", re.DOTALL)

_TRUTHS = ("true", "false", "yes", "no", "1", "0")
_LETTER = 2  # characters of an option of one letter
_ELSEWHERE = {"-s": "If it means segmentation: segments are predicted by xval predict MODEL AUDIO --segments."}
"""What options of other programs for audio are here, where the command has none that begins so."""


class Parser(argparse.ArgumentParser):
    """Raises what argparse would print and exit with; descriptions keep their lines, and options are not abbreviated.

    Attributes:
        setting_names: Returns the names of the settings that ``--set`` takes.
    """

    setting_names: Callable[[], Collection[str]] = frozenset

    def __init__(self, **options: Any) -> None:
        defaults: dict[str, Any] = {"formatter_class": argparse.RawDescriptionHelpFormatter, "allow_abbrev": False}
        super().__init__(**defaults | options)

    def _print_message(self, message: str, file: Any = None) -> None:
        """Print a help text; where it cannot be, that is an error, and argparse ends as if it had been printed."""
        stream = file or sys.stderr
        stream.write(message)
        stream.flush()

    def error(self, message: str) -> NoReturn:
        """Raise a `SettingsError` with argparse's message."""
        if message.startswith("the following arguments are required: "):
            optional = {str(action.metavar) for action in self._actions if action.nargs == "*"}  # argparse names these, too
            required, _, names = message.partition(": ")
            message = f"{required}: {', '.join(name for name in names.split(', ') if name not in optional)}"
        option = re.fullmatch(r"argument (\S+): expected one argument", message)
        raise SettingsError(
            f"{message[:1].upper()}{message[1:]}{self._show_value(option[1]) if option else '.'} See {self.prog} --help"
        )

    def _show_value(self, option: str) -> str:
        """Return the tail of a message about an option that lacks its value: how it is written."""
        name = option.rpartition("/")[2]  # argparse names all forms: -o/--output
        action = self._option_string_actions[name]
        value = action.metavar or "|".join(map(str, action.choices or [action.dest.upper()]))
        return f", as in {name} {value}. Join a value that looks like an option by =, as in {name}=-..."

    def parse_all(self, arguments: Sequence[str]) -> argparse.Namespace:
        """Read the command line; options may be between the words."""
        arguments = self._join_values(arguments)
        known, unknown = self.parse_known_args(arguments)
        if any(not word.startswith("-") for word in unknown):
            known, unknown = self.parse_known_intermixed_args(arguments)
        for word in unknown:
            if word.startswith("-"):
                raise SettingsError(f"Unknown option {word}. {self._what_to_write(word.partition('=')[0], arguments)}")
            quotes = "" if word.isdecimal() else ". A path with spaces needs quotes around it"
            how = " A model is named EXPERIMENT:N, such as results/demo/experiment_1:2." if self._takes_model(word) else ""
            raise SettingsError(f"Unexpected '{word}': {' '.join(self.format_usage().split())}{quotes}{how and '.'}{how}")
        self._refuse_options_as_settings(getattr(known, "overrides", []))
        return known

    def _takes_model(self, word: str) -> bool:
        return word.isdecimal() and any("[:N]" in str(action.metavar) for action in self._positionals._group_actions)

    def _refuse_options_as_settings(self, overrides: Sequence[str]) -> None:
        """Name the option that was given as ``--set OPTION=VALUE``."""
        for override in overrides:
            name, _, value = override.partition("=")
            option = f"--{name.replace('_', '-')}"
            if option in self._option_string_actions and name not in self.setting_names():
                is_flag = self._option_string_actions[option].nargs == 0
                how = f"Write {option}." if is_flag else f"Write {option} {value or 'VALUE'}."
                if not is_flag and (synonym := describe_synonym(name)):
                    how += synonym.replace("Here it is", " If it is to be a setting:")
                raise SettingsError(f"--set {override}: this is an option of this command, not a setting. {how}")

    def _what_to_write(self, option: str, arguments: Sequence[str] = ()) -> str:
        """Return what is in place of an unknown option: ``--set`` where it is a setting, or the options there are."""
        if len(option) == _LETTER and (
            longer := [name for name in self._option_string_actions if name.startswith(f"-{option}")]
        ):
            return f"Did you mean {' or '.join(longer)}? Options cannot be abbreviated."
        if to_type := OPTIONS_OF_COMMANDS.get(self.prog.removeprefix("xval "), {}).get(option) or self._known_as(option):
            return f"Type: {_with_words(to_type, option, arguments)}."
        if option in _ELSEWHERE:
            return _ELSEWHERE[option]
        name = option.strip("-").replace("-", "_")
        if "--set" in self._option_string_actions:
            if name in self.setting_names():
                return f"This is a setting: give --set {name}=VALUE."
            if any(name in section for section in known_names().values()):
                return f"This is a setting of other commands, such as experiments: give --set {name}=VALUE there."
            if synonym := describe_synonym(name):
                return f"{synonym} {self._how_to_set(synonym)}"
        return suggestion(option, self._option_string_actions)

    def _how_to_set(self, synonym: str) -> str:
        """Return how the first of the settings or options that a synonym names is given here."""
        named = re.search(r"'(\w+)'", synonym)
        if named is None or named[1] not in self.setting_names():
            return "Settings are given as --set NAME=VALUE."
        return f"Type: --set {named[1]}=VALUE."

    def _known_as(self, option: str) -> str:
        """Return what this command has in place of an option of other programs; empty: nothing."""
        to_type = OPTIONS.get(option, "")
        return to_type if to_type.split(" ")[0] in self._option_string_actions else ""

    def _join_values(self, arguments: Sequence[str]) -> list[str]:
        """Join options to values that begin with ``-`` and are no options, such as the pattern ``-([0-9]+)``.

        argparse would take such a value for its own option, and say that the value is missing.
        """
        joined: list[str] = []
        words = iter(arguments)
        for word in words:
            if word == "--":
                return [*joined, word, *words]
            before = self._option_string_actions.get(joined[-1]) if joined else None
            if before is not None and before.nargs == "?" and before.const is True and word.lower() not in _TRUTHS:
                joined[-1] += "=true"  # which is by itself: the word is not its value
                before = None
            takes_one = before is not None and before.nargs is None
            if takes_one and word.startswith("-") and not _LIKE_AN_OPTION.fullmatch(word):
                joined[-1] = f"{joined[-1]}={word}"
            else:
                joined.append(word)
        return joined


def _with_words(to_type: str, option: str, arguments: Sequence[str]) -> str:
    """Return ``xval add-metrics EXPERIMENT NAME`` with the words that were typed before the option, and behind it."""
    if not to_type.endswith(" EXPERIMENT NAME"):
        return to_type
    words = [part for word in arguments for part in (word.split("=", 1) if word.startswith("--") else [word])]
    place = words.index(option)
    before, after = ([word for word in some if not word.startswith("-")] for some in (words[:place], words[place:]))
    return " ".join([to_type.removesuffix(" EXPERIMENT NAME"), *map(quote, [*before, *after])]) if before and after else to_type


def add_settings_argument(parser: Parser, text: str, names: Callable[[], Collection[str]]) -> None:
    """Add ``--set KEY=VALUE``, which may be given several times, as ``overrides``.

    Args:
        parser: Of the command.
        text: Its help.
        names: Returns the names of the settings that it takes; only called for an error, so that a help text stays fast.
    """
    parser.setting_names = names
    parser.add_argument("--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE", help=text)


def add_data_folder_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--data-folder DIR``."""
    parser.add_argument(
        "--data-folder",
        type=Path,
        default=default_folder("data_folder"),
        metavar="DIR",
        help="folder of all datasets (default: %(default)s)",
    )


def add_workers_argument(parser: argparse.ArgumentParser, purpose: str) -> None:
    """Add ``--workers N``; the purpose is what the processes do."""
    parser.add_argument("--workers", type=_n_workers, metavar="N", help=f"processes{purpose} (default: one for each core)")


def whole_number(name: str, text: str, *, smallest: int) -> int:
    """Read a whole number of the command line."""
    if not (text.isascii() and text.isdecimal()) or int(text) < smallest:
        raise SettingsError(f"{name} {text}: expected a whole number from {smallest}.")
    return int(text)


def number_reader(
    flag: str, what: str = "a number", largest: float = math.inf, *, is_positive: bool = False
) -> Callable[[str], float]:
    """Return a function that reads a number from 0, or above it, to the largest; it raises a `SettingsError` with the flag."""

    def read(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not 0 <= number <= largest or math.isinf(number) or (is_positive and not number):
            least = "above" if is_positive else "from"
            limit = "" if math.isinf(largest) else f" to {largest:g}"
            raise SettingsError(f"{flag} {text}: expected {what} {least} 0{limit}.")
        return number

    return read


def _n_workers(text: str) -> int:
    return whole_number("--workers", text, smallest=1)
