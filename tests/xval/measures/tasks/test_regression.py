"""Metrics of regression against figures worked out by hand and against scikit-learn and SciPy."""

import numpy as np
import pytest
import scipy.stats
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st

from xval.base.errors import JobError
from xval.measures.metrics import compute

UNDEFINED_IF_CONSTANT = ("r2", "pearson")


def column(*values):
    return np.float32(values)[:, np.newaxis]


@st.composite
def answers(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = (draw(st.integers(2, 40)), draw(st.integers(1, 3)))
    scale = 10.0 ** draw(st.integers(-3, 3))
    targets = rng.normal(draw(st.integers(-5, 5)), scale, shape).astype(np.float32)
    return targets, (targets * draw(st.sampled_from([-1, 0.5, 1])) + rng.normal(0, scale, shape)).astype(np.float32)


def test_scores_worked_out_by_hand():
    # errors 1 0 -1 2: squares 1 0 1 4; targets vary by 5/4 around 2.5, predictions 2 2 2 6 by 3 around 3
    found = compute("regression", column(1, 2, 3, 4), column(2, 2, 2, 6))
    assert found == pytest.approx(
        {
            "mse": 1.5,
            "rmse": 1.5**0.5,
            "mae": 1.0,
            "r2": 1 - 1.5 / 1.25,
            "pearson": 1.5 / (1.25 * 3) ** 0.5,
            "ccc": 2 * 1.5 / (1.25 + 3 + 0.25),
        }
    )


def test_a_constant_answer_has_no_correlation_but_a_concordance_of_0():
    found = compute("regression", column(0.1, 0.2, 0.6), column(0.3, 0.3, 0.3))
    assert np.isnan(found["pearson"])
    assert found["ccc"] == 0
    assert found["r2"] == pytest.approx(0)


@pytest.mark.parametrize("n_examples", [1, 3, 7, 1000])
def test_constant_targets_leave_nan_even_where_their_mean_is_rounded(n_examples):
    targets = np.full((n_examples, 1), 0.1, np.float32)
    found = compute("regression", targets, np.linspace(0, 1, n_examples, dtype=np.float32)[:, np.newaxis])
    assert all(np.isnan(found[name]) for name in UNDEFINED_IF_CONSTANT)
    assert found["ccc"] == 0
    assert np.isnan(compute("regression", targets, targets)["ccc"])


def test_one_output_without_a_value_leaves_none_for_all():
    targets = np.float32([[1, 5], [2, 5], [3, 5]])
    found = compute("regression", targets, targets[::-1])
    assert all(np.isnan(found[name]) for name in UNDEFINED_IF_CONSTANT)
    assert found["mae"] == pytest.approx((4 / 3 + 0) / 2)


@settings(deadline=None)
@given(answers())
def test_scikit_learn_and_scipy_agree(drawn):
    targets, predictions = (array.astype(np.float64) for array in drawn)
    found = compute("regression", *drawn)
    correlations = [scipy.stats.pearsonr(true, predicted)[0] for true, predicted in zip(targets.T, predictions.T, strict=True)]
    expected = {
        "mse": sklearn.metrics.mean_squared_error(targets, predictions),
        "rmse": sklearn.metrics.root_mean_squared_error(targets, predictions),
        "mae": sklearn.metrics.mean_absolute_error(targets, predictions),
        "r2": sklearn.metrics.r2_score(targets, predictions),
        "pearson": np.mean(correlations),
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_float32_numbers_of_any_size_are_computed_without_overflow():
    found = compute("regression", column(1e30, -1e30, 2e30), column(1e30, -1e30, 3e30))
    assert all(np.isfinite(value) for value in found.values())


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (np.float32([1, 2]), r"targets \(2,\) and predictions \(2, 1\)"),
        (np.float32([[1, 2], [3, 4]]), r"targets \(2, 2\)"),
        (column(1, np.nan), "targets that are NaN or infinite. Correct the labels"),
    ],
)
def test_targets_that_do_not_fit_are_refused(targets, message):
    with pytest.raises(JobError, match=message):
        compute("regression", targets, column(1, 2))
