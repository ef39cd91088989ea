"""List the experiments below a folder: the main metric of each, with its 95 % confidence interval, and its state.

The score is that of the instance that validation selects. If several instances compete, this score is optimistic; the page of
the experiment begins with the nested estimate. The list is read from summary.json, which runs and xval rebuild write. For an
experiment whose folds have changed since then, or that an earlier version wrote, it shows the known values and the command
that updates them. A run also keeps this list as a page, index.html in the results folder.

The newest is first: date is when the last job ended, or when a run that is at work began, if later. Experiments without a
date, of which no job has ended, are last.

states of an experiment:
  the first of running, failed, damaged, stale, interrupted, to do and done that any of its jobs has (see xval status); or
  starting: a run has begun, and none of its jobs yet; or
  unknown: there is no current summary; or, with lock=lease, only status can find out whether its process is alive
  Only status checks whether your own code has changed since the last run or rebuild.

--format json prints one list. --format csv and --output give one table. Both have a row for each experiment: experiment,
description, corpus, date, instances, selected (its number), name, metric, value, low, high, chance, state, jobs, jobs_done,
is_current (whether the summary matches the files); null or empty if unknown.

exit code: 0 done; 2 if there is no experiment
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from rich.console import Console
from rich.text import Text

from preprocessing.console import make_console
from xval.base.errors import ResultsError, counted, first_of
from xval.commands._output import add_output, output_of
from xval.report.experiment_list import HEADER, Order, as_values, explain_values, in_order, text_row, what_to_type
from xval.report.terminal import make_table
from xval.results.folder import find_experiments
from xval.results.summaries import list_experiments

if TYPE_CHECKING:
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
        help="folder of results, or a folder of several (default: %(default)s)",
    )
    parser.add_argument("--sort", choices=get_args(Order), default="date", help="newest or best first (default: %(default)s)")
    parser.add_argument("--corpus", metavar="NAME", help="only experiments on this dataset")
    add_output(parser)


def run(options: argparse.Namespace) -> int:
    """Print the list, and write it."""
    root, output = options.folder, output_of(options)
    if not root.is_dir():
        raise ResultsError(f"{root}: there is no such folder. Expected a folder with experiments, such as results/.")
    experiments = list_experiments(find_experiments(root, may_be_starting=True))
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


def _write(values: list[dict[str, object]], output: "Output", console: Console) -> None:
    import pandas as pd

    from xval.report.text_tables import write_table

    write_table(pd.DataFrame(values), output, console, document=values)
