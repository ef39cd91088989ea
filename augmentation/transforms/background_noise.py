"""Background noise: recordings from a folder, or generated noise in a colour, at a drawn signal-to-noise ratio.

Noise is generated here, because audiomentations draws it from NumPy's global generator.
"""

import math
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field
from scipy.fft import irfft, next_fast_len, rfftfreq

from augmentation.transforms import Parameters, Samples
from augmentation.transforms._options import Decibels, Folder, Share, draw_evenly, draw_file, draw_seed, root_mean_square
from augmentation.transforms._recordings import read_excerpt

PROBABILITY: Annotated[Share, Field(description="Share of the copies that get background noise (0 to 1).")] = 0.5

# Exponent of the power density over frequency: white is flat, pink falls by 3 dB and brown by 6 dB per octave, blue and violet
# rise as much.
EXPONENTS = {"white": 0, "pink": -1, "brown": -2, "blue": 1, "violet": 2}

# Below this, the density of every colour is flat; otherwise most power of brown noise would be inaudible.
_LOWEST_HZ = 20.0

Colour = Literal["any", "white", "pink", "brown", "blue", "violet"]


def draw(
    rng: np.random.Generator,
    sample_rate_hz: int,  # noqa: ARG001 - the same for all transforms
    *,
    folder: Annotated[Folder, Field(description="Folder of recordings of noise; none: generated noise.")] = None,
    colour: Annotated[
        Colour, Field(description="Generated noise: any (each colour is as likely) | white | pink | brown | blue | violet")
    ] = "any",
    min_snr_db: Annotated[Decibels, Field(description="Lowest ratio of the power of the clip to that of the noise (dB).")] = 5,
    max_snr_db: Annotated[Decibels, Field(description="Highest ratio (dB).")] = 25,
) -> Parameters:
    """Draw the noise and its level.

    Returns:
        snr_db; and recording with position (of the excerpt in it, 0 to 1), or colour with noise_seed.
    """
    snr_db = draw_evenly(rng, min_snr_db, max_snr_db)
    if folder is not None:
        return {"snr_db": snr_db, "recording": draw_file(rng, folder), "position": float(rng.random())}
    drawn = list(EXPONENTS)[rng.integers(len(EXPONENTS))]
    return {"snr_db": snr_db, "colour": drawn if colour == "any" else colour, "noise_seed": draw_seed(rng)}


def apply(
    samples: Samples,
    sample_rate_hz: int,
    *,
    snr_db: float,
    recording: str | None = None,
    position: float = 0.0,
    colour: str = "white",
    noise_seed: int = 0,
) -> Samples:
    """Return the samples, float32 (n_samples,), with noise: the ratio of the two root mean squares is snr_db."""
    if recording is None:
        noise = make_noise(samples.size, sample_rate_hz, colour, noise_seed)
    else:
        noise = read_excerpt(Path(recording), samples.size, sample_rate_hz, position)
    gain = root_mean_square(samples) / root_mean_square(noise) * 10 ** (-snr_db / 20)
    return (samples + gain * noise).astype(np.float32)


def make_noise(n_samples: int, sample_rate_hz: int, colour: str, seed: int) -> Samples:
    """Generate noise whose power density is a power of the frequency.

    Args:
        n_samples: Number of samples.
        sample_rate_hz: Sample rate (Hz).
        colour: One of `EXPONENTS`.
        seed: Seed of the noise.

    Returns:
        float32 (n_samples,), without an offset; its level is arbitrary.
    """
    # At least 16, because the spectrum of a shorter transform would have no bin except the offset.
    length = next_fast_len(max(n_samples, 16), real=True)
    frequencies_hz = np.maximum(rfftfreq(length, 1 / sample_rate_hz), min(_LOWEST_HZ, sample_rate_hz / 4))
    parts = np.random.default_rng(seed).standard_normal((2, frequencies_hz.size))
    spectrum = (parts[0] + 1j * parts[1]) * (frequencies_hz / sample_rate_hz) ** (EXPONENTS[colour] / 2)
    spectrum[0] = 0
    noise: Samples = (irfft(spectrum, length)[:n_samples] * math.sqrt(length)).astype(np.float32)
    return noise
