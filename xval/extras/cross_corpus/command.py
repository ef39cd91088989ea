"""Train on one dataset and test on another, for all pairs: how well models generalise to other datasets.

Each CORPUS is the name of a prepared dataset with speakers and labels. All of them use the same network or estimator (--set).
It is cross-validated within each dataset, which gives the diagonal of the table. Then it is trained on the whole dataset and
tested on each other dataset, as xval evaluate does. In brackets is the 95 % confidence interval over the tested speakers.

Labels are matched by name. Clips with a label that some dataset lacks are excluded, and their number is printed. Features of
the tested clips are computed with the settings of the model. The experiments are stored in results/cross/CORPUS. After an
interruption the same command continues.
"""

import argparse

from preprocessing.console import GOES_ON, make_console
from preprocessing.options.argument_parser import add_data_folder_argument
from xval.answers.score_text import rounded
from xval.base.errors import SettingsError, plural_of
from xval.commands._output import add_output, output_of

SUMMARY = "train on one dataset and test on another, for all pairs"
NAME = "cross-corpus"
RUNS_OWN_CODE = True

_FOLDER = "results/cross"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("datasets", nargs="+", metavar="CORPUS", help="two or more prepared datasets, by name")
    parser.add_argument(
        "--set", action="append", default=[], dest="settings", metavar="KEY=VALUE",
        help="a setting of the model, such as architecture=svm; repeatable",
    )  # fmt: skip
    add_data_folder_argument(parser)
    add_output(parser, "a row per pair")


def run(options: argparse.Namespace) -> int:
    """Train and test all pairs of datasets, and write or print the table of scores."""
    from xval.extras.cross_corpus.cross import as_matrix, cross
    from xval.report.text_tables import print_table, write_table

    output = output_of(options)
    parameters: dict[str, object] = {"experiment_folder": _FOLDER, "data_folder": str(options.data_folder)}
    for text in options.settings:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise SettingsError(f"--set: received '{text}'; expected KEY=VALUE, such as --set architecture=svm.")
        parameters[name.strip()] = value.strip()
    console = make_console(is_error=output.is_printed)
    try:
        table = cross(options.datasets, parameters, console, quiet=output.is_printed)
    except KeyboardInterrupt as stopped:
        raise KeyboardInterrupt(GOES_ON) from stopped
    write_table(table, output, console)
    if not output.is_printed:
        console.print(
            f"{table['metric'][0]} [95 % interval over the {plural_of(table.attrs['item_word'])} of the tested dataset]; "
            "diagonal: cross-validation.",
            markup=False,
        )
        print_table(as_matrix(table), console, nothing="no corpus")
        console.print(f"chance {rounded(table['chance'].min())[0]}")
    return 0
