"""Run an experiment script: train and test its instances that are not finished, and print the table.

`xval run experiments/exp1.py --only 3-7 --gpu 1` is the same as `python experiments/exp1.py 3 7 1`. It takes all options of
the script, before or after SCRIPT.

exit code: 0 all jobs are done; 1 a job failed; 2 wrong usage or settings; 130 interrupted
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from preprocessing.options.argument_parser import Parser
from xval.base.errors import SettingsError
from xval.base.operating_system import become
from xval.experiment import command_line

SUMMARY = "run an experiment script: train and test its instances, and print the table"
GROUP = "Run"


def add_arguments(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument("script", metavar="SCRIPT", help="an experiment, such as experiments/exp1.py")
    command_line.add_arguments(parser)


def main(arguments: Sequence[str]) -> int:
    """Replace this process by ``python SCRIPT ...`` after parsing its options."""
    parser = Parser(prog="xval run", description=__doc__)
    add_arguments(parser)
    script = parser.parse_all(arguments).script
    if not Path(script).is_file():
        known = ", ".join(sorted(path.as_posix() for path in Path("experiments").glob("*.py")))
        there = f" There are: {known}." if known else " xval new my_study makes a folder with one."
        raise SettingsError(f"{script}: no such script.{there}")
    others = list(arguments)
    others.remove(script)
    # A separate process, whose workers import the script by its name, as when Python runs it.
    return become([sys.executable, script, *others], os.environ)
