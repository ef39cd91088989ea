"""Find clips that hold one recording twice: at another level, in another encoding, or with some padding or cutting at the ends.

1. The fingerprint of a clip holds the magnitudes of the modulation spectra of its bands: neither its level nor where it begins
   changes them (Sukittanon, Atlas and Pitton 2004, "Modulation-Scale Analysis for Content Identification", IEEE Trans. Signal
   Processing 52). The nearest neighbours of each clip by their cosine are candidates.
2. A candidate is judged by the highest peak of the generalised cross-correlation of the samples, weighted by the magnitude of
   their cross-spectrum to the power -0.5 (Knapp and Carter 1976; the partial weight: Donohue et al. 2007) and divided by what
   it is for equal phases: 1 for the same samples at whatever level and place, about 0 for others.

Of 3,000 spoken digits (FSDD) no two different ones were taken for one recording (highest peak 0.81). Found were all copies
that were 12 dB softer, in Vorbis or Opus, or padded with zeros, 99.9 % of those in MP3, and 80 % of those cut by 50 ms at both
ends (benchmarks/near_duplicates.py). What is above 4 kHz and behind the first minute is not compared.
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
"""Clips whose correlation has such a peak hold the same recording."""

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
    """Return numbers that tell a recording from others, whatever its level and wherever in the clip it begins.

    Args:
        samples: float32 (n_samples,), mono.
        sample_rate_hz: Their rate.

    Returns:
        float32 (384,), of length 1; zeros for silence.
    """
    return _modulations(np.sqrt(_band_powers(samples, sample_rate_hz)), _MODULATIONS_HZ)


def short_fingerprint(samples: NDArray[np.float32], sample_rate_hz: int) -> NDArray[np.int8]:
    """Return the fingerprint that a model keeps of a clip, int8 (64,), of which only the cosine decides; arguments as above.

    It is made of the powers of the bands, to which noise adds little but a constant, and that is left out. Of 3,000 spoken
    digits (FSDD) and 400 sentences (RAVDESS) no two different ones reach `fingerprints.SMALLEST_COSINE`; copies that are
    softer, in Vorbis, or with noise 20 dB below do.
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
    """Return the magnitudes of the modulation spectra of the bands, float32 (n_modulations * 16,), of length 1."""
    times_s = np.arange(len(envelopes)) * (_HOP / RATE_HZ)
    waves = np.exp(-2j * np.pi * np.outer(modulations_hz, times_s))
    spectra = np.abs(waves @ envelopes).ravel()
    values: NDArray[np.float32] = (spectra / max(np.linalg.norm(spectra), 1e-12)).astype(np.float32)
    return values


def likeness(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Return the peak of the partially weighted cross-correlation of two signals at one rate, from 0 to 1."""
    n_samples = fft.next_fast_len(len(first) + len(second), real=True)
    cross = fft.rfft(first, n_samples) * np.conj(fft.rfft(second, n_samples))
    magnitude = np.abs(cross)
    weighted = cross / np.maximum(magnitude, 1e-20) ** _PARTIAL_WEIGHT
    most = fft.irfft(magnitude ** (1 - _PARTIAL_WEIGHT), n_samples)[0]
    return float(np.abs(fft.irfft(weighted, n_samples)).max() / most) if most else 0.0


def find_near_duplicates(
    facts: "pd.DataFrame", audio_folder: Path, *, n_processes: int = 1, progress: Progress | None = None
) -> "pd.DataFrame":
    """Add for each clip the one that it nearly equals.

    Args:
        facts: As `facts.measure` returns it, rows numbered from 0. Silent and broken clips and augmented copies are not
            compared; of those with identical audio one is.
        audio_folder: What the paths are relative to.
        n_processes: Processes that decode the candidates.
        progress: Told how many candidates have been judged.

    Returns:
        The facts with twin (Int64, the row of the other clip, of another item if there is such; null: none) and likeness
        (float64, from `SMALLEST_LIKENESS` to 1).
    """
    compared = facts[facts["broken"].isna() & ~facts["augmented"] & (facts["peak_dbfs"] >= SILENCE_PEAK_DBFS)]
    compared = compared.drop_duplicates("audio_hash")
    pairs = find_candidates(compared["fingerprint"])
    items, segments = facts["item"].tolist(), list_segments(facts, audio_folder)
    judged = _judge_pairs(pairs, segments, n_processes=n_processes, progress=progress)
    alike = [(items[first] != items[second], peak, first, second) for first, second, peak in judged]
    with_twins = facts.assign(twin=None, likeness=np.nan).astype({"twin": "Int64"})
    for _, peak, first, second in sorted(alike):  # the last one stays: of another item if there is such, the most alike
        with_twins.loc[first, ["twin", "likeness"]] = second, peak
        with_twins.loc[second, ["twin", "likeness"]] = first, peak
    return with_twins


def write_across_items(corpus: Corpus, *, n_processes: int = 1, progress: Progress | None = None) -> "pd.DataFrame | None":
    """Find the clips of different items that hold one recording, and write them next to the index, with all fingerprints.

    Clips with identical audio are not among them: their hashes tell them.

    Args:
        corpus: An opened corpus with audio.
        n_processes: Processes that decode.
        progress: Told how many clips are read.

    Returns:
        clip, item, other_clip, other_item, likeness, the most alike first: the content of data/<dataset>/near_duplicates.csv.
        None of more than `MOST_COMPARED` clips, which are not compared.
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
    """Return pairs of rows, each once, where one fingerprint is among the nearest of the other."""
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
    """Return both fingerprints of a clip; zeros if it cannot be read any more, or is silent."""
    try:
        samples, rate_hz = read_audio(clip.path, start_s=clip.start_s, end_s=clip.end_s)
    except AudioError:
        samples, rate_hz = np.zeros(1, np.float32), RATE_HZ
    return fingerprint(samples, rate_hz), short_fingerprint(samples, rate_hz)


def _judge_pairs(
    pairs: Sequence[tuple[int, int]], segments: Sequence[FileSegment], *, n_processes: int, progress: Progress | None = None
) -> Iterator[tuple[int, int, float]]:
    """Yield the pairs that hold one recording, with how alike they are."""
    tasks = [(segments[first], segments[second]) for first, second in pairs]
    peaks = map_in_processes(_judge, tasks, n_processes=n_processes, progress=progress)
    yield from ((*pair, peak) for pair, peak in zip(pairs, peaks, strict=True) if peak >= SMALLEST_LIKENESS)


def _judge(pair: tuple[FileSegment, FileSegment]) -> float:
    """Return how alike two clips are; 0 if one can no longer be read."""
    try:
        first, second = (_prepare(*read_audio(clip.path, start_s=clip.start_s, end_s=clip.end_s)) for clip in pair)
    except AudioError:
        return 0.0
    return likeness(first, second)


def _prepare(samples: NDArray[np.float32], sample_rate_hz: int) -> NDArray[np.float32]:
    """Return the first minute at the rate of the comparison; clips too short to be resampled become silent."""
    first_minute = samples[: _LONGEST_S * sample_rate_hz]
    try:
        return resample(first_minute, sample_rate_hz, RATE_HZ)
    except AudioError:
        return np.zeros(1, np.float32)
