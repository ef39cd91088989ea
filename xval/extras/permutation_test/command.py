"""Test whether one instance is above chance: its estimator is trained again with permuted labels (permutation test).

Folds, settings and seeds stay the same. Labels are permuted within each speaker; where each speaker has one class, speakers
exchange labels and places in the folds. The p value is (1 + permutations that are as good) / (1 + permutations), and the
instance is above chance if it is at most 0.025 (one-sided). The instance is an estimator of scikit-learn, because a network
would take days.

exit code: 0 done; 2 if the instance cannot be tested
"""

import argparse

from preprocessing.console import make_console
from preprocessing.options.argument_parser import whole_number
from xval.commands._model_arguments import add_model_name
from xval.commands._own_modules import add_import
from xval.results.named import find_named

SUMMARY = "permutation test: is one instance above chance? Trains its estimator again with permuted labels"
NAME = "permutation-test"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_model_name(parser, "default: the one that validation selects")
    parser.add_argument(
        "--permutations", type=lambda text: whole_number("--permutations", text, smallest=1), default=199, metavar="N",
        help="how often to permute the labels and train, 39 or more (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--yes", action="store_true", help="run it even if it takes more than an hour")
    add_import(parser)


def run(options: argparse.Namespace) -> int:
    """Print the test, and write the values into the folder of the instance."""
    from xval.answers.read import choose_instance, read_finished
    from xval.answers.repeats import first_of_method, parameters_of
    from xval.extras.permutation_test.permuted_labels import describe_test, permute_labels

    experiment, number = find_named(options.experiment)
    instance = choose_instance(experiment, number)
    console = make_console()
    if number is None:
        console.print(f"Instance {instance.number} is tested, which validation selects.", markup=False)
    test = permute_labels(instance, options.permutations, console, is_agreed=options.yes)
    methods = first_of_method(parameters_of(read_finished(experiment, over_items=False)))
    for line in describe_test(test, instance, len({*methods.values()})):
        console.print(line, soft_wrap=True, markup=False)
    return 0
