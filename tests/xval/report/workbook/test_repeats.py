"""What the workbook shows of repeats."""

import math

import pytest


def test_each_job_has_a_row_and_the_deviations_a_sheet(make_record, make_instance, workbook_of):
    records = [
        make_record(fold, {"accuracy": value}) | {"repeat": repeat}
        for fold, values in {1: (0.4, 0.6), 2: (0.7, 0.9)}.items()
        for repeat, value in enumerate(values, start=1)
    ]
    workbook = workbook_of([make_instance(1, records, folds_total=2, repeats=2, comment_1="a")])

    rows = list(workbook["folds"].iter_rows(min_row=2, max_row=5, values_only=True))
    assert [row[2:4] for row in rows] == [(1, 1), (1, 2), (2, 1), (2, 2)]
    assert workbook["folds"]["C3"].hyperlink.target == "instance_1/fold_1_repeat_2/"
    (row,) = (row for row in workbook["repeats"].iter_rows(values_only=True) if row[2] == "test accuracy")
    # Means of folds 0.5 and 0.8, variance 0.045; variance within folds 0.02, of which a half is in each mean.
    assert row == pytest.approx((1, "a", "test accuracy", 0.65, math.sqrt(0.045), math.sqrt(0.035), math.sqrt(0.02), 2, 2))
    assert "repeats" not in workbook_of([make_instance(1, [0.5])]).sheetnames
