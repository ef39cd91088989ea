"""Find clips that contain the same recording: at another level, in another encoding, or padded or slightly cut at the ends.

1. The fingerprint of a clip consists of the magnitudes of the modulation spectra of its frequency bands, which depend neither
   on its level nor on where in the clip the recording begins (Sukittanon, Atlas and Pitton 2004, "Modulation-Scale Analysis for
   Content Identification", IEEE Trans. Signal Processing 52). The nearest neighbours of each clip by cosine similarity are
   candidates.
2. The likeness of two candidates is the highest peak of the generalised cross-correlation of their samples, weighted by the
   magnitude of their cross-spectrum to the power -0.5 (Knapp and Carter 1976; the partial weight: Donohue et al. 2007) and
   divided by its value for equal phases. It is 1 for the same samples at any level and position, and about 0 for others.

Among 3,000 spoken digits (FSDD), no two different ones were taken for the same recording (highest peak 0.81). All copies that
were 12 dB softer, in Vorbis or Opus, or padded with zeros were found, 99.9 % of those in MP3, and 80 % of those cut by 50 ms at
both ends (benchmarks/near_duplicates.py). Audio above 4 kHz and after the first minute is not compared.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from preprocessing.audio.read import SILENCE_PEAK_DBFS, read_audio, resample
from preprocessing.clips import fingerprints
from preprocessing.clips.facts import FileSegment, list_segments
from preprocessing.clips.near_pairs import MOST_COMPARED, write_pairs
from preprocessing.corpus import Corpus
from preprocessing.parallel import Progress, map_in_processes
from xval.base.errors import AudioError

if TYPE_CHECKING:
    import pandas as pd

SMALLEST_LIKENESS = 0.85
"""Clips with at least this `likeness` contain the same recording."""

RATE_HZ = 8000
_LONGEST_S = 60
_WINDOW, _HOP = 256, 64  # samples: 32 ms, 8 ms
_BAND_EDGES = (3, 4, 5, 6, 7, 9, 11, 14, 18, 22, 28, 35, 44, 56, 71, 91, 116)  # bins of 31.25 Hz
_MODULATIONS_HZ = np.arange(24)
_KEPT_MODULATIONS_HZ = np.arange(1, 41)
SMALLEST_COSINE = 0.97
N_NEIGHBOURS = 4
_PARTIAL_WEIGHT = 0.5


def fingerprint(samples: NDArray[np.float32], sample_rate_hz: int) -> NDArray[np.float32]:
    """Return the fingerprint of a clip, which depends neither on its level nor on where in it the recording begins.

    Args:
        samples: float32 (n_samples,), mono.
        sample_rate_hz: Sample rate (Hz).

    Returns:
        float32 (384,), with Euclidean norm 1; zeros for silence.
    """
    return _modulations(np.sqrt(_band_powers(samples, sample_rate_hz)), _MODULATIONS_HZ)


def short_fingerprint(samples: NDArray[np.float32], sample_rate_hz: int) -> NDArray[np.int8]:
    """Return the small fingerprint of a clip that is stored with models; two of them are compared by cosine similarity.

    It is computed from the powers of the bands, to which noise mainly adds a constant, and the constant part is excluded. Among
    3,000 spoken digits (FSDD) and 400 sentences (RAVDESS), no two different ones reach `fingerprints.SMALLEST_COSINE`, but
    copies that are softer, in Vorbis, or with noise at -20 dB do.

    Args:
        samples: float32 (n_samples,), mono.
        sample_rate_hz: Sample rate (Hz).

    Returns:
        int8 (64,); zeros for silence.
    """
    return fingerprints.shorten(_modulations(_band_powers(samples, sample_rate_hz), _KEPT_MODULATIONS_HZ))


def _band_powers(samples: NDArray[np.float32], sample_rate_hz: int) -> NDArray[np.float32]:
    """Return the power of each band in each frame, float32 (n_frames, 16)."""
    padded = np.pad(_prepare(samples, sample_rate_hz), _WINDOW)
    frames = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_HOP] * np.hanning(_WINDOW).astype(np.float32)
    power = np.abs(fft.rfft(frames)) ** 2
    bands: NDArray[np.float32] = np.add.reduceat(power[:, : _BAND_EDGES[-1]], _BAND_EDGES[:-1], axis=1)
    return bands


def _modulations(envelopes: NDArray[np.float32], modulations_hz: NDArray[np.int_]) -> NDArray[np.float32]:
    """Return the magnitudes of the modulation spectra of the bands, float32 (n_modulations * 16,), with Euclidean norm 1."""
    times_s = np.arange(len(envelopes)) * (_HOP / RATE_HZ)
    waves = np.exp(-2j * np.pi * np.outer(modulations_hz, times_s))
    spectra = np.abs(waves @ envelopes).ravel()
    values: NDArray[np.float32] = (spectra / max(np.linalg.norm(spectra), 1e-12)).astype(np.float32)
    return values


def likeness(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Return how alike two signals are, 0 to 1: the peak of their partially weighted cross-correlation.

    Args:
        first: float32 (n_samples,).
        second: float32 (n_other_samples,), at the same sample rate.
    """
    n_samples = fft.next_fast_len(len(first) + len(second), real=True)
    cross = fft.rfft(first, n_samples) * np.conj(fft.rfft(second, n_samples))
    magnitude = np.abs(cross)
    weighted = cross / np.maximum(magnitude, 1e-20) ** _PARTIAL_WEIGHT
    most = fft.irfft(magnitude ** (1 - _PARTIAL_WEIGHT), n_samples)[0]
    return float(np.abs(fft.irfft(weighted, n_samples)).max() / most) if most else 0.0


