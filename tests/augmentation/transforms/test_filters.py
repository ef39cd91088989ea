"""The equalizer and the band limits do at each frequency what their parameters say."""

import numpy as np
import pytest

from augmentation.transforms import band_limit, equalizer

RATE_HZ = 16000
IMPULSE = np.zeros(16000, np.float32)
IMPULSE[4000] = 1


def response_db(filtered: np.ndarray, frequency_hz: float) -> float:
    """Return the gain at a frequency of what was made of the impulse."""
    return float(20 * np.log10(np.abs(np.fft.rfft(filtered.astype(np.float64)))[round(frequency_hz)]))


@pytest.mark.parametrize("gain_db", [-10.0, -4.0, 10.0])
@pytest.mark.parametrize("centre_hz", [100.0, 1000.0, 6000.0])
def test_a_band_is_cut_or_boosted_at_its_centre_and_nothing_far_away(centre_hz: float, gain_db: float) -> None:
    filtered = equalizer.apply(IMPULSE, RATE_HZ, centres_hz=[centre_hz], gains_db=[gain_db], qs=[2.0])
    assert response_db(filtered, centre_hz) == pytest.approx(gain_db, abs=0.1)
    assert response_db(filtered, 20 if centre_hz > 500 else 4000) == pytest.approx(0, abs=0.3)


def test_bands_add_up() -> None:
    filtered = equalizer.apply(IMPULSE, RATE_HZ, centres_hz=[1000.0, 1000.0], gains_db=[-4.0, -5.0], qs=[1.0, 1.0])
    assert response_db(filtered, 1000) == pytest.approx(-9, abs=0.1)


def test_bands_are_cut_and_boosted_as_often_and_stay_below_half_the_rate() -> None:
    drawn = [equalizer.draw(np.random.default_rng(seed), 8000) for seed in range(200)]
    gains_db = np.concatenate([each["gains_db"] for each in drawn])
    assert 0.35 < np.mean(gains_db < 0) < 0.65
    assert 4 <= np.abs(gains_db).min() <= np.abs(gains_db).max() <= 10
    assert max(max(each["centres_hz"]) for each in drawn) <= 3600
    assert {len(each["centres_hz"]) for each in drawn} == {1, 2, 3}


def test_corners_are_3_db_down_and_slopes_are_steep() -> None:
    filtered = band_limit.apply(IMPULSE, RATE_HZ, low_pass_hz=2000.0, high_pass_hz=200.0)
    assert response_db(filtered, 2000) == pytest.approx(-3, abs=0.3)
    assert response_db(filtered, 200) == pytest.approx(-3, abs=0.3)
    assert response_db(filtered, 700) == pytest.approx(0, abs=0.3)
    assert response_db(filtered, 4000) < -20
    assert response_db(filtered, 100) < -20


def test_each_end_is_cut_off_alone_too() -> None:
    drawn = [band_limit.draw(np.random.default_rng(seed), RATE_HZ) for seed in range(60)]
    kinds = {(each["low_pass_hz"] is None, each["high_pass_hz"] is None) for each in drawn}
    assert kinds == {(False, False), (True, False), (False, True)}
