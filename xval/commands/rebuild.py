"""Write the metric dicts, the workbook and the summary of experiments again from their fold records.

Nothing is trained, and no fold folder is touched; a workbook that was edited by hand is replaced. A record, a history or the
settings of an instance that are damaged are left out and named; all else is written. While a run of the experiment writes the
same files, this waits for it.

With --metrics, further metrics are computed from the stored predictions (predictions.parquet) of each fold: metrics of the
task, or functions of your own by dotted path, as in the parameter `metrics`. From then on they stand in metrics.json,
results.xlsx, `load_results`, `compare` and `report`, for folds that end later too. Records stay as they are:
added_metrics.json has the figures. To be rid of them, delete that file and rebuild. A function of your own has to be found
where commands are called and by the script; all of them search the root of the project.

exit code: 0; 1 when something was left out
"""

import argparse
import sys
from pathlib import Path

from preprocessing.console import EXIT_FAILED, make_console
from xval.answers.figure_text import format_test
from xval.answers.read import read_instances
from xval.answers.summary import side_name, test_side
from xval.base import own_imports
from xval.base.errors import counted
from xval.base.terminal import write_line
from xval.base.user_code import is_dotted
from xval.commands._own_modules import add_import
from xval.report.index_page import update_index
from xval.report.rebuild import rebuild
from xval.results.added_metrics import request_metrics
from xval.results.folder import ExperimentFolder, find_experiment
from xval.settings.further_metrics import split_names

SUMMARY = "write metric dicts and results.xlsx again from the fold records"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER", help="results/<dataset>/experiment_<n>")
    parser.add_argument(
        "--positive-class", metavar="CLASS", help="the class that is to be found, for sensitivity, specificity, f1, ppv and npv"
    )
    parser.add_argument(
        "--metrics", nargs="+", metavar="NAME", default=[], help="metrics to add, such as uar or my_module.my_metric"
    )
    add_import(parser)


def run(options: argparse.Namespace) -> int:
    """Rebuild each experiment, say what was written, and return 1 where something was left out."""
    names = [name for text in options.metrics for name in split_names(text)]
    asked_for = [name.rpartition(".")[0] for name in names if is_dotted(name)]
    with own_imports.importing_only([*options.modules, *asked_for]):
        codes = [_rebuild(find_experiment(folder), names, options.positive_class) for folder in options.folders]
    return max(codes)


def _rebuild(folder: ExperimentFolder, names: list[str], positive_class: str | None) -> int:
    figures = request_metrics(folder, names, positive_class) if names else {}
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
    for instance in read_instances(folder, written if figures else []):
        side = test_side([instance])
        test_figures = [f"{label} {format_test(instance, side, name)}" for label, name in figures.items()]
        console.print(f"instance {instance.number}: {side_name(side, [instance])} {'; '.join(test_figures)}", markup=False)
    return EXIT_FAILED if damaged else 0
