"""The command line of the experiment scripts, as a `RunRequest` for run.py, and exit codes.

The exit code is 0 if all was done, 1 if some job failed, 2 for wrong usage or settings, and 130 after an interruption.
"""

import argparse
import os
import re
import sys
from collections.abc import Sequence

from rich.console import Console

from preprocessing.console import GOES_ON, carry_out
from preprocessing.options.argument_parser import Parser, add_settings_argument
from preprocessing.visible_console import LastingConsole, VisibleConsole
from xval.base.errors import SettingsError
from xval.base.operating_system import quote
from xval.experiment.run import RunRequest, run_experiment
from xval.folds.condition import Condition
from xval.results.named import numbers_between, read_numbers, read_ranges
from xval.settings.architectures import executor_names
from xval.settings.resolve import Declaration, describe_numbers
from xval.settings.schema import DEFAULTS

_MOST_FOLDS = 1_000_000
_MOST_POSITIONS = 3
_WIDTH_OF_FILES = 160


def main_of_script(declaration: Declaration, arguments: Sequence[str]) -> int:
    """Run the command line of an experiment script; return the exit code."""

    def run() -> int:
        command = _command(_parser(declaration).parse_all(arguments), declaration)
        only_prints = command.list_only or command.dry_run
        return run_experiment(declaration, command, make_wide_console(VisibleConsole if only_prints else LastingConsole))

    return carry_out(run, kept=GOES_ON)


def make_wide_console(kind: type[VisibleConsole] = LastingConsole, *, quiet: bool = False) -> Console:
    """Return the console of a run: as wide as the terminal, wide for a file, and chosen by rich in a notebook."""
    console = kind(quiet=quiet)
    is_terminal = sys.stdout is not None and sys.stdout.isatty()  # None where a shell has closed it (>&-)
    if not console.is_jupyter and not is_terminal and "COLUMNS" not in os.environ:
        console.width = _WIDTH_OF_FILES
    return console


def _parser(declaration: Declaration) -> Parser:
    parser = Parser(
        prog=f"python {quote(declaration.script)}",
        description=f"{declaration.description}\n\nInstances: {describe_numbers(declaration.instances)}.",
    )
    add_arguments(parser)
    return parser


def add_arguments(parser: Parser) -> None:
    """Declare the arguments of all scripts: ``python SCRIPT ...``, or ``xval run SCRIPT ...``."""
    parser.add_argument(
        "positions",
        nargs="*",
        metavar="FIRST [LAST [GPU]]",
        help="instances FIRST to LAST, both included (default: all; with FIRST only, that one); GPU: 0, or 0,1,2, or cpu",
    )
    parser.add_argument("--only", metavar="3-7", help="only these instances: 3, 3-7 or 1,3-5; the same as FIRST LAST")
    parser.add_argument("--gpu", metavar="ID", help="the same as GPU: 0, or 0,1,2, or cpu (default: that of config.ini)")
    parser.add_argument("--list", action="store_true", help="list the instances and their differences")
    parser.add_argument("--dry-run", action="store_true", help="list the jobs and their states, without training")
    parser.add_argument("--workers", type=int, metavar="N", help="worker processes on the CPU")
    parser.add_argument("--workers-per-gpu", type=int, metavar="N", help="worker processes on each GPU; they share its memory")
    parser.add_argument("--executor", choices=executor_names(), help="where jobs run (see [execution] in config.ini)")
    parser.add_argument("--folds", metavar="1,3", help="run only these folds: 2, 1,3 or 1-3")
    parser.add_argument("--repeats", type=int, metavar="R", help="train each fold with R seeds and average their scores")
    parser.add_argument(
        "--fold-repeats", type=int, metavar="D", help="repeat the cross-validation D times with different partitions"
    )
    parser.add_argument(
        "--where",
        metavar="EXPR",
        help="train and test only on clips that satisfy a condition: 'language == \"de\"' (sets train_where and test_where)",
    )
    add_settings_argument(parser, "override a setting for this run; repeatable", lambda: DEFAULTS)
    parser.add_argument("--overwrite", action="store_true", help="replace finished results of the chosen instances")
    parser.add_argument(
        "--take-over",
        action="store_true",
        help="continue the results of another script, for example after you renamed this one",
    )
    parser.add_argument("--debug", action="store_true", help="use one process, and stop at the first error with its traceback")
    parser.add_argument("--details", action="store_true", help="explain every finding at the end, instead of only three lines")
    parser.add_argument("--quiet", action="store_true", help="print only failures and the closing table")
    parser.add_argument(
        "--verbose", action="store_true", help="print a line for each finished fold, even if there are more than 20"
    )


