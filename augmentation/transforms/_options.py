"""Functions that the transforms of this folder share: types of options with limits, random frequencies and files, levels."""

import math
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field

from preprocessing.clips.listing import list_audio
from xval.base.setting_fields import none_from_text

# Filters are distorted near half the sample rate, so corner and centre frequencies stay below this share of the rate.
_HIGHEST_SHARE = 0.45


def limited(**limits: Any) -> Any:
    """Return the type of an option that is a finite number within limits, given by pydantic's names ge, gt, le and lt."""
    return Annotated[float, Field(allow_inf_nan=False, **limits)]


Decibels = Annotated[float, Field(ge=-120, le=120, allow_inf_nan=False)]
Hertz = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Folder = Annotated[Path | None, BeforeValidator(none_from_text)]


def draw_frequency(rng: np.random.Generator, lowest_hz: float, highest_hz: float, sample_rate_hz: int) -> float:
    """Draw a frequency below half the sample rate, uniformly on a logarithmic scale.

    Args:
        rng: Random generator.
        lowest_hz: Lower end of the range (Hz).
        highest_hz: Upper end of the range (Hz).
        sample_rate_hz: Sample rate (Hz); both ends are limited to 0.45 times this.
    """
    limit_hz = _HIGHEST_SHARE * sample_rate_hz
    return draw_ratio(rng, min(lowest_hz, limit_hz), min(highest_hz, limit_hz))


def draw_evenly(rng: np.random.Generator, lowest: float, highest: float) -> float:
    """Draw a number uniformly between both ends."""
    return float(rng.uniform(lowest, highest))


def draw_ratio(rng: np.random.Generator, lowest: float, highest: float) -> float:
    """Draw a positive number between both ends, uniformly on a logarithmic scale."""
    return float(np.clip(math.exp(rng.uniform(math.log(lowest), math.log(highest))), lowest, highest))


def draw_seed(rng: np.random.Generator) -> int:
    """Draw a seed for the random numbers that apply needs."""
    return int(rng.integers(2**32))


def draw_file(rng: np.random.Generator, folder: Path) -> str:
    """Draw one of the audio files in a folder and below it; return its path."""
    files = audio_files(folder)
    return files[rng.integers(len(files))].as_posix()


@cache
def audio_files(folder: Path) -> tuple[Path, ...]:
    """Return the audio files in a folder and below it, sorted by their relative paths; augmented copies are skipped."""
    return tuple(folder / path for path in list_audio(folder, "audio files"))


def root_mean_square(samples: NDArray[Any]) -> float:
    """Return the root mean square of samples (n_samples,), summed in double precision."""
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) if samples.size else 0.0
