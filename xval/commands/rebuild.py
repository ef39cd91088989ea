"""Write the metrics.json files, the workbook and the summary of experiments again from their fold records.

Fold folders are not changed. A workbook that was edited by hand is replaced. A damaged record, history or settings file is
skipped and named; everything else is written. While a run of the experiment writes the same files, this command waits for it.
xval add-metrics adds further metrics.

exit code: 0 done; 1 if something was skipped
"""

import argparse
import sys
from pathlib import Path

from preprocessing.console import EXIT_FAILED, make_console
from xval.base.errors import counted
from xval.base.terminal import write_line
from xval.commands._own_modules import add_import
from xval.report.index_page import update_index
from xval.report.rebuild import rebuild
from xval.results.folder import ExperimentFolder, find_experiment

SUMMARY = "write the metrics.json files and results.xlsx again from the fold records"
GROUP = "Maintain"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("folders", type=Path, nargs="+", metavar="EXPERIMENT", help="results/<dataset>/experiment_<n>")
    add_import(parser)


def run(options: argparse.Namespace) -> int:
    """Rebuild each experiment, and return 1 if something was skipped."""
    codes = [rebuild_experiment(find_experiment(folder))[0] for folder in options.folders]
    return max(codes)


def rebuild_experiment(folder: ExperimentFolder) -> tuple[int, list[int]]:
    """Rebuild an experiment and print what was written; return the exit code and the instances that were written."""
    damaged = rebuild(folder)
    update_index(folder)
    for line in dict.fromkeys(damaged):  # what several instances share is said once
        write_line(f"left out: {line}", sys.stderr)
    written = [
        number
        for number in folder.instances()
        if folder.metrics_file(number).exists()
        and not any(line.startswith(str(folder.instance_folder(number) / "settings.json")) for line in damaged)
    ]
    console = make_console()
    if written:
        console.print(f"Written from {counted(len(written), 'instance')}: metrics.json of each, {folder.workbook}")
    else:
        console.print(f"{folder.path}: no instance has settings, so there is nothing to write.")
    return EXIT_FAILED if damaged else 0, written
