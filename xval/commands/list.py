"""List the experiments below a folder: of each its main figure, with the 95 % interval, and its state.

The figure is that of the instance that validation selects, alone: where several compete, the page of the experiment begins with
the value of choosing and training together. It is read from summary.json, which runs and rebuild write; an
experiment whose folds have changed since, or that an earlier version wrote, is listed with what is known, and with the command
that makes the rest known. Nothing is written. A run keeps the same list as a page: index.html in the results folder.

states of an experiment:
  that of its jobs which says most, in the order running, failed, damaged, stale, interrupted, to do, done (see status); code of
  your own that has changed since the last run or rebuild is told by status; unknown: there is no current summary, or, with
  lock=lease, only status can say whether its process lives

--format json prints one list, --format csv and --output one table, with a row for each experiment: experiment, description,
corpus, date, instances, selected (its number), name, metric, value, low, high, chance, state, jobs, jobs_done, is_current (the
summary is of the files as they are); null or empty where it is not known.

exit code: 0; 2 when there is no experiment
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from rich.text import Text

from preprocessing.console import make_console
from xval.base.errors import ResultsError, counted, first_of
from xval.commands._output import add_output, output_of
from xval.report.experiment_list import HEADER, Order, as_values, explain_values, in_order, text_row, what_to_type
from xval.report.terminal import make_table
from xval.results.find_experiments import find_experiments
from xval.results.summaries import list_experiments

if TYPE_CHECKING:
    from rich.console import Console

    from xval.report.text_tables import Output

SUMMARY = "list the experiments below a folder, with their main metric and state"
GROUP = "Results"

_WIDTH_OF_FILES = 200
_MOST_CORPORA = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "folder",
        type=Path,
        nargs="?",
        default=Path("results"),
        metavar="FOLDER",
        help="results/, or a folder of such (default: %(default)s)",
    )
    parser.add_argument("--sort", choices=get_args(Order), default="date", help="newest or best first (default: %(default)s)")
    parser.add_argument("--corpus", metavar="NAME", help="only experiments on this dataset")
    add_output(parser)


def run(options: argparse.Namespace) -> int:
    """Print the list, and write it."""
    root, output = options.folder, output_of(options)
    if not root.is_dir():
        raise ResultsError(f"{root}: there is no such folder. Expected a folder with experiments, such as results/.")
    experiments = list_experiments(find_experiments(root))
    if not experiments:
        raise ResultsError(f"{root}: there is no experiment in it, nor in the three levels of folders below it.")
    chosen = [listed for listed in experiments if options.corpus in (None, listed.corpus)]
    if not chosen:
        known = first_of(sorted({listed.corpus for listed in experiments}), _MOST_CORPORA)
        raise ResultsError(f"--corpus {options.corpus}: {root} has no experiment on it. There are: {known}.")
    ordered = in_order(chosen, options.sort)
    values = [as_values(listed, root) for listed in ordered]
    console = make_console(least_width=_WIDTH_OF_FILES)
    if output.is_printed:
        _write(values, output, console)
        return 0
    console.print(make_table(HEADER, [text_row(listed, root) for listed in ordered]))
    console.print(f"{counted(len(ordered), 'experiment')}.")
    if about_values := explain_values(ordered):
        console.print(about_values, markup=False)
    if to_type := what_to_type(ordered):
        console.print(Text(f"unknown: there is no summary of the files as they are now. This writes one:\n  {to_type}"))
    if output.path is not None:
        _write(values, output, console)
    return 0


def _write(values: list[dict[str, object]], output: "Output", console: "Console") -> None:
    import pandas as pd

    from xval.report.text_tables import write_table

    write_table(pd.DataFrame(values), output, console, document=values)
