"""Measure how much sound resampling and averaging of channels may discard, and whether samples are unscaled integers.

Losses are shares of power. `summarise` describes the possible losses of a dataset for its index; the settings of an experiment
decide which of them happen.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

EDGES_HZ = (2000.0, 4000.0, 5512.5, 8000.0, 11025.0, 12000.0, 16000.0, 22050.0, 24000.0, 32000.0, 48000.0, 64000.0, 96000.0)
"""Half of each usual sample rate (Hz); the share of power above each is measured."""
MOST_LOST = 0.5
"""Share of the power of a clip; a clip that loses more is reported."""
LARGEST_PEAK = 10.0
"""Multiple of full scale; larger samples are integers in a float file, or were amplified by mistake."""

_FRAME = 1024
_FRAMES_AT_ONCE = 4096


def shares_above(samples: NDArray[np.float32], rate_hz: int) -> tuple[float, ...]:
    """Return the share of the power of a clip above each of `EDGES_HZ`, 0 to 1; a constant offset (0 Hz) is excluded.

    Args:
        samples: float32 (n_samples,), mono.
        rate_hz: Sample rate (Hz).
    """
    if rate_hz / 2 <= EDGES_HZ[0]:
        return (0.0,) * len(EDGES_HZ)
    if samples.size < _FRAME:
        samples = np.pad(samples, (0, _FRAME - samples.size))
    frames = samples[: samples.size // _FRAME * _FRAME].reshape(-1, _FRAME)  # no copy: clips may be as large as the memory
    window = np.hanning(_FRAME).astype(np.float32)
    power = np.zeros(_FRAME // 2 + 1)
    for first in range(0, len(frames), _FRAMES_AT_ONCE):
        spectra = np.fft.rfft(frames[first : first + _FRAMES_AT_ONCE] * window)
        power += np.square(np.abs(spectra), dtype=np.float64).sum(axis=0)
    power[:2] = 0  # a constant offset is not audible
    bins = np.ceil(np.array(EDGES_HZ) * _FRAME / rate_hz).astype(int)
    whole = power.sum()
    return tuple(float(power[first:].sum() / whole) if whole else 0.0 for first in bins)


def share_above(shares: tuple[float, ...], sample_rate_hz: int) -> float:
    """Return the share of the power, from `shares_above`, that resampling to ``sample_rate_hz`` discards at least."""
    return next((share for edge_hz, share in zip(EDGES_HZ, shares, strict=True) if 2 * edge_hz >= sample_rate_hz), 0.0)


def smallest_kept(n_channels: int) -> float:
    """Return the smallest share of the channels' power in their mean if they do not cancel: half of that of unrelated ones."""
    return 0.5 / n_channels


def summarise(clips: "pd.DataFrame") -> dict[str, Any]:
    """Return which clips of a dataset may lose sound.

    Args:
        clips: One row per clip: clip, and sample_rate_hz, n_channels, peak, kept_in_mean, shares_above and n_tracks as in
            `preprocessing.audio.read.AudioFacts`.

    Returns:
        Values that JSON can hold; only keys with at least one clip: ``above``, a list with ``edge_hz`` and the result of
        `_describe` for each edge above which clips have most of their power; and the result of `_describe` for ``cancelled``
        (clips whose channels cancel in their mean), ``unscaled`` (clips with too large samples) and ``tracks`` (clips in files
        with several sound tracks).
    """
    lost: dict[str, Any] = {}
    shares = np.array(clips["shares_above"].tolist())
    above = [
        {"edge_hz": edge_hz, **_describe(clips, shares[:, number] > MOST_LOST, shares[:, number])}
        for number, edge_hz in enumerate(EDGES_HZ)
        if (shares[:, number] > MOST_LOST).any()
    ]
    kept, peak = clips["kept_in_mean"].to_numpy(), clips["peak"].to_numpy()
    is_cancelled = kept < np.array([smallest_kept(n_channels) for n_channels in clips["n_channels"]])
    if above:
        lost["above"] = above
    if is_cancelled.any():
        lost["cancelled"] = _describe(clips, is_cancelled, kept)
    if (peak > LARGEST_PEAK).any():
        lost["unscaled"] = _describe(clips, peak > LARGEST_PEAK, peak)
    if ((n_tracks := clips["n_tracks"].to_numpy()) > 1).any():
        lost["tracks"] = _describe(clips, n_tracks > 1, n_tracks)
    return lost


def _describe(clips: "pd.DataFrame", chosen: NDArray[np.bool_], values: NDArray[np.float64]) -> Mapping[str, Any]:
    """Return a summary of the chosen clips: their number, all clips' number, the first one, the lowest rate, and the range."""
    return {
        "n_chosen": int(chosen.sum()),
        "n_clips": len(clips),
        "clip": str(clips["clip"].to_numpy()[chosen][0]),
        "lowest_rate_hz": int(clips["sample_rate_hz"].to_numpy()[chosen].min()),
        "least": round(float(values[chosen].min()), 4),
        "most": round(float(values[chosen].max()), 4),
    }
