"""Rooms decay as asked, reflections come when they must, and the direct sound stays where it was."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile

from augmentation.transforms import reverb
from augmentation.transforms._shoebox import room_response

RATE_HZ = 16000
ROOM = {"room_m": [6.0, 4.5, 2.8], "source_m": [1.2, 1.1, 1.6], "microphone_m": [4.1, 3.2, 1.2]}


def decay_s(response: np.ndarray) -> float:
    """Return the reverberation time by backward integration (Schroeder 1965), from -5 to -25 dB."""
    energy = np.cumsum(response[::-1].astype(np.float64) ** 2)[::-1]
    level_db = 10 * np.log10(energy / energy[1])
    return float(3 * (np.argmax(level_db < -25) - np.argmax(level_db < -5)) / RATE_HZ)


@pytest.mark.parametrize("reverberation_s", [0.2, 0.4, 0.8])
def test_the_sound_of_a_room_falls_in_the_time_asked_for(reverberation_s: float) -> None:
    response = room_response(RATE_HZ, reverberation_s, **ROOM)
    assert decay_s(response) == pytest.approx(reverberation_s, rel=0.35)
    assert response[0] == pytest.approx(1, abs=0.01)


def test_the_first_reflection_comes_from_the_nearest_wall() -> None:
    # Source and microphone 1 m above the floor and 3 m apart: the floor's image is sqrt(3^2 + 2^2) m away.
    response = room_response(RATE_HZ, 0.3, [20.0, 20.0, 12.0], [8.0, 10.0, 1.0], [11.0, 10.0, 1.0])
    expected = round((np.sqrt(13) - 3) / 343 * RATE_HZ)
    assert np.abs(response[1:]).argmax() + 1 == expected


def test_the_tail_decays_and_the_direct_sound_stays() -> None:
    click = np.zeros(8000, np.float32)
    click[1000] = 1
    wet = reverb.apply(click, RATE_HZ, wet=0.5, reverberation_s=0.4, **ROOM)
    assert np.abs(wet).argmax() == 1000
    assert not np.abs(wet[:990]).max() > 1e-4
    parts = [np.sum(wet[first : first + 800].astype(np.float64) ** 2) for first in (1100, 1900, 2700, 3500)]
    assert all(later < 0.5 * earlier for earlier, later in pairwise(parts))


def test_nothing_wet_is_the_samples_themselves() -> None:
    samples = np.random.default_rng(0).normal(0, 0.1, 4000).astype(np.float32)
    np.testing.assert_allclose(reverb.apply(samples, RATE_HZ, wet=0.0, reverberation_s=0.3, **ROOM), samples, atol=1e-7)


def test_an_impulse_response_from_a_folder_is_used_from_its_direct_sound_on(tmp_path: Path) -> None:
    response = np.zeros(4000, np.float32)
    response[1200], response[1600] = 0.8, 0.4
    soundfile.write(tmp_path / "hall.wav", response, RATE_HZ, subtype="FLOAT")
    parameters = reverb.draw(np.random.default_rng(0), RATE_HZ, folder=tmp_path, min_wet=1.0, max_wet=1.0)
    click = np.zeros(2000, np.float32)
    click[500] = 1
    wet = reverb.apply(click, RATE_HZ, **parameters)
    assert np.flatnonzero(np.abs(wet) > 0.01).tolist() == [500, 900]
    assert wet[900] / wet[500] == pytest.approx(0.5, rel=1e-3)
