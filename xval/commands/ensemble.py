"""Combine the stored predictions of finished instances into an ensemble, fold by fold.

INSTANCES are numbers such as 1,3,5 or 1-3. Each seed of each instance is a member. The ensemble becomes a further instance of
the experiment, number 901 (then 902, ...), with the name ``ensemble 1+3+5`` (``..., chosen``, ``..., stacked``). The workbook,
the page, compare, audit and predict treat it like any other instance.

  mean      the mean of the members' probabilities or numbers (default)
  --choose  the mean of the members that forward selection chooses on the validation items of each fold (Caruana et al. 2004)
  stack     a regression on the members' predictions, fitted to the validation items of each fold (logistic for classes)

With --choose or stack, validation scores are of items that took no part in the choice or fit. This needs two validation items
in each fold. With one, the validation scores are optimistic, so they do not rank the ensemble. Members must have been tested
on the same clips of the same folds. Their features may differ. Autoencoders cannot be combined.

exit code: 0 done; 2 if the instances cannot be combined
"""

import argparse
import sys
from pathlib import Path

from preprocessing.console import make_console
from xval.base.errors import SettingsError
from xval.base.keras_backends import BACKENDS, installed_or_default
from xval.base.terminal import write_line
from xval.commands._own_modules import add_import
from xval.results.named import find_numbered

_WIDTH_OF_FILES = 160
SUMMARY = "combine the predictions of finished instances: mean, chosen by validation, or stacked"
GROUP = "Run"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "experiment", metavar="EXPERIMENT", help="results/<dataset>/experiment_<n>; EXPERIMENT:N is its instance N"
    )
    parser.add_argument("instances", nargs="*", metavar="INSTANCES", help="numbers, such as 1,3 or 1-3, or EXPERIMENT:N")
    parser.add_argument("--method", choices=("mean", "stack"), default="mean", help="default: %(default)s")
    parser.add_argument(
        "--choose", action="store_true", help="choose the members of the mean by forward selection on validation"
    )
    parser.add_argument("--number", type=int, metavar="N", help="number of the ensemble (default: the first free one from 901)")
    parser.add_argument(
        "--data-folder", type=Path, metavar="DIR", help="folder of all datasets (default: that of the experiment)"
    )
    add_import(parser)


def run(options: argparse.Namespace) -> int:
    """Make the ensemble, and print its scores next to those of its members."""
    from rich.text import Text

    from xval.experiment.derived_files import renew, renew_page
    from xval.report.terminal import print_scores

    if options.choose and options.method == "stack":
        raise SettingsError("--choose needs --method mean, because stacking weights all members.")
    folder, numbers = find_numbered([options.experiment, *options.instances])
    if not numbers:
        raise SettingsError(f"{options.experiment}: no members are named. Add their numbers, such as 1,3,5.")
    if options.number is not None and options.number < 1:
        raise SettingsError(f"--number {options.number}: expected a whole number from 1.")
    _load_backend(folder.settings(numbers[0]) or {})
    from xval.reuse.ensembles.make import make_ensemble

    ensemble = make_ensemble(
        folder,
        numbers,
        method="choose" if options.choose else options.method,
        number=options.number,
        data_folder=options.data_folder,
    )
    console = make_console(least_width=_WIDTH_OF_FILES)
    for name, reason in ensemble.left_out.items():
        write_line(f"skipped: the metric {name}, which {ensemble.name} has no values of: {reason}", sys.stderr)
    renew(folder, console)
    print_scores(folder, [*numbers, ensemble.number], console, details=True)
    if options.choose:
        for fold, weights in ensemble.weights.items():
            listed = ", ".join(
                f"instance {key.instance}{f' repeat {key.repeat}' if key.repeat > 1 else ''} {weight:.2f}"
                for key, weight in weights
                if weight
            )
            console.print(f"fold {fold}: {listed}", soft_wrap=True)
    if folder.page.exists():
        renew_page(folder, console, data_folder=options.data_folder)
    console.print(
        Text(f"{folder.instance_folder(ensemble.number)}: {ensemble.name}. Next: xval compare {folder.path}"),
        soft_wrap=True,
    )
    return 0


def _load_backend(written: dict[str, object]) -> None:
    """Load Keras on the CPU, on the backend that trained the first member; losses are computed with it."""
    from preprocessing.parallel import count_cores
    from xval.backend.devices import Slot, bind, load_keras

    parameters = written.get("parameters")
    trained_on = parameters.get("backend", BACKENDS[0]) if isinstance(parameters, dict) else BACKENDS[0]
    bind(Slot("cpu", count_cores()), installed_or_default(str(trained_on)))
    load_keras()
