"""``python -m preprocessing CORPUS ...``: read a corpus, write its index, and make its feature store; or another command.

Comes in: argv. Goes out: data/<dataset>/ and an exit code: 0 done, 1 failed, 2 wrong usage or corpus, 130 interrupted.
"""

import sys
from collections.abc import Sequence
from importlib import import_module

from preprocessing.commands import COMMANDS
from preprocessing.console import program


@program
def main(arguments: Sequence[str]) -> int | None:
    """Carry out what follows ``python -m preprocessing``; return the exit code, where a command has one."""
    is_command = bool(arguments) and arguments[0] in COMMANDS
    name = arguments[0] if is_command else "make"
    code: int | None = import_module(f"preprocessing.commands.{name}").main(arguments[1:] if is_command else arguments)
    return code


def run() -> int:
    """Carry out the command line of this process: the program ``xval-preprocessing`` of an installation."""
    return main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(run())
