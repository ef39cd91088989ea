"""Make the examples of a clip whose features are embeddings: cut its samples into pieces, embed them, and pool their frames."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from preprocessing.embeddings.embedder import chosen_layers, identify, load_embedder, run_embedder
from preprocessing.features import extract
from preprocessing.features.feature_settings import FeatureSettings
from preprocessing.features.windows import ClipExamples, window_samples, window_starts

# A batch has at most this many pieces, and pieces of at most this length together.
_MOST_PIECES = 32
_MOST_SECONDS = 60


@dataclass(frozen=True)
class Pieces:
    """The pieces into which a clip is cut, one for each example.

    Attributes:
        samples: float32 (n_samples,) for each example; windows have equal lengths.
        start_s: float64 (n_examples,), the start of each piece in the clip (seconds).
        end_s: float64 (n_examples,), the end of each piece in the clip, without padding (seconds).
    """

    samples: list[NDArray[np.float32]]
    start_s: NDArray[np.float64]
    end_s: NDArray[np.float64]


def cut_pieces(samples: NDArray[np.float32], settings: FeatureSettings, kept: tuple[int, int] | None = None) -> Pieces:
    """Trim a clip, cut it to ``clip_length_s`` if it is longer, and cut it into windows if ``example_length_s`` is set.

    Only a clip that is shorter than a window is padded with zeros.

    Args:
        samples: float32 (n_samples,), mono, at ``settings.sample_rate_hz``, which is that of the embedder.
        settings: The settings vad, trim_db, clip_length_s, example_length_s and example_overlap are used.
        kept: First sample, and the one after the last, that `extract.trim` keeps; None: computed here.
    """
    rate_hz = settings.sample_rate_hz
    first, stop = kept or extract.trim(samples, settings)
    if settings.clip_length_s is not None:
        stop = min(stop, first + max(1, round(settings.clip_length_s * rate_hz)))
    clip = samples[first:stop]
    window = window_samples(settings)
    if window is None:
        return Pieces([clip], np.array([first / rate_hz]), np.array([stop / rate_hz]))
    padded = np.pad(clip, (0, max(0, window - clip.size)))
    starts = window_starts(padded.size, window, settings.example_overlap)
    ends = np.minimum(starts + window, clip.size)
    return Pieces([padded[start : start + window] for start in starts], (starts + first) / rate_hz, (ends + first) / rate_hz)


def embed_clip(
    samples: NDArray[np.float32], settings: FeatureSettings, n_samples: int | None, kept: tuple[int, int] | None = None
) -> ClipExamples:
    """Return the examples of one clip, as in a feature store.

    Args:
        samples: float32 (n_samples,), mono, at ``settings.sample_rate_hz``, which is that of the embedder.
        settings: Settings of the features.
        n_samples: Length of a clip with as many frames as each example has (samples), as for `embed_pieces`.
        kept: First sample, and the one after the last, that `extract.trim` keeps; None: computed here.
    """
    pieces = cut_pieces(samples, settings, kept)
    size = batch_size(pieces.samples[0].size, settings.sample_rate_hz)
    firsts = range(0, len(pieces.samples), size)
    batches = [embed_pieces(np.stack(pieces.samples[first : first + size]), settings, n_samples) for first in firsts]
    return ClipExamples(np.concatenate(batches), pieces.start_s, pieces.end_s)


def batch_size(n_samples: int, sample_rate_hz: int) -> int:
    """Return how many pieces of ``n_samples`` samples are embedded in one batch, at least 1."""
    return max(1, min(_MOST_PIECES, _MOST_SECONDS * sample_rate_hz // n_samples))


def embed_pieces(waveforms: NDArray[np.float32], settings: FeatureSettings, n_samples: int | None) -> NDArray[np.float32]:
    """Embed pieces of one length, and pool their frames, or cut or pad them to one number; layers are concatenated.

    Args:
        waveforms: float32 (n_pieces, n_samples_of_a_piece).
        settings: The settings embedding_model, embedding_layer, embedding_pooling, stretch_frames and sample_rate_hz are used.
        n_samples: Only without pooling: length of a clip (samples) whose number of frames all examples get; fewer frames are
            padded with zeros. None: pieces keep their own number of frames.

    Returns:
        With pooling float32 (n_pieces, n_layers * n_values), in which the pooling mean_deviation doubles n_values; without
        pooling float32 (n_pieces, n_frames, n_layers * n_values).
    """
    embedder = load_embedder(settings)
    layers = chosen_layers(settings, embedder.n_layers)
    frames = run_embedder(waveforms, settings, layers)
    if settings.is_pooled:
        pooled = frames.mean(axis=2)
        if settings.embedding_pooling == "mean_deviation":
            pooled = np.concatenate([pooled, frames.std(axis=2)], axis=-1)
        return np.reshape(pooled, (len(pooled), -1))
    kept = frames.swapaxes(1, 2).reshape(len(frames), frames.shape[2], -1)
    if settings.stretch_frames is not None:
        return np.stack([extract.stretch_time(frames, settings.stretch_frames) for frames in kept])
    if n_samples is None:
        return kept
    n_frames = _count_frames(n_samples, settings, identify(settings).hash)
    return np.pad(kept[:, :n_frames], ((0, 0), (0, max(0, n_frames - kept.shape[1])), (0, 0)))


@cache
def _count_frames(n_samples: int, settings: FeatureSettings, _hash: str) -> int:
    """Return how many frames a clip of ``n_samples`` has, by embedding silence of this length."""
    silence = np.zeros((1, n_samples), np.float32)
    return int(run_embedder(silence, settings, (0,)).shape[2])
