"""``python -m preprocessing CORPUS ...``, which is ``xval prepare CORPUS ...``: prepare a corpus; or another command.

Comes in: argv. Goes out: data/<dataset>/ and an exit code: 0 done, 1 failed, 2 wrong usage or corpus, 130 interrupted.
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
