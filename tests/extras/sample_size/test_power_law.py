"""A power law fitted to a learning curve, and its values at other sizes."""

import numpy as np
import pytest

from xval.base.errors import ResultsError
from xval.extras.sample_size.power_law import extrapolate

SIZES = np.array([2, 3, 4, 6, 9])


def curve(limit, amount, exponent, sizes=SIZES):
    return limit + amount * np.asarray(sizes, float) ** -exponent


@pytest.mark.parametrize(
    ("law", "bounds", "is_rising"),
    [((0.9, -0.8, 0.4), (0, 1), True), ((2.0, 3.0, 0.8), (0, np.inf), False), ((-1.0, -2.0, 0.95), None, True)],
)
def test_a_law_without_noise_is_found(law, bounds, is_rising):
    found = extrapolate(SIZES, np.tile(curve(*law), (5, 2, 1)), [18, 40], bounds=bounds, is_rising=is_rising)

    assert found.values == pytest.approx(curve(*law, [18, 40]), abs=2e-3)
    assert (found.limit, found.exponent) == pytest.approx((law[0], law[2]), abs=0.01)
    assert found.low == pytest.approx(found.high)


def test_the_interval_holds_the_true_value_and_widens_away_from_the_sizes():
    rng = np.random.default_rng(0)
    values = curve(0.9, -0.9, 0.3) + rng.normal(0, 0.08, (24, 1, 1)) + rng.normal(0, 0.04, (24, 3, 5))

    found = extrapolate(SIZES, values, [6, 18, 40], bounds=(0, 1), is_rising=True)

    assert (found.low <= curve(0.9, -0.9, 0.3, [6, 18, 40])).all()
    assert (found.high >= curve(0.9, -0.9, 0.3, [6, 18, 40])).all()
    assert (np.diff(found.high - found.low) > 0).all()


def test_a_curve_that_falls_with_more_items_is_level_and_the_limit_stays_within_the_bounds():
    falling = extrapolate([2, 4, 8], np.tile([0.6, 0.5, 0.4], (4, 1, 1)), [100], bounds=(0, 1), is_rising=True)
    steep = extrapolate([2, 4, 8], np.tile([0.5, 0.7, 0.9], (4, 1, 1)), [1e6], bounds=(0, 1), is_rising=True)

    assert falling.values == pytest.approx([0.5])
    assert steep.values[0] <= 1


@pytest.mark.parametrize("sizes", [(2, 4), (2, 2, 4)])
def test_fewer_than_three_sizes_are_refused(sizes):
    with pytest.raises(ResultsError, match="received 2 sizes; expected 3 or more"):
        extrapolate(sizes, np.zeros((4, 1, len(sizes))), [8], bounds=(0, 1), is_rising=True)
