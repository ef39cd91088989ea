"""Gain, clipping, time stretch and pitch shift do what their parameters say."""

import subprocess
import sys

import numpy as np
import pytest

from augmentation.transforms import clipping, gain, pitch_shift, time_stretch

RATE_HZ = 16000
TONE = (0.5 * np.sin(2 * np.pi * 500 * np.arange(16000) / RATE_HZ)).astype(np.float32)


def pitch_hz(samples: np.ndarray) -> float:
    middle = samples[2000:-2000]
    return float(np.abs(np.fft.rfft(middle * np.hanning(middle.size))).argmax() * RATE_HZ / middle.size)


def test_gain_is_in_decibels() -> None:
    np.testing.assert_allclose(gain.apply(TONE, RATE_HZ, gain_db=-6.0), TONE * 0.501187, rtol=1e-5)


def test_clipping_cuts_off_what_lies_above_the_level() -> None:
    clipped = clipping.apply(TONE, RATE_HZ, over_db=6.0)
    level = np.abs(TONE).max() * 10 ** (-6 / 20)
    np.testing.assert_allclose(clipped, np.clip(TONE, -level, level), rtol=1e-6)
    assert np.mean(np.abs(clipped) > 0.999 * level) > 0.5


@pytest.mark.parametrize("rate", [0.8, 1.25])
def test_a_stretch_changes_the_length_and_not_the_pitch(rate: float) -> None:
    stretched = time_stretch.apply(TONE, RATE_HZ, rate=rate)
    assert stretched.size == pytest.approx(TONE.size / rate, abs=1)
    assert pitch_hz(stretched) == pytest.approx(500, abs=3)


def test_a_stretch_moves_what_happens_by_its_rate() -> None:
    click = np.zeros(16000, np.float32)
    click[8000] = 1
    assert np.abs(time_stretch.apply(click, RATE_HZ, rate=0.8)).argmax() == pytest.approx(10000, abs=80)


@pytest.mark.parametrize("semitones", [-3.0, 2.0])
def test_a_shift_changes_the_pitch_and_not_the_length(semitones: float) -> None:
    shifted = pitch_shift.apply(TONE, RATE_HZ, semitones=semitones)
    assert shifted.size == TONE.size
    assert pitch_hz(shifted) == pytest.approx(500 * 2 ** (semitones / 12), rel=0.02)


def test_two_processes_stretch_and_shift_alike_at_the_ends_of_the_ranges() -> None:
    code = (
        "import numpy as np, hashlib\n"
        "from augmentation.transforms import pitch_shift, time_stretch\n"
        "x = np.random.default_rng(0).normal(0, 0.1, 8000).astype(np.float32)\n"
        "made = [time_stretch.apply(x, 16000, rate=r) for r in (0.5, 0.9, 2.0)]\n"
        "made += [pitch_shift.apply(x, 16000, semitones=s) for s in (-24.0, 24.0)]\n"
        "print(hashlib.md5(b''.join(each.tobytes() for each in made)).hexdigest())\n"
    )
    hashes = {subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout for _ in "12"}
    assert len(hashes) == 1
