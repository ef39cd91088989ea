"""``xval augment``, also ``python -m augmentation``: write augmented copies of a folder, or with ``mix`` mixtures of events.

The exit code is 0 if all was done, 1 if something failed, 2 for wrong usage or input, and 130 after an interruption.
"""

import sys
from collections.abc import Sequence

import xval  # noqa: F401 - first: it names a file of the user's own that hides a package
from augmentation.command_line import carry_out
from preprocessing.console import program


@program
def main(arguments: Sequence[str]) -> None:
    """Carry out what follows ``python -m augmentation``: make copies, or mixtures."""
    carry_out(arguments)


def run() -> int:
    """Carry out the command line of this process: the program ``xval-augmentation`` of an installation."""
    return main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(run())
