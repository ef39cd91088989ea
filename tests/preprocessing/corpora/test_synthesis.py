"""The synthesis, by what can be measured in its sound: pitch, formants, levels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import find_peaks, sosfreqz, welch

from preprocessing.corpora._demo_speech import SAMPLE_RATE_HZ, WORDS, draw_speaker, speak
from preprocessing.corpora._synthesis import Room, Voice, glottal_source, peaking_filter, record, resonate

RATE_HZ = 16000
STEADY = Voice(open_quotient=0.6, tilt=0.3, breath=0.0, jitter=0.0, shimmer=0.0)
NO_COLOUR = np.array([[1.0, 0, 0, 1, 0, 0]])


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def spectrum(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.fft.rfftfreq(len(samples), 1 / RATE_HZ), np.abs(np.fft.rfft(samples))


def source(voice: Voice = STEADY, *, pitch_hz: float = 125.0, voicing: float = 1.0) -> np.ndarray:
    n_samples = RATE_HZ
    return glottal_source(voice, np.full(n_samples, pitch_hz), np.full(n_samples, voicing), rng(), sample_rate_hz=RATE_HZ)


@pytest.mark.parametrize("pitch_hz", [90.0, 125.0, 300.0])
def test_the_source_has_its_energy_at_multiples_of_the_pitch(pitch_hz: float) -> None:
    frequencies, magnitudes = spectrum(source(pitch_hz=pitch_hz))
    distance_hz = np.abs(frequencies / pitch_hz - np.round(frequencies / pitch_hz)) * pitch_hz
    assert np.sum(magnitudes[distance_hz < 5] ** 2) > 0.98 * np.sum(magnitudes**2)
    assert frequencies[np.argmax(magnitudes)] == pytest.approx(pitch_hz, abs=2)


def test_jitter_and_breath_fill_the_gaps_between_harmonics() -> None:
    def between_harmonics(samples: np.ndarray) -> float:
        frequencies, magnitudes = spectrum(samples)
        gap = np.abs(frequencies % 125 - 62.5) < 20
        return float(np.sum(magnitudes[gap] ** 2) / np.sum(magnitudes**2))

    clean = between_harmonics(source())
    rough = between_harmonics(source(Voice(0.6, 0.3, breath=0.0, jitter=0.03, shimmer=0.0)))
    uneven = between_harmonics(source(Voice(0.6, 0.3, breath=0.0, jitter=0.0, shimmer=0.2)))
    breathy = between_harmonics(source(Voice(0.6, 0.3, breath=0.5, jitter=0.0, shimmer=0.0)))
    assert min(rough, uneven, breathy) > 10 * clean


def test_tilt_takes_away_the_highs() -> None:
    def share_above_2_khz(samples: np.ndarray) -> float:
        frequencies, magnitudes = spectrum(samples)
        return float(np.sum(magnitudes[frequencies > 2000] ** 2) / np.sum(magnitudes**2))

    dull = source(Voice(0.6, tilt=0.8, breath=0.0, jitter=0.0, shimmer=0.0))
    bright = source(Voice(0.6, tilt=0.0, breath=0.0, jitter=0.0, shimmer=0.0))
    assert share_above_2_khz(dull) < 0.2 * share_above_2_khz(bright)


@given(
    formants=st.tuples(st.floats(300, 900), st.floats(1100, 2200), st.floats(2600, 3400)),
)
def test_the_tract_resonates_at_its_formants(formants: tuple[float, float, float]) -> None:
    impulse = np.zeros(RATE_HZ // 2)
    impulse[0] = 1
    sounding = resonate(impulse, np.array([formants] * 2), np.array([50.0, 60.0, 70.0]), sample_rate_hz=RATE_HZ)
    frequencies, magnitudes = spectrum(sounding)
    peaks = frequencies[find_peaks(magnitudes)[0]]
    for formant in formants:
        assert np.abs(peaks - formant).min() < 25


def test_formants_move() -> None:
    noise = rng().normal(0, 1, RATE_HZ)
    moving = resonate(noise, np.array([[500.0], [2500.0]]), np.array([60.0]), sample_rate_hz=RATE_HZ)
    strongest = []
    for part in np.split(moving, 4):
        frequencies, density = welch(part, RATE_HZ, nperseg=512)
        strongest.append(frequencies[np.argmax(density)])
    assert strongest == pytest.approx([750, 1250, 1750, 2250], abs=250)


@pytest.mark.parametrize("gain_db", [-12.0, 6.0])
def test_an_equaliser_band_has_its_gain_at_its_centre(gain_db: float) -> None:
    section = peaking_filter(1000, gain_db, 1.0, sample_rate_hz=RATE_HZ)
    _, response = sosfreqz(section[np.newaxis], [0, 1000, RATE_HZ / 2], fs=RATE_HZ)
    np.testing.assert_allclose(20 * np.log10(np.abs(response)), [0, gain_db, 0], atol=1e-6)


def room(**changes: object) -> Room:
    plain = {"equaliser": NO_COLOUR, "reverberation_s": 0.3, "wet": 0.0, "noise_db": -200.0, "noise_pole": 0.0}
    return Room(**{**plain, "response_seed": 1, **changes})


def test_a_recording_has_the_level_and_the_noise_of_its_room() -> None:
    tone = np.sin(2 * np.pi * 440 * np.arange(RATE_HZ) / RATE_HZ)
    clean = record(tone, room(), rng(), sample_rate_hz=RATE_HZ)
    noisy = record(tone, room(noise_db=-20.0), rng(), sample_rate_hz=RATE_HZ)
    assert np.sqrt(np.mean(noisy**2)) == pytest.approx(1)
    np.testing.assert_allclose(clean, tone * np.sqrt(2), atol=1e-6)
    left = noisy - clean * np.dot(noisy, clean) / np.dot(clean, clean)
    assert 20 * np.log10(np.std(left)) == pytest.approx(-20, abs=0.5)


def test_a_room_sounds_on_and_is_always_the_same() -> None:
    click = np.zeros(RATE_HZ // 2)
    click[0] = 1
    first = record(click, room(wet=0.5), np.random.default_rng(1), sample_rate_hz=RATE_HZ)
    again = record(click, room(wet=0.5), np.random.default_rng(2), sample_rate_hz=RATE_HZ)
    np.testing.assert_allclose(first, again, atol=1e-6)
    early, late = np.mean(first[100:900] ** 2), np.mean(first[3900:4700] ** 2)
    assert early > 1000 * late > 0


def test_takes_of_a_speaker_are_closer_than_speakers() -> None:
    def colour(speaker_number: int, take: int) -> np.ndarray:
        speaker = draw_speaker(speaker_number, seed=1)
        samples = np.concatenate([speak(word, speaker, np.random.default_rng([take, 9])) for word in WORDS])
        bands_db = 10 * np.log10(welch(samples, SAMPLE_RATE_HZ, nperseg=64)[1])
        return bands_db - bands_db.mean()

    colours = np.array([[colour(number, take) for take in range(2)] for number in range(4)])
    within = np.abs(colours[:, 0] - colours[:, 1]).mean()
    between = np.mean([np.abs(colours[a, 0] - colours[b, 1]).mean() for a in range(4) for b in range(4) if a != b])
    assert between > 3 * within
