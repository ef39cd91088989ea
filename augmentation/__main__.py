"""``python -m augmentation INPUT OUTPUT N``: augmented copies of a folder; ``python -m augmentation mix``: mixtures of events.

Comes in: argv. Goes out: files and an exit code: 0 done, 1 failed, 2 wrong usage or input, 130 interrupted.
"""

import sys
from collections.abc import Sequence

import xval  # noqa: F401 - first: it names a file of the user's own that hides a package
from preprocessing.console import make_console, program


@program
def main(arguments: Sequence[str]) -> None:
    """Carry out what follows ``python -m augmentation``: make copies, or mixtures."""
    from augmentation.command_line import parse_augmentation, parse_mixing

    if arguments and arguments[0] == "mix":
        mixing = parse_mixing(arguments[1:])
        from augmentation.mix import mix_events

        mix_events(mixing, make_console())
    else:
        wanted = parse_augmentation(arguments)
        from augmentation.folder import augment_folder

        augment_folder(wanted, make_console())


def run() -> int:
    """Carry out the command line of this process: the program ``xval-augmentation`` of an installation."""
    return main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(run())
