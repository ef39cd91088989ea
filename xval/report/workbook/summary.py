"""The sheet *summary*: the result, the evidence and what to do next in three lines, and a row per instance with main metrics.

The table is as wide as a printed page, with the best values marked and a legend.
"""

from xval.answers.comparison.choose import compare_with
from xval.answers.headline import find_headline
from xval.answers.pretrained import ORIGIN, clauses
from xval.answers.ranking import (
    Best,
    describe_caution,
    describe_common_means,
    find_best,
    join_seeds,
    ranked_together,
)
from xval.answers.repeats import parameters_of, seed_replicates
from xval.answers.score_text import decimals, estimate, format_folds, format_time, rounded
from xval.answers.summary import direction, main_and_own, score_name
from xval.answers.variants import Variants
from xval.base.errors import ResultsError, SettingsError
from xval.report.score_columns import main_columns
from xval.report.workbook import cells
from xval.report.workbook.contents import Contents
from xval.report.workbook.sheet import Sheet

POSITION = 1

HEADER_ROW = 5  # below the three lines of the headline and an empty row
_WIDEST_NAME = 34
_MOST_ON_A_PAGE = 30  # instances
_MOST_COMPARED = 40  # instances; of more only the best is marked


def fill(sheet: Sheet, contents: Contents) -> None:
    """Write the three lines, the table, and the legend."""
    instances, ranking = contents.instances, contents.ranking
    columns = main_columns(instances, main_and_own(instances))
    replicates = ranked_together(instances)
    origins = clauses(instances)
    ranked_by = score_name(ranking.side, ranking.metric, instances)
    header = ["name", "instance", *(part for column in columns for part in (column.title, "95 %")), ranked_by, "folds", "time"]
    header += [ORIGIN] if origins else []
    first_row, last_row = HEADER_ROW + 1, HEADER_ROW + len(instances)
    for row, instance in enumerate(instances, start=first_row):
        number = instance.number
        sheet.put(row, 1, contents.names[number], "", cells.LEFT)
        sheet.put(row, 2, number)
        sheet.link(row, 2, f"instance_{number}")
        for place, column in enumerate(columns):
            test = estimate(instance, column.side, column.name)
            sheet.put(row, 3 + 2 * place, test.value, cells.metric_format(direction(instances, column.name)))
            interval = "" if test.low is None or test.high is None else "[{}, {}]".format(*rounded(test.low, test.high))
            sheet.put(row, 4 + 2 * place, interval, "", cells.INDENTED)
        validation = instance.over_folds(ranking.side, ranking.metric)["mean"]
        last = 3 + 2 * len(columns)
        sheet.put(row, last, validation, cells.metric_format(direction(instances, ranking.metric)))
        sheet.put(row, last + 1, format_folds(instance), "", cells.INDENTED)
        sheet.put(row, last + 2, format_time(instance.seconds), "", cells.RIGHT)
        if origins:
            sheet.put(row, last + 3, origins.get(number, "nothing known"), "", cells.LEFT)
        if number == ranking.selected:
            for column_number in range(1, len(header) + 1):
                sheet.style(row, column_number, cells.SELECTED_FILL)
    for place, column in enumerate(columns):
        best = find_best(instances, column.side, column.name, replicates)
        ties = _not_told_from(contents, best, column.name)
        for row, instance in enumerate(instances, start=first_row):
            if instance.number in best.mean | ties:
                sheet.style(row, 3 + 2 * place, cells.GREEN_FILL, *((cells.GREEN_FONT,) * (instance.number in best.mean)))
    widths = []
    for column_number, name in enumerate(header, start=1):
        sheet.put(HEADER_ROW, column_number, name, "", cells.HEADER)
        texts = sheet.values(range(first_row, last_row + 1), column_number)
        wide = cells.text_width([text for text in texts if isinstance(text, str)], lowest=8, highest=_WIDEST_NAME)
        widths.append(max(wide, cells.header_width(name, lowest=8)))
        sheet.set_width(column_number, widths[-1])
    sheet.fit_height(HEADER_ROW)
    _put_lines(sheet, 1, [f"{label}: {line}" for label, line in find_headline(instances).labelled], widths, bold_first=True)
    clause = Variants(instances).interval_words
    chances = {
        f"{column.title} {decimals(chance)}"
        for column in columns
        for instance in instances
        if (chance := estimate(instance, column.side, column.name).chance) is not None
    }
    seeds = describe_common_means(instances, ranking)
    best_by = "bold; seeds of one method: by their mean" if seeds else "bold"
    legend = [
        f"Yellow: the instance selected by validation. Green: the best of a column ({best_by}) and those that may be as good.",
        " ".join(
            [
                *([f"95 %: confidence interval {clause}."] if clause else []),
                *(column.same for column in columns if column.same),
                *describe_caution(instances, ranking),
                *seeds,
                f"Chance: {', '.join(sorted(chances)) or 'not known'}.",
            ]
        ),
        "Further sheets: metrics (all metrics of all sides), settings (all parameters), findings.",
    ]
    _put_lines(sheet, last_row + 2, legend, widths)
    sheet.made.freeze_panes(HEADER_ROW, 1)
    sheet.add_filter(HEADER_ROW, last_row, len(header))
    sheet.set_up_page(header_rows=HEADER_ROW)
    if len(instances) <= _MOST_ON_A_PAGE:
        sheet.made.fit_to_pages(1, 1)


def _not_told_from(contents: Contents, best: Best, metric: str) -> frozenset[int]:
    """Return the instances that do not differ significantly from the best of a column, as the second line has it."""
    done = [instance for instance in contents.instances if instance.done]
    if not best.mean or len(done) > _MOST_COMPARED:
        return frozenset()
    n_folds = next(len(instance.folds) for instance in done if instance.number in best.mean)
    done = [instance for instance in done if len(instance.folds) == n_folds]
    seeds = {number: group for group in seed_replicates(parameters_of(done)) for number in group}
    joined, _ = join_seeds(done)
    first = next(instance for instance in joined if instance.number in best.mean)
    try:
        pairs = compare_with(first, [other for other in joined if other.number not in best.mean], metric=metric).pairs
    except (ResultsError, SettingsError):
        return frozenset()
    ties = [int(pair.instance) for pair in pairs if pair.verdict != "worse"]
    return frozenset(number for tie in ties for number in seeds.get(tie, (tie,)))


def _put_lines(sheet: Sheet, first_row: int, lines: list[str], widths: list[float], *, bold_first: bool = False) -> None:
    """Write lines over the width of the table, in rows as high as they need."""
    for row, line in enumerate(lines, start=first_row):
        sheet.put(row, 1, line, "", cells.WRAPPED, *((cells.BOLD,) * (bold_first and row == first_row)))
        sheet.merge(range(row, row + 1), range(1, len(widths) + 1))
        sheet.fit_height(row, sum(widths))