def _command(options: argparse.Namespace, declaration: Declaration) -> RunRequest:
    positions = options.positions
    if len(positions) > _MOST_POSITIONS:
        raise SettingsError(f"received {len(positions)} positional arguments ({' '.join(positions)}); expected FIRST LAST GPU.")
    if options.only is None and len(positions) == 1 and re.fullmatch(r"\d+[-,][-,\d]*", positions[0]):
        options.only, positions = positions[0], []
    first_last = [_whole_number(text, name) for text, name in zip(positions[:2], ("FIRST", "LAST"), strict=False)]
    numbers = choose_numbers(declaration, *first_last) if first_last else None
    gpu = positions[2] if len(positions) == _MOST_POSITIONS else None
    if options.only is not None:
        if positions:
            raise SettingsError(
                f"--only {options.only}: does not go with {' '.join(positions)}. Join numbers with a comma, as in --only "
                f"{','.join([options.only, *positions])}; --gpu {positions[-1]} names a GPU."
            )
        numbers = sorted(set(read_numbers("--only", options.only, declaration.instances, declaration.script)))
    if options.gpu is not None:
        if gpu is not None:
            raise SettingsError(f"--gpu {options.gpu}: the third number of {' '.join(positions)} is the GPU already; keep one.")
        gpu = options.gpu
    overrides: dict[str, object] = {}
    for text in options.overrides:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise SettingsError(f"--set: received '{text}'; expected KEY=VALUE, such as --set learning_rate=0.01.")
        overrides[name.strip()] = value.strip()
    if options.where is not None:
        try:
            Condition(options.where)
        except SettingsError as error:
            raise SettingsError(f"--where: {error}") from error
    given = {
        "gpu_ID": gpu,
        "workers": options.workers,
        "workers_per_gpu": options.workers_per_gpu,
        "executor": options.executor,
        "repeats": options.repeats,
        "fold_repeats": options.fold_repeats,
        "train_where": options.where,
        "test_where": options.where,
        "overwrite_results": options.overwrite or None,
        "debug_mode": options.debug or None,
    }
    overrides |= {name: value for name, value in given.items() if value is not None}
    folds = None if options.folds is None else _read_folds(options.folds)
    return RunRequest(
        numbers=numbers,
        overrides=overrides,
        fold_numbers=folds,
        list_only=options.list,
        dry_run=options.dry_run,
        quiet=options.quiet,
        is_verbose=options.verbose,
        details=options.details,
        take_over=options.take_over,
    )


def _read_folds(text: str) -> list[int]:
    ranges = read_ranges("--folds", text)
    if (last := max(last for _, last in ranges)) > _MOST_FOLDS:
        raise SettingsError(f"--folds {text}: no experiment has {last} folds.")
    return [fold for first, last in ranges for fold in range(first, last + 1)]


def choose_numbers(declaration: Declaration, first: int, last: int | None = None) -> list[int]:
    """Return the numbers of the instances from the first to the last, both included; without a last one, only the first."""
    last = first if last is None else last
    if first > last:
        raise SettingsError(f"FIRST {first} is above LAST {last}. Give {last} {first} for instances {last} to {first}.")
    return numbers_between(first, last, declaration.instances, declaration.script)


def _whole_number(text: str, name: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise SettingsError(f"{name}: received '{text}'; expected a whole number.") from None


if __name__ == "__main__":
    sys.exit("Run an experiment script: python experiments/exp1.py --help")
