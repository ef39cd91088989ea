"""The program: ``xval COMMAND ...``, or ``python -m xval COMMAND ...``.

The exit code is 0 if all was done, 1 if something failed, 2 for wrong usage or input, and 130 after an interruption.
"""

import os
import sys

if __name__ == "__main__" and sys.path[:1] == [os.getcwd()] and not os.path.isfile("xval/__init__.py"):  # noqa: PTH109, PTH113
    # What lies where the command is typed, such as a study that was downloaded, stands for no package that xval imports.
    sys.path[:] = sys.path[1:]
from collections.abc import Sequence
from pathlib import Path

from preprocessing.console import program
from preprocessing.options.argument_parser import Parser
from xval.base.user_code import imports
from xval.base.user_code.modules import looking_last_in
from xval.base.version import __version__
from xval.commands import GROUPS, describe_commands, find_command

_PROGRAM = "xval"


@program
def main(arguments: Sequence[str]) -> int:
    """Carry out what follows ``xval``."""
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        sys.stdout.write(_help())
        return 0
    if arguments[0] in ("-V", "--version", "version"):
        sys.stdout.write(f"{_PROGRAM} {__version__}\n")
        return 0
    command = find_command(arguments[0], arguments[1:])
    if hasattr(command, "main"):  # it has its own parsers
        code: int = command.main(arguments[1:])
        return code
    parser = Parser(prog=f"{_PROGRAM} {arguments[0]}", description=(command.__doc__ or command.SUMMARY).strip())
    command.add_arguments(parser)
    options = parser.parse_all(arguments[1:])
    is_running = getattr(command, "RUNS_OWN_CODE", False)
    rule = imports.running() if is_running else imports.importing_only(getattr(options, "modules", ()))
    with rule, looking_last_in(Path.cwd()):
        return command.run(options)


def _help() -> str:
    commands = describe_commands()
    width = max(map(len, commands))
    listed = "\n\n".join(
        "\n".join([f"{group}:", *(f"  {name:{width}}  {of.summary}" for name, of in commands.items() if of.group == group)])
        for group in GROUPS
    )
    return (
        f"usage: {_PROGRAM} COMMAND ...\n       {_PROGRAM} --version\n\n"
        "Cross-validated deep-learning experiments on audio.\n\n"
        f"{listed}\n\n"
        f"Arguments and options of a command: {_PROGRAM} COMMAND --help\n"
    )


def run() -> int:
    """Carry out the command line of this process: the program ``xval`` of an installation."""
    return main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(run())
