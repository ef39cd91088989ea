"""Show test scores by subgroup, such as gender, age or recorder, and the largest gap between groups (fairness).

Groups come from the additional columns of the dataset, that is, of the table that xval prepare read. The columns are read
when this command runs, so you can prepare the dataset again with another column after the training.

  METRIC          score of the test clips of the group, averaged over repeats: the mean over the items
                  of the group if the metric is a mean over clips, otherwise the score of all its clips together
  95 %            confidence interval over the items of the group
  gap             the largest difference between two groups with 3 items or more, computed from the classes that have 3
                  items or more in both, so that a different mix of classes causes no gap; its interval is paired within items
                  that have clips in both groups, and is adjusted for all pairs of groups (Bonferroni) and all columns (Holm)
  in the gap      the scores of these two groups on these classes, where they differ from the scores of all their clips

Numbers, such as age, are cut into bins at their quantiles.

exit code: 0 done; 2 if there are no groups or no predictions
"""

import argparse
from pathlib import Path

from preprocessing.console import make_console
from xval.base.errors import plural_of
from xval.commands._model_arguments import add_model_name
from xval.commands._output import add_output, output_of
from xval.commands._own_modules import add_import
from xval.results.named import find_named

SUMMARY = "test scores by subgroup (gender, age, recorder ...), with intervals and the largest gap"
NAME = "groups"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `xval groups` to a parser."""
    add_model_name(parser, "default: the one that validation selects")
    parser.add_argument(
        "--by", action="append", metavar="COLUMN", help="a column; repeatable (default: all with 2 to 20 groups)"
    )
    parser.add_argument("--metric", metavar="NAME", help="a test metric (default: the main one of the task)")
    add_output(parser, "all numbers")
    parser.add_argument("--data-folder", type=Path, metavar="FOLDER", help="folder of all datasets (default: that of the run)")
    add_import(parser)


def run(options: argparse.Namespace) -> int:
    """Print the scores of the groups of each column with the largest gap, and write them to a file if --output names one."""
    from rich.text import Text

    from xval.answers.summary import metric_words
    from xval.extras.subgroups.groups import IN_GAP, describe_gap, groups_table, read_groups
    from xval.report.text_tables import print_table, write_table

    output, (experiment, number) = output_of(options), find_named(options.experiment)
    groupings = read_groups(experiment, number, options.by, metric=options.metric, data_folder=options.data_folder)
    console = make_console()
    if output.is_printed:
        write_table(groups_table(groupings), output, console)
        return 0
    for grouping in groupings:
        table = groups_table([grouping])
        is_gap = table["group"].str.startswith("gap: ") & table["items"].isna()
        names = ["group", "value", "low", "high", *[IN_GAP] * grouping.gap_differs, "items", "clips"]
        shown = table.loc[~is_gap, names].rename(
            columns={
                "group": grouping.column,
                "value": metric_words(grouping.metric),
                "low": "low 95 %",
                "high": "high 95 %",
                "items": plural_of(grouping.item),
            }
        )
        score = f"{metric_words(grouping.metric)} ({grouping.estimator})"
        console.print(Text(f"Instance {grouping.instance}, test {score} by {grouping.column}"))
        print_table(shown, console, "no test clip has a value")
        for line in filter(None, (describe_gap(grouping), *grouping.notes)):
            console.print(Text(line), soft_wrap=True)
        console.print()
    write_table(groups_table(groupings), output, console)
    return 0
