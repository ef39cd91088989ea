"""Write the page of an experiment, report.html: one file with the result, pictures, and the worst errors to listen to.

The page loads nothing from the network, so it can be sent by mail. It contains short clips of the dataset; --no-audio
excludes them. A run updates the page and completes it at its end. This command writes it again, with the leakage audit.

--latex and --markdown print the table for a paper instead: the main test scores with their confidence intervals, first the
nested estimate for choosing among all instances, and the comparison with a baseline. LaTeX needs the package booktabs.

exit code: 0 done
"""

import argparse
import sys
from collections.abc import Collection
from dataclasses import replace
from functools import partial
from pathlib import Path

from preprocessing.console import make_console
from xval.answers.estimates import over_items_of_seeds, with_bootstrap
from xval.answers.names import names_of
from xval.answers.nested_selection import choose_nested
from xval.answers.ranking import join_seeds, rank_instances
from xval.answers.read import read_instances
from xval.answers.summary import main_and_own
from xval.base.errors import ResultsError, SettingsError, UsageError
from xval.base.operating_system import quote
from xval.base.terminal import write_line
from xval.commands._own_modules import add_import
from xval.measures.metrics import metric_names
from xval.report.confusion_picture import check_picture, write_confusion
from xval.report.rebuild import rebuild_if_stale
from xval.report.request import PageRequest
from xval.report.score_columns import main_columns
from xval.report.terminal import print_scores
from xval.report.write import write_page
from xval.results.folder import ExperimentFolder
from xval.results.instance import JoinedSeeds
from xval.results.named import find_numbered, read_number

_WIDTH_OF_FILES = 160
SUMMARY = "write report.html: result, pictures, the worst errors to listen to; or the table for a paper"
GROUP = "Results"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "experiment", metavar="EXPERIMENT", help="results/<dataset>/experiment_<n>; EXPERIMENT:N is its instance N"
    )
    parser.add_argument(
        "instances",
        nargs="*",
        default=[],
        metavar="INSTANCES",
        help="numbers, such as 1,3 or 1-3: of the table for a paper (default: all that have a result), or one of --confusion",
    )
    parser.add_argument("--details", action="store_true", help="also print the table of all instances and every finding")
    parser.add_argument("--latex", action="store_true", help="print the table for a paper as LaTeX")
    parser.add_argument("--markdown", action="store_true", help="print the table for a paper as Markdown")
    parser.add_argument(
        "--confusion",
        type=Path,
        metavar="FILE",
        help="draw the confusion matrix of INSTANCE (default: the selected one) as .png, .svg or .pdf instead",
    )
    parser.add_argument(
        "--baseline",
        type=partial(read_number, "--baseline"),
        metavar="INSTANCE",
        help="baseline of the table (default: the one that validation selects)",
    )
    parser.add_argument(
        "--interval",
        choices=("t", "bootstrap", "bca"),
        default="t",
        help="interval of the table: t, or bootstrap over items (percentile, BCa); see docs/statistics.md (default: t)",
    )
    parser.add_argument(
        "--errors-of",
        type=partial(read_number, "--errors-of"),
        metavar="INSTANCE",
        help="the page shows the worst predictions of this instance (default: the selected one)",
    )
    parser.add_argument(
        "--data-folder", type=Path, metavar="DIR", help="folder of all datasets (default: that of the settings)"
    )
    parser.add_argument("--no-audio", action="store_true", help="exclude the clips to listen to")
    parser.add_argument(
        "--explain",
        choices=("integrated_gradients", "occlusion", "none"),
        help="add explanations of the worst predictions; none: remove them",
    )
    parser.add_argument("--no-audit", action="store_true", help="skip the leakage audit")
    add_import(parser)


