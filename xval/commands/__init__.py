"""The commands of ``xval``, one file each; the name of a command is that of its file, with - for _.

Each has `SUMMARY`, one line for the help; `GROUP`, under which the help lists it; `add_arguments(parser)`; and `run(options)`,
which returns the exit code; or, in place of both, `main(arguments)`. That of an extra is its command.py, which has `NAME`, the
name of the command, in place of `GROUP`. None loads a backend before its arguments have been read.
One that trains has `RUNS_OWN_CODE = True`; the others import no module of the user's own but for those of the option --import
(`_own_modules.add_import`).
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
"""Of the help, in this order."""

_SIMPLE = re.compile(r"(xval [\w-]+)(?: [A-Z]+)+")
_DESCRIPTION = re.compile(r'^(GROUP|NAME|SUMMARY) = "(.*)"$', re.MULTILINE)


class Command(Protocol):
    """A file of this package; what it raises for bad input is an `XvalError`, which is printed in one line."""

    SUMMARY: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the arguments, without loading a backend."""

    def run(self, options: argparse.Namespace) -> int:
        """Return the exit code: 0 done; 1 done in part or failed, as its help says."""


class Description(NamedTuple):
    """What a file says of its command, read without importing it.

    Attributes:
        module: To be imported.
        group: Under which the help lists it.
        summary: One line.
    """

    module: str
    group: str
    summary: str


def command_names() -> list[str]:
    """Return the names of the commands, those of extras among them, sorted."""
    return [*describe_commands()]  # list is a command here


@cache
def describe_commands() -> dict[str, Description]:
    """Return what each command says of itself, by its name, sorted; the files are read, so that none is imported."""
    files = {f"{__name__}.{path.stem}": path for path in Path(__path__[0]).glob("[!_]*.py")}
    files |= {f"{shelf.PACKAGE}.{extra}.command": path for extra, path in shelf.offers("command").items()}
    found = {}
    for module, path in files.items():
        facts = dict(_DESCRIPTION.findall(path.read_text(encoding="utf-8")))
        name = facts.get("NAME", path.stem.replace("_", "-"))
        found[name] = Description(module, facts.get("GROUP", EXTRAS), facts["SUMMARY"])
    return dict(sorted(found.items()))


def find_command(name: str, arguments: Sequence[str] = ()) -> Command:
    """Import the command of a name, such as ``run-job``; `arguments` are repeated in what is answered to other names."""
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
    """Return what to type with the words that were typed in the place of CORPUS, EXPERIMENT or MODEL."""
    if not arguments or any(word.startswith("-") for word in arguments):
        return to_type
    if simple := _SIMPLE.fullmatch(to_type):
        return f"{simple[1]} {' '.join(map(quote, arguments))}"
    if not Path(re.sub(r":\d+$", "", arguments[0])).exists():
        return to_type
    return re.sub(r"\b(EXPERIMENT|MODEL)\b(?!:)", lambda _: quote(arguments[0]), to_type)
