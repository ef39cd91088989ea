"""The commands of ``python -m xval``, one file each; the name of a command is that of its file, with - for _.

Each has `SUMMARY`, one line for the help; `add_arguments(parser)`; and `run(options)`, which returns the exit code. None loads
a backend before its arguments have been read. One that trains has `RUNS_OWN_CODE = True`; the others import no module of the
user's own but for those of the option --import (`_own_modules.add_import`).
"""

import argparse
from importlib import import_module
from pkgutil import iter_modules
from typing import Protocol, cast

from xval.base.errors import SettingsError, suggestion


class Command(Protocol):
    """A file of this package; what it raises for bad input is an `XvalError`, which is printed in one line."""

    SUMMARY: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the arguments, without loading a backend."""

    def run(self, options: argparse.Namespace) -> int:
        """Return the exit code: 0 done; 1 done in part or failed, as its help says."""


def command_names() -> list[str]:
    """Return the names of the commands, sorted."""
    return sorted(module.name.replace("_", "-") for module in iter_modules(__path__) if not module.name.startswith("_"))


def find_command(name: str) -> Command:
    """Import the command of a name, such as ``run-job``."""
    if name not in command_names():
        raise SettingsError(f"unknown command '{name}'. {suggestion(name, command_names())}")
    return cast("Command", import_module(f"{__name__}.{name.replace('-', '_')}"))
