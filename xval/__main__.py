"""``python -m xval COMMAND ...``: what is done with the results of experiments.

Comes in: argv. Goes out: what the command prints and writes, and an exit code: 0 done, 1 something failed, 2 wrong usage or
input, 130 interrupted.
"""

import argparse
import sys
from collections.abc import Sequence

from preprocessing.commands.command_line import Parser
from preprocessing.console import carry_out
from xval.commands import command_names, find_command

_PROGRAM = "python -m xval"


def main(arguments: Sequence[str]) -> int:
    """Carry out a command line.

    Args:
        arguments: What follows ``python -m xval``.

    Returns:
        The exit code.

    Raises:
        SystemExit: After ``--help``.
    """
    if not arguments or arguments[0] in ("-h", "--help"):
        sys.stdout.write(_help())
        return 0
    return carry_out(lambda: _carry_out(arguments[0], arguments[1:]))


def _carry_out(name: str, arguments: Sequence[str]) -> int:
    command = find_command(name)
    description = (command.__doc__ or command.SUMMARY).strip()
    formatter = argparse.RawDescriptionHelpFormatter
    parser = Parser(prog=f"{_PROGRAM} {name}", description=description, formatter_class=formatter, allow_abbrev=False)
    command.add_arguments(parser)
    return command.run(parser.parse_all(arguments))


def _help() -> str:
    width = max(map(len, command_names()))
    listed = "\n".join(f"  {name:{width}}  {find_command(name).SUMMARY}" for name in command_names())
    return (
        f"usage: {_PROGRAM} COMMAND ...\n\nWork with the results of experiments.\n\ncommands:\n{listed}\n\n"
        f"What a command needs and which options it has: {_PROGRAM} COMMAND --help\n"
        "Experiments are run by their scripts: python experiments/exp1.py --help\n"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
