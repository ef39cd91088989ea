"""The commands of ``xval``, one file each; the name of a command is the name of its file, with - instead of _.

Each file has `SUMMARY`, one line for the help; `GROUP`, the heading of the help that lists the command; `add_arguments(parser)`
and `run(options)`, which returns the exit code, or `main(arguments)` instead of both. The command of an extra is in its
command.py, which has `NAME`, the name of the command, instead of `GROUP`. No command loads a backend before it has read its
arguments. A command that trains has `RUNS_OWN_CODE = True`. All others import only those modules of the user that the option
--import names (`_own_modules.add_import`).
"""

import argparse
import re
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import NamedTuple, Protocol, cast

from xval.base import shelf
from xval.base.errors import SettingsError, suggestion
from xval.base.operating_system import quote
from xval.base.synonyms import COMMANDS

EXTRAS = "Extras"
GROUPS = ("Start", "Run", "Results", "Compare", "Models", EXTRAS, "Maintain")
"""The headings of the help, in this order."""

_SIMPLE = re.compile(r"(xval [\w-]+)(?: [A-Z]+)+")
_DESCRIPTION = re.compile(r'^(GROUP|NAME|SUMMARY) = "(.*)"$', re.MULTILINE)


class Command(Protocol):
    """The module of a command. For bad input it raises an `XvalError`, which is printed in one line."""

    SUMMARY: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the arguments of the command to a parser, without loading a backend."""

    def run(self, options: argparse.Namespace) -> int:
        """Run the command, and return the exit code: 0 done; 1 done in part or failed, as the help of the command explains."""


class Description(NamedTuple):
    """The entry of a command in the help, read from its file without importing it.

    Attributes:
        module: The dotted name of the module to import.
        group: The heading of the help that lists the command.
        summary: One line for the help.
    """

    module: str
    group: str
    summary: str


def command_names() -> list[str]:
    """Return the sorted names of all commands, including the commands of extras."""
    return [*describe_commands()]  # list is a command here


@cache
def describe_commands() -> dict[str, Description]:
    """Return the description of each command by its sorted name; files are read and not imported, so that the help is quick."""
    files = {f"{__name__}.{path.stem}": path for path in Path(__path__[0]).glob("[!_]*.py")}
    files |= {f"{shelf.PACKAGE}.{extra}.command": path for extra, path in shelf.offers("command").items()}
    descriptions: dict[str, Description] = {}
    for module, path in files.items():
        facts = dict(_DESCRIPTION.findall(path.read_text(encoding="utf-8")))
        stem = path.parent.name if path.stem == "command" else path.stem
        name = facts.get("NAME", stem.replace("_", "-"))
        if "SUMMARY" not in facts:
            raise SettingsError(f'{path}: expected a line SUMMARY = "what the command does", for the help.')
        if name in descriptions:
            raise SettingsError(f'{path}: received NAME = "{name}", which {descriptions[name].module} has, too. Give another.')
        descriptions[name] = Description(module, facts.get("GROUP", EXTRAS), facts["SUMMARY"])
    return dict(sorted(descriptions.items()))


def find_command(name: str, arguments: Sequence[str] = ()) -> Command:
    """Import a command by its name, such as ``run-job``.

    Raises:
        SettingsError: There is no such command. The message says what to type, with `arguments` in it where they fit.
    """
    if description := describe_commands().get(name):
        return cast("Command", import_module(description.module))
    if name.endswith(".py"):
        raise SettingsError(f"'{name}' is no command of xval. Type: xval run {quote(name)}")
    if Path(name, "folds.json").is_file():
        raise SettingsError(f"'{name}' is no command of xval. Type: xval report {quote(name)}")
    if to_type := COMMANDS.get(name.lower().replace("_", "-")):
        raise SettingsError(f"'{name}' is no command of xval. Type: {_with_arguments(to_type, arguments)}")
    raise SettingsError(f"unknown command '{name}'. {suggestion(name, command_names())}")


def _with_arguments(to_type: str, arguments: Sequence[str]) -> str:
    """Return the command to type, with CORPUS, EXPERIMENT or MODEL replaced by the arguments that the user typed."""
    if not arguments or any(word.startswith("-") for word in arguments):
        return to_type
    if simple := _SIMPLE.fullmatch(to_type):
        return f"{simple[1]} {' '.join(map(quote, arguments))}"
    if not Path(re.sub(r":\d+$", "", arguments[0])).exists():
        return to_type
    return re.sub(r"\b(EXPERIMENT|MODEL)\b(?!:)", lambda _: quote(arguments[0]), to_type)
