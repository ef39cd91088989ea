"""The sheet *ranking*: one chart of all instances."""

from dataclasses import replace

import pytest

from xval.report.workbook import ranking


@pytest.fixture
def instances(make_instance):
    """Return instances whose validation order is 3, 1, 2; the first has an interval."""
    made = [make_instance(number, [{"balanced_accuracy": value, "accuracy": value}] * 2, comment_1=f"c{number}")
            for number, value in ((1, 0.5), (2, 0.4), (3, 0.7))]  # fmt: skip
    score = {
        "items": 0.51,
        "pooled": 0.5,
        "of": "items",
        "low": 0.41,
        "high": 0.91,
        "method": "t",
        "covers": "models",
        "chance": 0.25,
        "strategy": "x",
    }
    over_items = {
        "version": 1, "n_items": 2, "folds_lacking_classes": [], "missing": "",
        "figures": {"test": {"balanced_accuracy": score}},
    }  # fmt: skip
    return [replace(made[0], over_items=over_items), *made[1:]]


def test_rows_are_sorted_by_validation_with_the_interval_of_the_figure_that_is_shown(workbook_of, instances):
    sheet = workbook_of(instances)["ranking"]
    header, *rows = sheet.iter_rows(min_row=34, values_only=True)
    assert header[:5] == ("rank", "instance", "name", "validation accuracy", "test balanced accuracy (UAR)")
    assert [(row[0], row[1], row[3]) for row in rows] == [(1, 3, pytest.approx(0.8)), (2, 1, 0.6), (3, 2, 0.5)]
    assert dict(zip(header, rows[1], strict=True)) | {"below": None, "above": None} == {
        "rank": 2, "instance": 1, "name": "c1", "validation accuracy": 0.6, "test balanced accuracy (UAR)": 0.51,
        "95 % low": 0.41, "95 % high": 0.91, "chance": 0.25, "value is": "mean over items", "label": "1  c1",
        "below": None, "above": None,
    }  # fmt: skip
    assert rows[1][10:] == pytest.approx((0.1, 0.4))
    assert (rows[0][4], *rows[0][5:7], rows[0][8]) == (0.7, None, None, "mean over folds")


def test_the_chart_has_points_with_error_bars_and_a_line_at_chance(workbook_of, instances):
    (chart,) = workbook_of(instances)["ranking"]._charts
    points, chance = chart.series
    assert points.graphicalProperties.line.noFill
    assert points.val.numRef.f == "ranking!$E$35:$E$37"
    assert (points.errBars.errBarType, points.errBars.errValType, points.errBars.errDir) == ("both", "cust", "y")
    assert (points.errBars.minus.numRef.f, points.errBars.plus.numRef.f) == ("ranking!$K$35:$K$37", "ranking!$L$35:$L$37")
    assert (chance.val.numRef.f, chance.errBars) == ("ranking!$H$35:$H$37", None)
    assert points.cat.strRef.f == "ranking!$J$35:$J$37"
    axis = chart.y_axis
    assert (axis.scaling.min, axis.scaling.max, axis.majorUnit) == pytest.approx((0, 1, 0.2)), "the upper end of 0.91 is inside"


def test_of_too_many_instances_the_best_are_charted_and_all_are_listed(workbook_of, instances, monkeypatch):
    monkeypatch.setattr(ranking, "MOST_CHARTED", 2)
    sheet = workbook_of(instances)["ranking"]
    assert sheet._charts[0].series[0].val.numRef.f == "ranking!$E$35:$E$36"
    assert sheet["A3"].value == "The chart shows the 2 best of 3 instances."
    assert [sheet.cell(row, 2).value for row in (35, 36, 37)] == [3, 1, 2]


def test_without_figures_there_is_no_chart(workbook_of, make_instance, make_failure):
    assert not workbook_of([make_instance(1, [make_failure(1)])])["ranking"]._charts
