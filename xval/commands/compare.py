"""Compare instances of finished experiments: which is better, whether this is significant, which differences are detectable.

An INSTANCE is a number of this experiment, or several (1,3 or 1-3), nested (each fold chooses by its own validation items),
selected, the path of another experiment for all of its instances, or results/<dataset>/experiment_<n>:NUMBER for one of them.
Without INSTANCE all instances of the experiment are compared. Each is compared with the baseline over the items that both have
tested.

  difference      test score of the instance minus that of the baseline, with its 95 % confidence interval
  p Holm          p value of a paired t test over items, adjusted for all comparisons with the baseline; report this one
                  for variants that were fixed before. A line below the table names the p values of the choice
  verdict         better or worse (p Holm at most 0.05); practically equal (the difference is shown to be within ±rope); or
                  undecided (none of these is shown)

With one training per fold, a verdict holds only for these trained models. With several repeats or seeds it holds for the
method. The tests treat items as units, never clips, because clips of one item are not independent. Records that fail xval
audit are named next to the scores.

exit code: 0 done; 2 if the instances cannot be compared
"""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from preprocessing.console import make_console
from preprocessing.options.argument_parser import number_reader
from xval.base.errors import first_of
from xval.commands._output import add_output, output_of
from xval.commands._own_modules import add_import
from xval.results.folder import find_experiment

if TYPE_CHECKING:
    from xval.answers.comparison.outcome import Comparison

SUMMARY = "compare instances with a baseline: significance tests, a paragraph to publish"
GROUP = "Compare"

_WIDTH_OF_FILES = 200
_MOST_DOUBTS = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "folder",
        type=Path,
        metavar="EXPERIMENT",
        help="results/<dataset>/experiment_<n>; EXPERIMENT:N is its instance N",
    )
    parser.add_argument(
        "instances",
        nargs="*",
        default=[],
        metavar="INSTANCE",
        help="numbers, such as 3, 1,3 or 1-3, nested, selected, PATH:NUMBER of another experiment, or its path for all of its "
        "instances",
    )
    parser.add_argument("--baseline", metavar="INSTANCE", help="default: the one that validation selects")
    parser.add_argument("--metric", metavar="NAME", help="a test metric (default: the main one of the task)")
    parser.add_argument(
        "--rope", type=number_reader("--rope"), default=0.01, metavar="X",
        help="differences up to X, in the unit of the metric, count as practically equal (default: %(default)s)",
    )  # fmt: skip
    add_output(parser, "all numbers, including those of each fold and item")
    add_import(parser)


def run(options: argparse.Namespace) -> int:
    """Print the comparison, and write the numbers."""
    from rich.text import Text

    from xval.answers.comparison import text
    from xval.answers.comparison.choose import compare_instances, find_home
    from xval.answers.headline import describe_evidence
    from xval.answers.read import read_instances
    from xval.report.terminal import make_table
    from xval.report.text_tables import write_table

    output = output_of(options)
    comparison = compare_instances(
        options.folder, options.instances, baseline=options.baseline, metric=options.metric, rope=options.rope,
    )  # fmt: skip
    home = find_home(options.folder)[0]
    done = [instance for instance in read_instances(home, home.instances()) if instance.folds]
    evidence = describe_evidence(comparison, done) if done else ""
    comparison = replace(comparison, notes=(*_doubts(home.path, comparison), *comparison.notes), evidence=evidence)
    console = make_console(least_width=_WIDTH_OF_FILES)
    if output.is_printed:
        write_table(comparison.table, output, console)
        return 0
    console.print(Text(text.describe_baseline(comparison)))
    for line in text.describe_claims(comparison):
        console.print(Text(line))
    console.print(make_table(text.HEADER, text.table_rows(comparison)))
    for line in [text.describe_columns(comparison), *text.describe_limits(comparison), *text.describe_plans(comparison)]:
        console.print(Text(line))
    console.print(Text(f"\n{text.describe_to_publish(comparison)}"))
    write_table(comparison.table, output, console)
    return 0


def _doubts(home: Path, comparison: "Comparison") -> Iterator[str]:
    """Yield a sentence for each experiment with compared records that fail the audit."""
    from xval.answers.audit import faults_of_records  # here, because it loads what reads stores and models

    numbers: dict[Path, set[int]] = {}
    for name in (comparison.baseline, *(pair.instance for pair in comparison.pairs)):
        path, _, number = name.rpartition(":")
        numbers.setdefault(Path(path) if path else home, set()).update([int(number)] if number.isdecimal() else [])
    for folder, folder_numbers in numbers.items():
        experiment = find_experiment(folder)
        if faults := faults_of_records(experiment, folder_numbers):
            yield (
                f"Do not rely on these values: xval audit {experiment.path} fails what they are of "
                f"({first_of(faults, _MOST_DOUBTS)})."
            )
