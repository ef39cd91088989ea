"""The commands of ``python -m xval``, one file each; the name of a command is that of its file, with - for _.

Each has `SUMMARY`, one line for the help; `add_arguments(parser)`; and `run(options)`, which returns the exit code. None loads
a backend before its arguments have been read.
"""

import argparse
from importlib import import_module
from pkgutil import iter_modules
from typing import Protocol, cast

from xval.base.errors import SettingsError, suggestion


class Command(Protocol):
    """What each file of this package has."""

    SUMMARY: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare its arguments."""

    def run(self, options: argparse.Namespace) -> int:
        """Carry it out and return the exit code."""


def command_names() -> list[str]:
    """Return the names of the commands."""
    return sorted(module.name.replace("_", "-") for module in iter_modules(__path__) if not module.name.startswith("_"))


def find_command(name: str) -> Command:
    """Return a command.

    Raises:
        SettingsError: The command is unknown.
    """
    if name not in command_names():
        raise SettingsError(f"unknown command '{name}'. {suggestion(name, command_names())}")
    return cast("Command", import_module(f"{__name__}.{name.replace('-', '_')}"))
