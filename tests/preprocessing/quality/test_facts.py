"""Clipping is found where a recorder cut off, and nowhere else."""

import numpy as np
import pytest
from numpy.typing import NDArray

from preprocessing.quality.facts import clipped_share

RATE_HZ = 16000
TIME_S = np.arange(RATE_HZ) / RATE_HZ


def quantised(samples: NDArray[np.float64], n_bits: int = 16) -> NDArray[np.float32]:
    return (np.round(np.clip(samples, -1, 1 - 2.0 ** (1 - n_bits)) * 2 ** (n_bits - 1)) / 2 ** (n_bits - 1)).astype(np.float32)


def sine(frequency_hz: float, amplitude: float) -> NDArray[np.float64]:
    return amplitude * np.sin(2 * np.pi * frequency_hz * TIME_S)


@pytest.mark.parametrize("frequency_hz", [20, 61.7, 440, 4000])
@pytest.mark.parametrize("amplitude", [0.01, 0.999])
@pytest.mark.parametrize("n_bits", [8, 24])
def test_a_pure_tone_is_not_clipped(frequency_hz: float, amplitude: float, n_bits: int) -> None:
    assert clipped_share(quantised(sine(frequency_hz, amplitude), n_bits)) == 0


@pytest.mark.parametrize("frequency_hz", [100, 333.3])
@pytest.mark.parametrize("gain", [1, 0.5, 0.1])
def test_a_tone_cut_off_is_clipped_even_where_its_level_was_lowered(frequency_hz: float, gain: float) -> None:
    cut = np.clip(sine(frequency_hz, 1.5), -1, 1)
    true_share = float(np.mean(np.abs(cut) == 1))
    assert clipped_share(quantised(gain * cut)) == pytest.approx(true_share, abs=0.1)
    assert clipped_share((gain * cut).astype(np.float32)) == pytest.approx(true_share, abs=0.1)


def test_a_single_peak_at_full_scale_is_not_clipped() -> None:
    rng = np.random.default_rng(0)
    samples = quantised(rng.normal(0, 0.1, RATE_HZ))
    samples[100] = 1.0
    samples[200] = -1.0
    assert clipped_share(samples) == 0


def test_a_single_flat_top_below_full_scale_is_chance_two_are_not() -> None:
    samples = quantised(np.random.default_rng(0).normal(0, 0.05, RATE_HZ), 8)
    samples[100:104] = 0.5
    assert clipped_share(samples) == 0
    samples[200:204] = 0.5
    assert clipped_share(samples) == 8 / RATE_HZ
    samples[100:104] = 1.0
    assert clipped_share(samples) == 4 / RATE_HZ
