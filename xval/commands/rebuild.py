"""Write the metric dicts and the workbook of an experiment again from its fold records.

Nothing is trained, and no fold folder is touched; a workbook that was edited by hand is replaced. A record, a history or the
settings of an instance that are damaged are left out and named; all else is written. While a run of the experiment writes the
same files, this waits for it.

exit code: 0; 1 when something was left out
"""

import argparse
import sys
from pathlib import Path

from preprocessing.console import EXIT_FAILED, make_console
from xval.results.folder import find_experiment
from xval.results.rebuild import rebuild

SUMMARY = "write metric dicts and results.xlsx again from the fold records"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="results/<dataset>/experiment_<n>")


def run(options: argparse.Namespace) -> int:
    """Rebuild, say what was written, and return 1 where something was left out.

    Raises:
        ResultsError: The folder is no experiment's, or its folds.json is damaged.
    """
    folder = find_experiment(options.folder)
    damaged = rebuild(folder)
    for line in damaged:
        sys.stderr.write(f"left out: {line}\n")
    written = [number for number in folder.instances() if (folder.instance_folder(number) / "metrics.json").exists()]
    console = make_console()
    if written:
        console.print(f"Written from {len(written)} instance(s): metrics.json of each, {folder.workbook}")
    else:
        console.print(f"{folder.path}: no instance has settings, so there is nothing to write.")
    return EXIT_FAILED if damaged else 0
