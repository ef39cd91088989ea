"""The sheet *curves*: charts that show curves, and the numbers behind them."""

import pytest

from xval.report.workbook import curves as curves_sheet


def history(losses):
    epochs = range(1, len(losses) + 1)
    accuracies = [0.1 * epoch for epoch in epochs]
    return {
        "epoch": list(epochs), "loss": losses, "val_loss": [2 * loss for loss in losses],
        "accuracy": accuracies, "val_accuracy": [accuracy / 2 for accuracy in accuracies],
        "learning_rate": [0.001] * len(losses),
    }  # fmt: skip


def texts(title):
    return "".join(run.t for paragraph in title.tx.rich.p for run in paragraph.r)


def test_the_numbers_are_means_over_the_folds_that_got_so_far(workbook_of, make_instance):
    sheet = workbook_of([make_instance(1, [0.5, 0.6])], {(1, 1): history([3.0, 2.0]), (1, 2): history([1.0])})["curves"]
    rows = [[sheet.cell(row, column).value for column in range(20, 26)] for row in (3, 4, 5)]
    assert rows == [
        ["epoch", "folds", "training loss", "validation loss", "training accuracy", "validation accuracy"],
        [1, 2, 2.0, 4.0, pytest.approx(0.1), pytest.approx(0.05)],
        [2, 1, 2.0, 4.0, pytest.approx(0.2), pytest.approx(0.1)],
    ]


def test_an_instance_has_a_chart_of_the_loss_and_one_of_the_metric(workbook_of, make_instance):
    sheet = workbook_of([make_instance(3, [0.5], comment_1="reg")], {(3, 1): history([3.0, 2.0, 1.0])})["curves"]
    assert [texts(chart.title) for chart in sheet._charts] == ["reg (instance 3): loss", "reg (instance 3): accuracy"]
    for chart, columns, name in zip(sheet._charts, (("V", "W"), ("X", "Y")), ("loss", "accuracy"), strict=True):
        assert [series.val.numRef.f for series in chart.series] == [f"curves!${letter}$4:${letter}$6" for letter in columns]
        assert [series.tx.strRef.f for series in chart.series] == [f"curves!${letter}$3" for letter in columns]
        assert {series.cat.numRef.f for series in chart.series} == {"curves!$T$4:$T$6"}
        assert not any(series.smooth for series in chart.series)
        assert (texts(chart.x_axis.title), texts(chart.y_axis.title)) == ("epoch", name)
        assert not chart.x_axis.delete
        assert not chart.y_axis.delete


def test_a_regression_shows_the_mean_absolute_error(workbook_of, make_instance):
    curves = {"epoch": [1, 2], "loss": [2.0, 1.0], "val_loss": [2.0, 1.5], "mae": [0.5, 0.25], "val_mae": [0.75, 0.5]}
    sheet = workbook_of([make_instance(1, [{"rmse": 0.5}], task_type="regression")], {(1, 1): curves})["curves"]
    assert [texts(chart.y_axis.title) for chart in sheet._charts] == ["loss", "mae"]
    assert [sheet.cell(4, column).value for column in range(22, 26)] == [2.0, 2.0, 0.5, 0.75]


def test_a_single_epoch_is_a_point_because_a_line_would_not_show(workbook_of, make_instance):
    sheet = workbook_of([make_instance(1, [0.5])], {(1, 1): history([3.0])})["curves"]
    assert {series.marker.symbol for chart in sheet._charts for series in chart.series} == {"circle"}
    sheet = workbook_of([make_instance(1, [0.5])], {(1, 1): history([3.0, 2.0])})["curves"]
    assert {series.marker.symbol for chart in sheet._charts for series in chart.series} == {None}


def test_only_the_best_by_validation_have_charts_and_the_sheet_says_so(workbook_of, make_instance):
    n_instances = curves_sheet.MOST_CHARTED + 2
    instances = [make_instance(number, [number / 100]) for number in range(1, n_instances + 1)]
    sheet = workbook_of(instances, {(number, 1): history([2.0, 1.0]) for number in range(1, n_instances + 1)})["curves"]
    assert len(sheet._charts) == 2 * 20
    assert texts(sheet._charts[0].title) == "cnn_small #3 (instance 3): loss"
    assert sheet["A2"].value == "The 20 best of 22 instances by validation score; for the others see history.csv."


def test_charts_do_not_overlap_and_numbers_are_not_printed(workbook_of, make_instance):
    sheet = workbook_of([make_instance(n, [0.5]) for n in (1, 2, 3)], {(n, 1): history([2.0, 1.0]) for n in (1, 2, 3)})[
        "curves"
    ]
    places = [(chart.anchor._from.col, chart.anchor._from.row) for chart in sheet._charts]
    assert places == [(0, 3), (9, 3), (0, 20), (9, 20), (0, 37), (9, 37)]
    assert [area.split("!")[-1] for area in sheet.print_area.split(",")] == ["$A$1:$S$36", "$A$38:$S$54"]


def test_what_was_not_trained_in_epochs_is_not_charted(workbook_of, make_instance):
    assert "curves" not in workbook_of([make_instance(1, [0.5])], {}).sheetnames, "estimators alone have no curves"
    beside = workbook_of([make_instance(1, [0.5]), make_instance(2, [0.6])], {(2, 1): history([2.0, 1.0])})["curves"]
    assert texts(beside._charts[0].title) == "cnn_small #2 (instance 2): loss"


def test_all_instances_have_the_same_axes_and_one_that_diverges_does_not_flatten_the_others(workbook_of, make_instance):
    losses = {1: [1.0, 0.8, 0.6], 2: [1.2, 0.9], 3: [1.1, 500.0]}
    histories = {(number, 1): history(values) for number, values in losses.items()}
    charts = workbook_of([make_instance(number, [0.5]) for number in losses], histories)["curves"]._charts
    axes = {(texts(chart.y_axis.title), chart.y_axis.scaling.min, chart.y_axis.scaling.max) for chart in charts}
    assert axes == {("loss", 0, 5), ("accuracy", 0, 1)}, "twice the middle of 2.0, 2.4 and 1000, rounded up"
    assert {series.cat.numRef.f for chart in charts for series in chart.series} == {"curves!$T$4:$T$6"}


@pytest.mark.parametrize(
    ("losses", "wanted"), [([-3.0, -1.0], (-6, 0, 1)), ([0.0, 0.0], (0, 0.2, 0.2)), ([0.004], (0, 0.008, 0.002))]
)
def test_an_axis_has_round_ends(workbook_of, make_instance, losses, wanted):
    axis = workbook_of([make_instance(1, [0.5])], {(1, 1): history(losses)})["curves"]._charts[0].y_axis
    assert (axis.scaling.min, axis.scaling.max, axis.majorUnit) == pytest.approx(wanted)