def find_near_duplicates(
    facts: "pd.DataFrame", audio_folder: Path, *, n_processes: int = 1, progress: Progress | None = None
) -> "pd.DataFrame":
    """Add for each clip the other clip that contains the same recording.

    Args:
        facts: One row per clip, numbered from 0, as `facts.measure` returns them. Silent and broken clips and augmented copies
            are not compared; of clips with identical audio, only one is.
        audio_folder: The folder to which paths are relative.
        n_processes: Number of processes that decode the candidates.
        progress: Called with the number of candidates that have been compared.

    Returns:
        The facts with twin (Int64, the row of the other clip, preferably of another item; null: there is none) and likeness
        (float64, from `SMALLEST_LIKENESS` to 1; NaN: there is none).
    """
    compared = facts[facts["broken"].isna() & ~facts["augmented"] & (facts["peak_dbfs"] >= SILENCE_PEAK_DBFS)]
    compared = compared.drop_duplicates("audio_hash")
    pairs = find_candidates(compared["fingerprint"])
    items, segments = facts["item"].tolist(), list_segments(facts, audio_folder)
    judged = _judge_pairs(pairs, segments, n_processes=n_processes, progress=progress)
    alike = [(items[first] != items[second], peak, first, second) for first, second, peak in judged]
    with_twins = facts.assign(twin=None, likeness=np.nan).astype({"twin": "Int64"})
    for _, peak, first, second in sorted(alike):  # the last one stays: of another item if possible, and the most similar
        with_twins.loc[first, ["twin", "likeness"]] = second, peak
        with_twins.loc[second, ["twin", "likeness"]] = first, peak
    return with_twins


