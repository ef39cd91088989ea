"""Turn a clip into its examples: the whole clip or windows of it, as features or samples, with their positions in the clip."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from preprocessing.features import extract
from preprocessing.features.feature_settings import FeatureSettings
from preprocessing.features.spectrogram import count_frames

_MOST_LENGTHS = 16


@dataclass(frozen=True)
class ClipExamples:
    """The examples of one clip.

    Attributes:
        predictors: float32 (n_examples, n_frames, n_bins); for ``features = waveform`` (n_examples, n_samples).
        start_s: float64 (n_examples,), where each begins, counted from the beginning of the clip.
        end_s: float64 (n_examples,), where each ends; the end of the clip at most, so padding does not count.
    """

    predictors: NDArray[np.float32]
    start_s: NDArray[np.float64]
    end_s: NDArray[np.float64]


def make_examples(
    samples: NDArray[np.float32], settings: FeatureSettings, n_samples: int | None, kept: tuple[int, int] | None = None
) -> ClipExamples:
    """Trim a clip, make its features, and cut them into windows; ``features = waveform``: trim it, and that is all.

    A clip shorter than one window is zero-padded to one before its features are made; other clips are not padded where there
    are windows. The last window is moved back to end with the clip, so that nothing of it is lost.

    Args:
        samples: float32 (n,), mono, at ``settings.sample_rate_hz``.
        settings: What to compute.
        n_samples: Length that the trimmed clip is padded or cut to (windows: cut only), as `clip_samples` gives it; None:
            its own.
        kept: What `extract.trim` keeps of it, where that is known.

    Returns:
        One example (``example_length_s`` None) or the windows.
    """
    rate_hz = settings.sample_rate_hz
    first, stop = kept or extract.trim(samples, settings)
    trimmed = samples[first:stop]
    if settings.features == "waveform":
        bounds = np.array([first, stop]) / rate_hz
        return ClipExamples(trimmed[np.newaxis], bounds[:1], bounds[1:])
    length = trimmed.size if n_samples is None else n_samples
    window = window_samples(settings)
    if window is not None:
        length = max(min(length, trimmed.size), window)
    matrix = extract.extract(trimmed, settings, n_samples=length)
    if window is None:
        starts, end = np.zeros(1, dtype=np.intp), length
        predictors = matrix[np.newaxis]
    else:
        n_frames = count_frames(window, settings)
        starts = window_starts(len(matrix), n_frames, settings.example_overlap)
        predictors = matrix[starts[:, np.newaxis] + np.arange(n_frames)]
        starts, end = starts * settings.hop_length, window
    end_s = np.minimum(starts + end, trimmed.size) + first
    return ClipExamples(predictors, (starts + first) / rate_hz, end_s / rate_hz)


def clip_samples(settings: FeatureSettings, longest_s: float) -> int | None:
    """Return the length that every clip of a corpus is padded or cut to.

    Args:
        settings: ``clip_length_s`` decides, where it is set.
        longest_s: Length of the longest clip of the corpus.

    Returns:
        Samples at the settings' rate; None where clips keep their own length, because windows, stretching or the pooling of an
        embedding make examples of equal shape out of them. Waveforms are stored at their own length; what is returned is the
        longest, up to which they are padded when they are used.
    """
    longest = max(1, math.ceil(longest_s * settings.sample_rate_hz))
    if settings.features == "waveform":
        return longest
    if settings.clip_length_s is not None:
        return max(1, round(settings.clip_length_s * settings.sample_rate_hz))
    if settings.stretch_frames is not None or settings.example_length_s is not None or settings.is_pooled:
        return None
    return longest


def mark_padding(
    predictors: NDArray[np.float32], start_s: NDArray[np.float64], end_s: NDArray[np.float64], settings: FeatureSettings
) -> None:
    """Put NaN behind the ends of clips, in place, where ``padding = masked``: a network then knows how long they are.

    Args:
        predictors: float32 (n_examples, n_frames, n_bins).
        start_s: float64 (n_examples,), where each example begins.
        end_s: float64 (n_examples,), where it ends, without padding; NaN of arrays of a script, which are not marked.
        settings: ``padding`` and what says how long a frame is; stretched clips have no padding.
    """
    n_frames = count_unpadded(start_s, end_s, settings)
    if n_frames is not None:
        predictors[np.arange(predictors.shape[1]) >= n_frames[:, np.newaxis]] = np.nan


def count_unpadded(
    start_s: NDArray[np.float64], end_s: NDArray[np.float64], settings: FeatureSettings
) -> NDArray[np.int64] | None:
    """Return how many frames of each example no padding is, int64 (n_examples,); None: none is marked, see `mark_padding`."""
    if settings.padding != "masked" or settings.stretch_frames is not None or not np.isfinite(end_s).all():
        return None
    n_samples = np.rint((end_s - start_s) * settings.sample_rate_hz).astype(np.int64)
    return np.maximum(1, count_frames(n_samples, settings))


def few_lengths(lengths: ArrayLike, full: int) -> NDArray[np.int64]:
    """Return lengths rounded up to one of at most 16, in equal steps: a backend that compiles for each shape compiles rarely.

    Args:
        lengths: int, of clips without their padding.
        full: Length to which clips are padded; none is longer.
    """
    step = -(-full // _MOST_LENGTHS)
    return np.minimum(-(-np.asarray(lengths, np.int64) // step) * step, full)


def lost_samples(n_samples: ArrayLike, settings: FeatureSettings, n_clip_samples: int | None) -> NDArray[np.int64]:
    """Return how many samples at the end of clips are in no example; what is less than a hop is no frame, and not lost.

    Args:
        n_samples: int (n_clips,), or of one clip: their lengths after trimming, at the settings' rate.
        settings: ``clip_length_s`` decides, where it is set; windows and crops reach the end of a clip.
        n_clip_samples: What `clip_samples` gives; None: not that.

    Returns:
        int64, of the shape of n_samples.
    """
    lengths = np.asarray(n_samples, np.int64)
    if settings.clip_length_s is not None:
        used = max(1, round(settings.clip_length_s * settings.sample_rate_hz))
    elif n_clip_samples is None or settings.example_length_s is not None or settings.crop_s is not None:
        return np.zeros_like(lengths)
    else:
        used = n_clip_samples
    lost = lengths - used
    return np.where(lost > settings.hop_length, lost, 0)


def window_samples(settings: FeatureSettings) -> int | None:
    """Return the length of a window in samples; None: the whole clip is one example."""
    if settings.example_length_s is None:
        return None
    return max(1, round(settings.example_length_s * settings.sample_rate_hz))


def window_starts(n_frames: int, window_frames: int, overlap: float) -> NDArray[np.intp]:
    """Return the first frame of each window.

    Args:
        n_frames: Frames of the clip, at least window_frames.
        window_frames: Frames of a window.
        overlap: Share of a window that the next one repeats, 0 to below 1; the step between windows is at least a frame.

    Returns:
        intp (n_windows,), rising; the last is n_frames - window_frames.
    """
    step = max(1, round(window_frames * (1 - overlap)))
    last = n_frames - window_frames
    starts = np.arange(0, last + 1, step, dtype=np.intp)
    return starts if starts[-1] == last else np.append(starts, last)
