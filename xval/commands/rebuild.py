"""Write the metric dicts and the workbook of an experiment again from its fold records.

Nothing is trained, and no fold folder is touched; a workbook that was edited by hand is replaced.
"""

import argparse
from pathlib import Path

from preprocessing.console import make_console
from xval.rebuild import rebuild
from xval.results import find_experiment

SUMMARY = "write metric dicts and results.xlsx again from the fold records"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="results/<dataset>/experiment_<n>")


def run(options: argparse.Namespace) -> int:
    """Rebuild, and say what was written.

    Raises:
        ResultsError: The folder is no experiment's, or a record in it is not readable.
    """
    folder = find_experiment(options.folder)
    rebuild(folder)
    make_console().print(f"Written from {len(folder.instances())} instance(s): metrics.json of each, {folder.workbook}")
    return 0