def write_across_items(corpus: Corpus, *, n_processes: int = 1, progress: Progress | None = None) -> "pd.DataFrame | None":
    """Find pairs of clips of different items that contain the same recording; write them and the fingerprints of all clips.

    Pairs with identical audio are not included, because their hashes show them.

    Args:
        corpus: An opened dataset with audio.
        n_processes: Number of processes that decode.
        progress: Called with the number of clips that have been read.

    Returns:
        clip, item, other_clip, other_item, likeness, the most similar first, as in data/<dataset>/near_duplicates.csv. None:
        there are more than `MOST_COMPARED` clips, which are not compared.
    """
    import pandas as pd

    clips = corpus.index[~corpus.index["augmented"]].drop_duplicates("audio_hash").reset_index(drop=True)
    first_minute_s = clips["start_s"].fillna(0.0) + _LONGEST_S  # no more of a long recording is read
    clips["end_s"] = clips["end_s"].where(clips["duration_s"] <= _LONGEST_S, first_minute_s)
    segments = list_segments(clips, corpus.audio_folder)
    is_compared = len(clips) <= MOST_COMPARED
    prints, shortened = {}, np.zeros((len(clips), fingerprints.N_VALUES), np.int8)
    made_of = map_in_processes(_fingerprints_of, segments, n_processes=n_processes, progress=progress)
    for row, (values, shortened[row]) in enumerate(made_of):
        if is_compared and values.any():
            prints[row] = values
    made = fingerprints.Fingerprints(fingerprints.short_hashes(clips["audio_hash"]), shortened)
    copies = fingerprints.without_values(fingerprints.short_hashes(corpus.index["audio_hash"]))
    fingerprints.write_fingerprints(corpus.folder, fingerprints.join([made, copies]))
    if not is_compared:
        return None
    items, names = clips["item"].tolist(), clips["clip"].tolist()
    pairs = [(first, second) for first, second in find_candidates(pd.Series(prints)) if items[first] != items[second]]
    judged = _judge_pairs(pairs, segments, n_processes=n_processes)
    rows = [(names[first], items[first], names[second], items[second], peak) for first, second, peak in judged]
    return write_pairs(corpus.folder, corpus.index_hash, rows)


def find_candidates(prints: "pd.Series[Any]") -> list[tuple[int, int]]:
    """Return pairs of rows, each once, of which one is among the `N_NEIGHBOURS` nearest of the other and close enough.

    Args:
        prints: Fingerprints, float32 (384,) each; the index has the numbers of the rows.
    """
    from sklearn.neighbors import NearestNeighbors

    if len(prints) < 2:
        return []
    values = np.stack(prints.tolist())
    n_neighbours = min(N_NEIGHBOURS, len(values) - 1)
    distances, places = NearestNeighbors(n_neighbors=n_neighbours, metric="cosine").fit(values).kneighbors()
    rows = prints.index.to_numpy()
    near, rank = np.nonzero(distances <= 1 - SMALLEST_COSINE)
    pairs = np.sort(np.column_stack([rows[near], rows[places[near, rank]]]), axis=1)
    return [(int(first), int(second)) for first, second in np.unique(pairs, axis=0)]


def _fingerprints_of(clip: FileSegment) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
    """Return the fingerprint and the small fingerprint of a clip; zeros if it can no longer be read, or is silent."""
    try:
        samples, rate_hz = read_audio(clip.path, start_s=clip.start_s, end_s=clip.end_s)
    except AudioError:
        samples, rate_hz = np.zeros(1, np.float32), RATE_HZ
    return fingerprint(samples, rate_hz), short_fingerprint(samples, rate_hz)


def _judge_pairs(
    pairs: Sequence[tuple[int, int]], segments: Sequence[FileSegment], *, n_processes: int, progress: Progress | None = None
) -> Iterator[tuple[int, int, float]]:
    """Yield the pairs that contain the same recording, each with its likeness."""
    tasks = [(segments[first], segments[second]) for first, second in pairs]
    peaks = map_in_processes(_judge, tasks, n_processes=n_processes, progress=progress)
    yield from ((*pair, peak) for pair, peak in zip(pairs, peaks, strict=True) if peak >= SMALLEST_LIKENESS)


def _judge(pair: tuple[FileSegment, FileSegment]) -> float:
    """Return the likeness of two clips; 0 if one can no longer be read."""
    try:
        first, second = (_prepare(*read_audio(clip.path, start_s=clip.start_s, end_s=clip.end_s)) for clip in pair)
    except AudioError:
        return 0.0
    return likeness(first, second)


def _prepare(samples: NDArray[np.float32], sample_rate_hz: int) -> NDArray[np.float32]:
    """Return the first minute of a clip at `RATE_HZ`; a clip that is too short to be resampled becomes silence."""
    first_minute = samples[: _LONGEST_S * sample_rate_hz]
    try:
        return resample(first_minute, sample_rate_hz, RATE_HZ)
    except AudioError:
        return np.zeros(1, np.float32)
