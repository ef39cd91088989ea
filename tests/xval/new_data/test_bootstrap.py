"""Intervals over items."""

import numpy as np
import pytest

from xval.new_data.bootstrap import bootstrap


def test_the_interval_of_a_mean_of_items_has_the_width_that_theory_says():
    values = np.random.default_rng(1).normal(5, 2, 100)

    found = bootstrap(100, lambda items: float(values[items].mean()))

    half = 1.96 * values.std() / np.sqrt(100)
    assert found.low == pytest.approx(values.mean() - half, abs=0.1)
    assert found.high == pytest.approx(values.mean() + half, abs=0.1)
    assert (found.n_items, found.n_undefined) == (100, 0)
    assert found == bootstrap(100, lambda items: float(values[items].mean()))


def test_undefined_resamples_do_not_count_and_are_told():
    found = bootstrap(3, lambda items: float("nan") if 0 in items else 1.0)

    assert (found.low, found.high) == (1, 1)
    assert found.n_undefined == pytest.approx(1000 * (1 - (2 / 3) ** 3), abs=60)
    assert bootstrap(3, lambda items: float("nan")) is None


def test_two_items_have_no_interval():
    assert bootstrap(2, lambda items: 1.0) is None
