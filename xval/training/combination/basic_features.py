"""The hand-crafted features of all examples of a feature store, computed once and stored next to it.

They are in ``basic_<key>.npz`` in the folder of the store. The key is a hash of the examples and of the version of the
features.
"""

import hashlib
import json
import math
from collections.abc import Collection, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from preprocessing.corpus import Corpus
from preprocessing.features.feature_settings import FeatureSettings
from preprocessing.file_replacement import replace_file
from preprocessing.parallel import Progress, map_in_processes
from preprocessing.store import FeatureStore
from preprocessing.store.make import read_clip
from preprocessing.store.moments import DAMAGE
from xval.base.errors import CorpusError
from xval.data.examples import StoredExamples, WaveformExamples
from xval.training.combination.short_term import FEATURE_NAMES, SHORT_TERM_VERSION, basic_features

ExamplesOfClips: TypeAlias = StoredExamples | WaveformExamples
"""Examples that are clips or their windows; frames of recordings have separate labels and are not combined."""


class _Clip(NamedTuple):
    """A row of the index, and the examples of the clip: (start_s, end_s) in its file."""

    path: str
    start_s: float
    end_s: float
    audio_hash: str
    bounds: tuple[tuple[float, float], ...]


def make_basic_features(
    corpus: Corpus,
    store: FeatureStore,
    settings: FeatureSettings,
    *,
    n_processes: int = 1,
    progress: Progress | None = None,
) -> None:
    """Compute the features of all examples of a store unless they are stored already.

    Args:
        corpus: The corpus from which the store was made.
        store: Its features, whose table has the times of each example.
        settings: The sample rate, the channel, and the settings that cut waveforms into examples are used.
        n_processes: Number of processes that decode audio, which does not affect the features.
        progress: Function that receives the number of finished clips.
    """
    if corpus.is_custom:
        raise CorpusError(
            f"dataset '{corpus.dataset}' was made from arrays (preprocessing.store.write) and has no audio to compute basic "
            "features from. Set basic_features=False and combine models."
        )
    table = all_examples(store, settings, store.items).table
    path = _path(store, settings, table)
    if path.exists():
        return
    by_clip = {str(clip): np.asarray(positions) for clip, positions in table.groupby("clip", sort=False).indices.items()}
    starts, ends = table["start_s"].to_numpy(), table["end_s"].to_numpy()
    rows = corpus.index.set_index("clip").loc[list(by_clip)]
    columns = [rows[column].tolist() for column in _Clip._fields[:-1]]
    bounds = [tuple(zip(starts[positions].tolist(), ends[positions].tolist(), strict=True)) for positions in by_clip.values()]
    clips = [_Clip(*row) for row in zip(*columns, bounds, strict=True)]
    compute = partial(_clip_features, audio_folder=corpus.audio_folder, settings=settings)
    features = np.empty((len(table), len(FEATURE_NAMES)), np.float32)
    with closing(map_in_processes(compute, clips, n_processes=n_processes, progress=progress)) as outcomes:
        for positions, values in zip(by_clip.values(), outcomes, strict=True):
            features[positions] = values
    replace_file(path, lambda temporary: _write(temporary, features))


def read_basic_features(store: FeatureStore, settings: FeatureSettings, table: pd.DataFrame) -> NDArray[np.float32]:
    """Return the features from `make_basic_features` for the examples in a table (clip, start_s, end_s).

    Returns:
        float32 (n_examples, 136).
    """
    everything = all_examples(store, settings, store.items).table
    path = _path(store, settings, everything)
    remedy = f"Delete {path} and run the experiment again."
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            features: NDArray[np.float32] = arrays["features"]
    except DAMAGE as error:
        raise CorpusError(f"{path}: missing or damaged ({' '.join(str(error).split())}). {remedy}") from error
    if features.shape != (len(everything), len(FEATURE_NAMES)) or features.dtype != np.float32:
        raise CorpusError(f"{path}: damaged ({features.dtype} {features.shape}). {remedy}")
    position = {key: number for number, key in enumerate(_keys(everything))}
    return features[[position[key] for key in _keys(table)]]


def segment_features(
    samples: NDArray[np.float32], sample_rate_hz: int, bounds: Sequence[tuple[float, float]]
) -> NDArray[np.float32]:
    """Return the features of segments of a clip.

    Args:
        samples: float32 (n_samples,), the clip.
        sample_rate_hz: Sample rate, Hz.
        bounds: Start and end of each segment from the beginning of the clip, seconds.

    Returns:
        float32 (n_segments, 136).
    """
    features = np.empty((len(bounds), len(FEATURE_NAMES)), np.float32)
    for row, (start_s, end_s) in enumerate(bounds):
        first = min(max(0, round(start_s * sample_rate_hz)), len(samples) - 1)
        features[row] = basic_features(samples[first : max(first + 1, round(end_s * sample_rate_hz))], sample_rate_hz)
    return features


def all_examples(
    store: FeatureStore, settings: FeatureSettings, items: Sequence[str], clips: Collection[str] | None = None
) -> ExamplesOfClips:
    """Return the examples of some items, or of some of their clips (None: all), including augmented ones.

    Clips are cut as they are tested, never cropped.
    """
    if store.is_waveform:
        return WaveformExamples(store, tuple(items), settings, augmented=True, clips=clips)
    return StoredExamples(store, tuple(items), augmented=True, clips=clips)


def _clip_features(clip: _Clip, *, audio_folder: Path, settings: FeatureSettings) -> NDArray[np.float32]:
    """Return the features of a clip's examples, after checking that the audio is that of the index."""
    path = audio_folder / clip.path
    samples = read_clip(path, clip.start_s, clip.end_s, clip.audio_hash, settings)
    offset_s = 0.0 if math.isnan(clip.start_s) else clip.start_s
    bounds = [(start_s - offset_s, end_s - offset_s) for start_s, end_s in clip.bounds]
    features = segment_features(samples, settings.sample_rate_hz, bounds)
    if not np.isfinite(features).all():
        raise CorpusError(
            f"{path}: its basic features overflow, because samples reach {np.abs(samples).max():g} (full scale is 1)."
        )
    return features


def _keys(table: pd.DataFrame) -> list[tuple[str, float, float]]:
    """Return a key for each example of a table that is unique in the store."""
    return list(zip(table["clip"], table["start_s"], table["end_s"], strict=True))


def _path(store: FeatureStore, settings: FeatureSettings, table: pd.DataFrame) -> Path:
    made_of = [SHORT_TERM_VERSION, settings.sample_rate_hz, settings.channel, _keys(table)]
    key = hashlib.sha256(json.dumps(made_of).encode()).hexdigest()[:16]
    return store.folder / f"basic_{key}.npz"


def _write(path: Path, features: NDArray[np.float32]) -> None:
    with path.open("wb") as file:
        np.savez(file, features=features)
