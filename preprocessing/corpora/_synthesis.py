"""Synthesise one spoken word: a voice source, a moving vocal tract, and the room it is recorded in.

The source-filter model (Fant, Acoustic Theory of Speech Production, 1960): glottal pulses (Rosenberg, Effect of glottal
pulse shape on the quality of natural vowels, 1971) and breath noise go through a cascade of formant resonators (Klatt,
Software for a cascade/parallel formant synthesizer, 1980).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import fftconvolve, lfilter, sosfilt

Samples = NDArray[np.float64]

_BLOCK_S = 0.005
_CLOSING_SHARE = 0.35


@dataclass(frozen=True)
class Voice:
    """How the vocal folds of one speaker vibrate.

    Attributes:
        open_quotient: Share of a period during which the glottis is open, 0 to 1.
        tilt: Coefficient of a one-pole lowpass on the source, 0 (bright) to 1 (dull).
        breath: Amplitude of the breath noise relative to that of the pulses.
        jitter: Standard deviation of a period relative to its length.
        shimmer: Standard deviation of a pulse's amplitude relative to it.
    """

    open_quotient: float
    tilt: float
    breath: float
    jitter: float
    shimmer: float


@dataclass(frozen=True)
class Room:
    """A recording room with its equipment.

    Attributes:
        equaliser: float64 (n_sections, 6), second-order sections of the frequency response of the microphone and the line.
        reverberation_s: Time in which the room's sound falls by 60 dB.
        wet: Amplitude of the reverberation relative to the direct sound.
        noise_db: Level of the background noise relative to the word's.
        noise_pole: Coefficient of a one-pole filter that colours the noise, -1 (hiss) to 1 (hum).
        response_seed: Seed of the room's impulse response.
    """

    equaliser: Samples
    reverberation_s: float
    wet: float
    noise_db: float
    noise_pole: float
    response_seed: int


def glottal_source(
    voice: Voice, pitch_hz: Samples, voicing: Samples, rng: np.random.Generator, *, sample_rate_hz: int
) -> Samples:
    """Make the sound at the vocal folds.

    Args:
        voice: The speaker's voice.
        pitch_hz: float64 (n_samples,), the fundamental frequency.
        voicing: float64 (n_samples,), 1: pulses and a little breath, 0: only breath.
        rng: Generator of jitter, shimmer and breath.
        sample_rate_hz: Sample rate (Hz).

    Returns:
        float64 (n_samples,): the derivative of the air flow, as the lips radiate it.
    """
    periods = np.cumsum(pitch_hz) / sample_rate_hz
    n_periods = int(periods[-1]) + 2
    borders = np.arange(n_periods) + np.clip(rng.normal(0, voice.jitter, n_periods), -0.3, 0.3)
    periods = np.interp(periods, borders, np.arange(n_periods))
    phase = periods % 1.0
    loudness = 1 + rng.normal(0, voice.shimmer, n_periods)[periods.astype(int)]
    closing = voice.open_quotient * _CLOSING_SHARE
    opening = voice.open_quotient - closing
    flow = np.where(
        phase < opening,
        0.5 - 0.5 * np.cos(np.pi * phase / opening),
        np.cos(np.pi / 2 * np.minimum((phase - opening) / closing, 1)),
    )
    pulses = np.diff(flow * loudness, prepend=0.0)
    breath = rng.normal(0, 1, len(phase)) * (0.3 + flow * voicing)
    pulses, breath = pulses / np.std(pulses), breath / np.std(breath)
    source = voicing * pulses + (voice.breath * voicing + 0.25 * (1 - voicing)) * breath
    tilted: Samples = lfilter([1 - voice.tilt], [1, -voice.tilt], source)
    return tilted


def resonate(source: Samples, formants_hz: Samples, bandwidths_hz: Samples, *, sample_rate_hz: int) -> Samples:
    """Filter a source by a vocal tract with moving formants.

    Args:
        source: float64 (n_samples,).
        formants_hz: float64 (n_points, n_formants), formant frequencies at points spread evenly over the samples.
        bandwidths_hz: float64 (n_formants,).
        sample_rate_hz: Sample rate (Hz). Formants near half of it and above are skipped.

    Returns:
        float64 (n_samples,).
    """
    block_samples = round(_BLOCK_S * sample_rate_hz)
    n_blocks = -(-len(source) // block_samples)
    points = np.linspace(0, 1, len(formants_hz))
    middles = (np.arange(n_blocks) + 0.5) / n_blocks
    audible = formants_hz.max(axis=0) < 0.47 * sample_rate_hz
    formants = np.stack([np.interp(middles, points, formant) for formant in formants_hz[:, audible].T], axis=1)
    radius = np.exp(-np.pi * bandwidths_hz[audible] / sample_rate_hz)
    first = -2 * radius * np.cos(2 * np.pi * formants / sample_rate_hz)
    second = np.broadcast_to(radius**2, formants.shape)
    gain, zero, one = 1 + first + second, np.zeros_like(first), np.ones_like(first)
    sections = np.stack([gain, zero, zero, one, first, second], axis=2)
    voiced = np.empty_like(source)
    state = np.zeros((sections.shape[1], 2))
    for block in range(n_blocks):
        part = slice(block * block_samples, (block + 1) * block_samples)
        voiced[part], state = sosfilt(sections[block], source[part], zi=state)
    return voiced


def record(samples: Samples, room: Room, rng: np.random.Generator, *, sample_rate_hz: int) -> Samples:
    """Add the reverberation, the background noise and the equalisation of a recording room to a sound.

    Args:
        samples: float64 (n_samples,).
        room: The room and the equipment.
        rng: Generator of the background noise; the room itself is always the same.
        sample_rate_hz: Sample rate (Hz).

    Returns:
        float64 (n_samples,), with a root mean square of 1.
    """
    response = np.random.default_rng(room.response_seed).normal(0, 1, round(room.reverberation_s * sample_rate_hz))
    response *= 10 ** (-3 * np.arange(len(response)) / len(response))
    response *= room.wet / np.sqrt(np.sum(response**2))
    response[0] += 1
    wet = fftconvolve(samples, response)[: len(samples)]
    noise = lfilter([1], [1, -room.noise_pole], rng.normal(0, 1, len(samples)))
    noise *= np.std(wet) / np.std(noise) * 10 ** (room.noise_db / 20)
    coloured: Samples = sosfilt(room.equaliser, wet + noise)
    coloured /= np.sqrt(np.mean(coloured**2))
    return coloured


def peaking_filter(centre_hz: float, gain_db: float, quality: float, *, sample_rate_hz: int) -> Samples:
    """Return one equaliser band as a second-order section.

    Args:
        centre_hz: Frequency of the greatest gain or loss, below half the sample rate.
        gain_db: That gain.
        quality: Centre frequency divided by bandwidth.
        sample_rate_hz: Sample rate (Hz).

    Returns:
        float64 (6,), b0 b1 b2 a0 a1 a2 with a0 = 1. From Bristow-Johnson, Cookbook formulae for audio equalizer biquad
        filter coefficients (1998).
    """
    angle = 2 * np.pi * centre_hz / sample_rate_hz
    amplitude = 10 ** (gain_db / 40)
    alpha = np.sin(angle) / (2 * quality)
    middle = -2 * np.cos(angle)
    section: Samples = np.array([1 + alpha * amplitude, middle, 1 - alpha * amplitude, 0, middle, 0])
    section[3], section[5] = 1 + alpha / amplitude, 1 - alpha / amplitude
    section /= section[3]
    return section
