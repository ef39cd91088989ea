"""The commands of ``xval``, one file each; the name of a command is that of its file, with - for _.

Each has `SUMMARY`, one line for the help; `GROUP`, under which the help lists it; `add_arguments(parser)`; and `run(options)`,
which returns the exit code; or, in place of both, `main(arguments)`. None loads a backend before its arguments have been read.
One that trains has `RUNS_OWN_CODE = True`; the others import no module of the user's own but for those of the option --import
(`_own_modules.add_import`).
"""

import argparse
import re
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Protocol, cast

from xval.base.errors import SettingsError, suggestion
from xval.base.operating_system import quote
from xval.base.synonyms import COMMANDS

GROUPS = ("Start", "Run", "Results", "Compare", "Models", "Maintain")
"""Of the help, in this order."""

_SIMPLE = re.compile(r"(xval [\w-]+)(?: [A-Z]+)+")
_DESCRIPTION = re.compile(r'^(GROUP|SUMMARY) = "(.*)"$', re.MULTILINE)


class Command(Protocol):
    """A file of this package; what it raises for bad input is an `XvalError`, which is printed in one line."""

    SUMMARY: str
    GROUP: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the arguments, without loading a backend."""

    def run(self, options: argparse.Namespace) -> int:
        """Return the exit code: 0 done; 1 done in part or failed, as its help says."""


def command_names() -> list[str]:
    """Return the names of the commands, sorted."""
    return sorted(module.name.replace("_", "-") for module in iter_modules(__path__) if not module.name.startswith("_"))


def describe_commands() -> dict[str, tuple[str, str]]:
    """Return the group and the summary of each command, by its name; they are read, so that none is imported."""
    texts = {name: Path(__path__[0], f"{name.replace('-', '_')}.py").read_text(encoding="utf-8") for name in command_names()}
    found = {name: dict(_DESCRIPTION.findall(text)) for name, text in texts.items()}
    return {name: (facts["GROUP"], facts["SUMMARY"]) for name, facts in found.items()}


def find_command(name: str, arguments: Sequence[str] = ()) -> Command:
    """Import the command of a name, such as ``run-job``; `arguments` are repeated in what is answered to other names."""
    if name in command_names():
        return cast("Command", import_module(f"{__name__}.{name.replace('-', '_')}"))
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
