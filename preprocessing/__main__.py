"""``xval prepare CORPUS ...``, also ``python -m preprocessing CORPUS ...``: prepare a dataset, or run another command.

A dataset is written to data/<dataset>/. The exit code is 0 if all was done, 1 if something failed, 2 for wrong usage or
dataset, and 130 after an interruption.
"""

import sys
from collections.abc import Sequence

from preprocessing.commands import carry_out
from preprocessing.console import program


@program
def main(arguments: Sequence[str]) -> int | None:
    """Carry out what follows ``python -m preprocessing``; return the exit code, where a command has one."""
    return carry_out(arguments)


def run() -> int:
    """Carry out the command line of this process: the program ``xval-preprocessing`` of an installation."""
    return main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(run())
