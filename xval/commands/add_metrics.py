"""Add metrics to a finished experiment, computed from the stored predictions (predictions.parquet) of each fold.

A NAME is a metric of the task, such as uar, or the dotted path of your own function, as in the setting metrics. From then on
metrics.json, results.xlsx, `load_results`, `compare` and `report` have it, also for folds that end later. The scores are
stored in added_metrics.json, and records are not changed. To remove the metrics, delete that file and run xval rebuild.
Commands and the script must be able to import your own function. All of them search the root of the project.

exit code: 0 done; 1 if something was skipped
"""

import argparse
from pathlib import Path

from preprocessing.console import make_console
from xval.answers.read import read_instances
from xval.answers.score_text import format_test
from xval.answers.summary import side_name, test_side
from xval.base.user_code import imports
from xval.base.user_code.definitions import is_dotted
from xval.commands._own_modules import add_import
from xval.commands.rebuild import rebuild_experiment
from xval.results.added_metrics import request_metrics
from xval.results.folder import find_experiment
from xval.settings.further_metrics import split_names

SUMMARY = "add metrics to a finished experiment, from its stored predictions"
GROUP = "Results"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("folder", type=Path, metavar="EXPERIMENT", help="results/<dataset>/experiment_<n>")
    parser.add_argument("names", nargs="+", metavar="NAME", help="metrics to add, such as uar or my_module.my_metric")
    parser.add_argument(
        "--positive-class", metavar="CLASS", help="the class to detect, for sensitivity, specificity, f1, ppv and npv"
    )
    add_import(parser)


def run(options: argparse.Namespace) -> int:
    """Add the metrics, print their values, and return 1 if something was skipped."""
    names = [name for text in options.names for name in split_names(text)]
    asked_for = [name.rpartition(".")[0] for name in names if is_dotted(name)]
    with imports.importing_only([*options.modules, *asked_for]):
        folder = find_experiment(options.folder)
        scores = request_metrics(folder, names, options.positive_class)
        code, written = rebuild_experiment(folder)
        for instance in read_instances(folder, written):
            side = test_side([instance])
            values = [f"{label} {format_test(instance, side, name)}" for label, name in scores.items()]
            make_console().print(f"instance {instance.number}: {side_name(side, [instance])} {'; '.join(values)}", markup=False)
    return code
