"""Train one final model of an instance on all items, for the number of epochs that cross-validation chose.

The number of epochs is the median of the best epochs of the folds, rounded to a whole number (a half is rounded up). There
are no validation items, so early stopping is off and the weights of the last epoch are kept. Each epoch has the learning rate
that it had in the folds. All parameters are those of instance_<i>/settings.json. The code is copied as in a run.

The model is stored in instance_<i>/refit/ and marked as untested, because no speakers are left to test it on. Its record has
the test scores of the folds, which are the estimate for this model.
"""

import argparse
from pathlib import Path

from preprocessing.console import GOES_ON, make_console
from xval.backend.devices import read_device
from xval.base.errors import SettingsError
from xval.commands._model_arguments import add_model_name
from xval.experiment.refit import RefitRequest, refit_instance
from xval.results.named import find_named

SUMMARY = "train a final model on all items, for the number of epochs that the folds chose"
GROUP = "Run"
RUNS_OWN_CODE = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_model_name(parser, "default: the one that validation selects")
    parser.add_argument(
        "--epochs", type=_above_zero, metavar="N", help="train this many epochs instead of the median of the folds"
    )
    parser.add_argument("--gpu", type=read_device, metavar="ID", help="0, 1, ..., or cpu (default: that of the experiment)")
    parser.add_argument(
        "--data-folder", type=Path, metavar="DIR", help="folder of all datasets (default: that of the experiment)"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an existing final model")


def run(options: argparse.Namespace) -> int:
    """Train the model, and print what is known about it."""
    folder, number = find_named(options.experiment)
    request = RefitRequest(
        instance=number,
        epochs=options.epochs,
        gpu=options.gpu,
        data_folder=options.data_folder,
        overwrite=options.overwrite,
    )
    try:
        refit_instance(folder, request, make_console())
    except KeyboardInterrupt as stopped:
        raise KeyboardInterrupt(GOES_ON) from stopped
    return 0


def _above_zero(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or int(text) < 1:
        raise SettingsError(f"received '{text}'; expected a whole number from 1.")
    return int(text)