def run(options: argparse.Namespace) -> int:
    """Write the page, or print the table."""
    if options.confusion:
        check_picture(options.confusion)
    is_table = options.latex or options.markdown
    folder, numbers = find_numbered([options.experiment, *options.instances])
    options.instances = list(dict.fromkeys(numbers))
    if options.confusion and not is_table and len(options.instances) > 1:
        raise SettingsError(
            f"--confusion: received {len(options.instances)} instances; expected one, or none for the selected."
        )
    if (options.baseline or options.interval != "t" or (options.instances and not options.confusion)) and not is_table:
        named = f" {','.join(map(str, options.instances))}" if options.instances else ""
        raise SettingsError(
            "instances, --baseline and --interval apply to the table for a paper; the page has all instances. Add --latex or "
            f"--markdown: xval report {quote(str(folder.path))}{named} --latex"
        )
    for line in rebuild_if_stale(folder):
        write_line(f"skipped: {line}", sys.stderr)
    if is_table:
        _print_table(folder, options)
    if options.confusion:
        _draw_confusion(folder, options)
    if is_table or options.confusion:
        return 0
    request = PageRequest(
        options.errors_of,
        options.data_folder,
        with_audio=not options.no_audio,
        with_audit=not options.no_audit,
        explain=options.explain,
    )
    path = write_page(folder, request)
    if options.details:
        print_scores(folder, folder.instances(), make_console(least_width=_WIDTH_OF_FILES), details=True)
    make_console().print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")
    return 0


def _draw_confusion(folder: ExperimentFolder, options: argparse.Namespace) -> None:
    instances = read_instances(folder, folder.instances())
    finished = {instance.number: instance for instance in instances if instance.folds}
    selected = rank_instances(list(finished.values())).selected
    number = next(iter(options.instances), selected or next(iter(finished), None))
    if number not in finished:
        raise _of_unfinished(folder, finished, [] if number is None else [number])
    name = names_of(instances)[number]
    write_confusion(options.confusion, finished[number], name)
    write_line(f"{options.confusion}: {name} (instance {number})", sys.stdout)


def _of_unfinished(folder: ExperimentFolder, done: Collection[int], asked: Collection[int]) -> ResultsError:
    """Return the error of instances that were asked for and have no finished fold."""
    if not done:
        return ResultsError(f"{folder.path}: no fold is finished yet. Run the experiment first.")
    listed = ", ".join(map(str, done))
    return ResultsError(f"{folder.path}: instances with finished folds are {listed}; received {', '.join(map(str, asked))}.")


def _print_table(folder: ExperimentFolder, options: argparse.Namespace) -> None:
    from xval.answers.comparison.choose import compare_with
    from xval.report.paper_table import make_table, to_latex, to_markdown

    instances = read_instances(folder, folder.instances())
    done = [instance.number for instance in instances if instance.folds]
    wanted = options.instances or done
    asked = [*wanted, *([] if options.baseline is None else [options.baseline])]
    if not done or set(asked) - set(done):
        raise _of_unfinished(folder, done, asked)
    chosen = [instance for instance in instances if instance.number in asked]
    baseline = options.baseline or rank_instances(chosen).selected
    task, comparisons = chosen[0].task, {}
    joined = chosen if options.instances else join_seeds(chosen, [baseline or 0])[0]
    rows = [
        replace(instance, over_items=over_items_of_seeds(instance)) if isinstance(instance, JoinedSeeds) else instance
        for instance in joined
    ]
    if baseline is not None and len(joined) > 1:
        first = next(instance for instance in joined if instance.number == baseline)
        for column in main_columns(rows, main_and_own(rows)):
            try:
                comparisons[column.name] = compare_with(first, joined, metric=column.name)
            except UsageError:
                if column.name in task.main_metrics:
                    raise
    finished = [instance for instance in instances if instance.folds]
    nested = choose_nested(finished, rank_instances(finished))
    if options.interval != "t":
        compared = [name for name in main_and_own(rows) if name in metric_names(task.name) and name not in task.loss_metrics]
        rows = [with_bootstrap(instance, options.interval, compared) for instance in rows]
        nested = nested and with_bootstrap(nested, options.interval, compared)
    table = make_table(rows, comparisons, nested)
    if options.latex:
        sys.stdout.write(to_latex(table, label=f"tab:{folder.path.parent.name}-{folder.path.name}"))
    if options.markdown:
        sys.stdout.write(to_markdown(table))
