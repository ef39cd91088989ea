"""The sheet *ranking*: a chart of all instances, best first by the validation score, with intervals of the test score.

The chart has points, error bars and chance. If there are too many instances, only the best are in it.
"""

from xlsxwriter.chart_line import ChartLine
from xlsxwriter.utility import xl_range_abs

from xval.answers.ranking import describe_common_means
from xval.answers.score_text import estimate
from xval.answers.summary import direction, score_name, test_side
from xval.base.errors import shortened
from xval.report.workbook import cells
from xval.report.workbook.charts import make_chart, round_limits
from xval.report.workbook.contents import Contents
from xval.report.workbook.sheet import Sheet

POSITION = 2

MOST_CHARTED = 40  # instances
_LONGEST_NAME = 26
_CHART_HEIGHT_CM, _LEAST_WIDTH_CM, _WIDTH_PER_INSTANCE_CM = 14.0, 18.0, 0.85
_CHART_ROW, _HEADER_ROW = 5, 34
_RANKED_BY, _FIGURE, _CHANCE, _LABEL, _BELOW, _ABOVE = 4, 5, 8, 10, 11, 12  # columns
_POINT_COLOUR, _CHANCE_COLOUR = "1F4E79", "C00000"


def fill(sheet: Sheet, contents: Contents) -> None:
    """Write a row per instance, those without a rank last, and chart the first of them."""
    instances, ranking = contents.instances, contents.ranking
    by_number = {instance.number: instance for instance in instances}
    numbers = [*ranking.instances, *(number for number in by_number if number not in ranking.instances)]
    side, metric = test_side(instances), instances[0].task.main_metrics[0]
    score = score_name(side, metric, instances)
    ranked_by = score_name(ranking.side, ranking.metric, instances)
    n_inserted = int(bool(ranking.seeds))  # columns before those of the score
    header = (
        "rank", "instance", "name", ranked_by, *["seeds"] * n_inserted, score, "95 % low", "95 % high", "chance", "value is",
        "label", "below", "above",
    )  # fmt: skip
    number_format = cells.metric_format(direction(instances, metric))
    scores = range(_FIGURE + n_inserted, _CHANCE + n_inserted + 1)
    formats = dict.fromkeys((*scores, _BELOW + n_inserted, _ABOVE + n_inserted), number_format)
    formats[_RANKED_BY] = cells.metric_format(direction(instances, ranking.metric))
    for place, number in enumerate(numbers, start=1):
        instance, row = by_number[number], _HEADER_ROW + place
        name = contents.names[number]
        label = cells.plain_text(f"{number}  {name}")
        identity = (ranking.ranks.get(number), number, name)
        value, low, high, of, chance, _ = estimate(instance, side, metric)
        values = (
            *identity, ranking.value_of(instance), *[ranking.seeds.get(number)] * n_inserted, value, low, high, chance,
            of, shortened(label, _LONGEST_NAME),
            None if value is None or low is None else value - low, None if value is None or high is None else high - value,
        )  # fmt: skip
        for column, cell in enumerate(values, start=1):
            sheet.put(row, column, cell, formats.get(column, ""), *([cells.INDENTED] if isinstance(cell, str) else []))
        sheet.link(row, 2, f"instance_{number}")
    last_row = _HEADER_ROW + len(numbers)
    for column, text in enumerate(header, start=1):
        sheet.put(_HEADER_ROW, column, text, "", cells.HEADER)
        texts = sheet.values(range(_HEADER_ROW + 1, last_row + 1), column)
        is_text = text in ("name", "seeds", "value is", "label")
        width = cells.text_width(texts, lowest=18, highest=64) if is_text else cells.header_width(text, lowest=11)
        sheet.set_width(column, width)
    n_charted = min(len(numbers), MOST_CHARTED)
    notes = (
        f"Best first by the mean {ranked_by}{ranking.because}. Points: {score}; bars: its 95 % interval; line: chance.",
        " ".join(
            [
                "Test scores are not used for ranking.",
                "Overlapping bars do not show that instances are equal: xval compare tests that.",
                *describe_common_means(instances, ranking, rows_have_means=True),
            ]
        ),
        *([f"The chart shows the {n_charted} best of {len(numbers)} instances."] if n_charted < len(numbers) else []),
    )
    sheet.put_notes(1, notes)
    sheet.made.set_row(_HEADER_ROW - 1, 48)
    sheet.add_filter(_HEADER_ROW, last_row, len(header))
    sheet.set_up_page()
    rows = range(_HEADER_ROW + 1, _HEADER_ROW + 1 + n_charted)
    shown = [sheet.value(row, column) for row in rows for column in scores]
    numbers_shown = [float(value) for value in shown if isinstance(value, int | float)]
    if numbers_shown:
        # Programs choose an axis only for the points, which cuts error bars off.
        limits = round_limits(min(0.0, *numbers_shown), max(0.0, *numbers_shown))
        sheet.made.insert_chart(_CHART_ROW - 1, 0, _make_chart(sheet, rows, score, limits, n_inserted))


def _make_chart(sheet: Sheet, rows: range, name: str, limits: tuple[float, float, float], n_inserted: int) -> ChartLine:
    """Return points with error bars, and a line at chance."""

    def reference(number: int) -> str:
        number += n_inserted
        return f"={sheet.name}!{xl_range_abs(rows[0] - 1, number - 1, rows[-1] - 1, number - 1)}"

    width = max(_LEAST_WIDTH_CM, 4 + _WIDTH_PER_INSTANCE_CM * len(rows))
    chart = make_chart(
        sheet, f"{name}, best validation score first", points=12, size_cm=(width, _CHART_HEIGHT_CM), below="", y_title=name,
        limits=limits, num_font={"rotation": -90}, label_position="low",
    )  # fmt: skip
    bars = {
        "type": "custom", "plus_values": reference(_ABOVE), "minus_values": reference(_BELOW),
        "line": {"color": _POINT_COLOUR, "width": 1.5},
    }  # fmt: skip
    points = {"type": "circle", "size": 8, "fill": {"color": _POINT_COLOUR}}
    point_series = {"name": name, "values": reference(_FIGURE), "line": {"none": True}, "marker": points, "y_error_bars": bars}
    line = {"color": _CHANCE_COLOUR, "width": 1.5, "dash_type": "dash"}
    chance_series = {"name": "chance", "values": reference(_CHANCE), "line": line, "marker": {"type": "none"}}
    for series in (point_series, chance_series):
        chart.add_series({**series, "categories": reference(_LABEL)})
    return chart
