"""Which segments of the clips in a store of waveforms are examples, and what a model's front end makes of them.

The features that the front end makes depend on the settings of an instance. Their moments are kept next to the store.
"""

import hashlib
import json
import math
import os
from collections.abc import Collection, Iterable
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from preprocessing.features import extract
from preprocessing.features.feature_settings import FeatureSettings
from preprocessing.features.spectrogram import count_frames
from preprocessing.features.windows import window_samples, window_starts
from preprocessing.file_replacement import replace_file
from preprocessing.parallel import Progress, map_in_processes
from preprocessing.store import FeatureStore, open_store
from preprocessing.store.moments import ItemSums, Moments, read_moments, write_moments
from xval.base.errors import SettingsError

# Whole clips are made a little longer, to one of few lengths, so that clips of one length make a batch and a backend that
# compiles for each shape compiles rarely: four lengths to every doubling.
LENGTHS_PER_DOUBLING = 4


@dataclass(frozen=True)
class Lengths:
    """How long the examples are that are cut from waveforms.

    Attributes:
        training: Samples of an example that trains.
        tested: Samples of an example that is validated or tested; None: whole clips, each of about its own length.
        n_shortest: Samples that a clip has at least; a shorter one is continued.
        n_longest: Samples of a clip that are used; None: all.
        is_masked: Whether NaN is behind a shorter clip, for a network that reads where clips end.
    """

    training: int
    tested: int | None
    n_shortest: int
    n_longest: int | None
    is_masked: bool = False

    @property
    def model_length(self) -> int | None:
        """Samples that the model reads at once; None: any number."""
        return self.training if self.training == self.tested and not self.is_masked else None


def example_lengths(store: FeatureStore, settings: FeatureSettings) -> Lengths:
    """Return how long examples are that are cut from the clips of a store; see `lengths_of_waveforms`."""
    return lengths_of_waveforms(settings, store.description.clip_samples or store.example_shape[0])


def lengths_of_waveforms(settings: FeatureSettings, longest_samples: int) -> Lengths:
    """Return how long examples are.

    Args:
        settings: Of these ``crop_s``, ``example_length_s`` and ``clip_length_s`` decide. Without a crop all sides see windows,
            or whole clips, zero-padded or cut to one length (the longest clip of the corpus, unless ``clip_length_s`` is set).
        longest_samples: Length of the longest clip of the corpus, at the settings' rate.
    """
    rate_hz = settings.sample_rate_hz
    window = window_samples(settings)
    longest = None if settings.clip_length_s is None else max(1, round(settings.clip_length_s * rate_hz))
    is_masked = settings.padding == "masked"
    if settings.crop_s is None:
        length = window or longest or longest_samples
        return Lengths(length, length, 1, longest, is_masked)
    crop = max(1, round(settings.crop_s * rate_hz))
    return Lengths(crop, window, crop, longest, is_masked)


def cut_clip(n_samples: int, settings: FeatureSettings, lengths: Lengths) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where the examples of a clip are that are validated or tested: windows, or the clip.

    Args:
        n_samples: Length of the clip.
        settings: Of these ``example_length_s`` and ``example_overlap`` decide.
        lengths: Of `lengths_of_waveforms`.

    Returns:
        The first sample of each, and the one behind its last that is in the clip; int64 (n_examples,).
    """
    used = n_samples if lengths.n_longest is None else min(n_samples, lengths.n_longest)
    window = None if settings.example_length_s is None else lengths.tested
    if window is None:
        return np.zeros(1, np.int64), np.full(1, used, np.int64)
    begin = window_starts(max(used, window), window, settings.example_overlap).astype(np.int64)
    return begin, np.minimum(begin + window, used)


def fill_example(samples: NDArray[np.float32], length: int, lengths: Lengths) -> NDArray[np.float32]:
    """Return the samples of an example at the length that a model reads, float32 (length,).

    A shorter one is followed by silence; where models read clips of any length it is continued by itself instead, because
    silence would weigh in averages over time. Where they read masks, it is followed by NaN, which no clip has.
    """
    if lengths.n_shortest > 1 and not lengths.is_masked:
        return np.resize(samples, length)
    filled = np.full(length, np.nan if lengths.is_masked else 0, np.float32)
    filled[: min(samples.size, length)] = samples[:length]
    return filled


def whole_length(n_samples: int, n_shortest: int) -> int:
    """Return the length that a whole clip is continued to: the next one of a few, at most a fifth longer."""
    if n_samples <= n_shortest:
        return n_shortest
    steps = math.ceil(LENGTHS_PER_DOUBLING * math.log2(n_samples / n_shortest) - 1e-9)
    return max(n_samples, math.ceil(n_shortest * 2 ** (steps / LENGTHS_PER_DOUBLING)))


def example_shape(store: FeatureStore, settings: FeatureSettings) -> tuple[int | None, ...]:
    """Return the shape of what the architecture's part of the model gets for one example.

    Returns:
        As stored; behind a front end (n_frames, n_bins), without one (n_samples, 1). The first is None where clips of different
        lengths are tested, or padding is masked, and batches are cut to their longest clip.
    """
    if not store.is_waveform:
        return (None, *store.example_shape[1:]) if settings.padding == "masked" else store.example_shape
    length = example_lengths(store, settings).model_length
    if settings.frontend == "none":
        return (length, 1)
    return (None if length is None else count_frames(length, settings), n_bins(settings))


def n_bins(settings: FeatureSettings) -> int:
    """Return how many bins a frame of the front end's features has; without a front end a frame is one sample."""
    if settings.frontend == "none":
        return 1
    return settings.n_mels if settings.frontend == "logmel" else 1 + settings.n_fft // 2


def make_moments(
    store: FeatureStore, settings: FeatureSettings, *, n_processes: int = 1, progress: Progress | None = None
) -> None:
    """Compute the moments of what a front end makes of every clip, once for each front end.

    Clips are taken as they are tested: padded to one length, or cut to ``clip_length_s`` where it is set. Crops
    and windows are taken as parts of their clip, so that ``db_reference = max`` and ``top_db`` refer to the clip here.

    Args:
        store: A store of waveforms.
        settings: The front end.
        n_processes: Processes that extract features; the result does not depend on it.
        progress: Told how many clips are done.
    """
    path = _moments_path(store, settings)
    if path.exists():
        return
    table = store.examples
    clips = [_ClipSamples(*row) for row in zip(table["item"], table["first_row"], table["stop_row"], strict=True)]
    padded, longest = _clip_form(store, settings)
    measure = partial(_clip_sums, folder=store.folder, settings=settings, padded=padded, longest=longest)
    sums = {item: ItemSums(n_bins(settings)) for item in store.items}
    with closing(map_in_processes(measure, clips, n_processes=n_processes, progress=progress)) as outcomes:
        for clip, clip_moments in zip(clips, outcomes, strict=True):
            sums[clip.item].merge(clip_moments)
    replace_file(path, lambda temporary: write_moments(temporary, list(sums.values())))


def waveform_moments(
    store: FeatureStore, settings: FeatureSettings, items: Iterable[str], clips: Collection[str] | None = None
) -> Moments:
    """Return the sums over the features of some items, as `make_moments` left them.

    Args:
        store: A store of waveforms.
        settings: The front end.
        items: Whose clips.
        clips: Only these clips, whose features are computed for it; None: all.

    Raises:
        CorpusError: They are missing or damaged.
    """
    if clips is not None:
        table = store.examples[store.examples["item"].isin(list(items)) & store.examples["clip"].isin(clips)]
        padded, longest = _clip_form(store, settings)
        sums = ItemSums(n_bins(settings))
        for row in zip(table["item"], table["first_row"], table["stop_row"], strict=True):
            sums.merge(_clip_sums(_ClipSamples(*row), folder=store.folder, settings=settings, padded=padded, longest=longest))
        return sums.moments()
    return read_moments(_moments_path(store, settings), store.items, items, n_bins=n_bins(settings))


class _ClipSamples(NamedTuple):
    """Where the samples of a clip are in the store."""

    item: str
    first: int
    stop: int


def _clip_form(store: FeatureStore, settings: FeatureSettings) -> tuple[int | None, int | None]:
    """Return the length that clips are padded or cut to (None: their own), and how much of them is used (None: all)."""
    lengths = example_lengths(store, settings)
    is_whole = settings.crop_s is None and settings.example_length_s is None
    is_padded = is_whole and store.task_type != "frame_classification" and not lengths.is_masked
    return (lengths.tested if is_padded else None), lengths.n_longest


def _moments_path(store: FeatureStore, settings: FeatureSettings) -> Path:
    decisive = {"frontend"}
    if settings.frontend != "none":
        decisive |= {"n_fft", "win_length", "hop_length", "window", "power", "scale", "db_reference", "top_db", "pre_emphasis"}
    if settings.frontend == "logmel":
        decisive |= {"n_mels", "mel_scale", "fmin_hz", "fmax_hz"}
    made_of = [extract.FEATURES_VERSION, settings.model_dump(mode="json", include=decisive), _clip_form(store, settings)]
    key = hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:16]
    return store.folder / f"moments_{key}.npz"


def _clip_sums(
    clip: _ClipSamples, *, folder: Path, settings: FeatureSettings, padded: int | None, longest: int | None
) -> ItemSums:
    stop = clip.stop if longest is None else min(clip.stop, clip.first + longest)
    samples: NDArray[np.float32] = np.asarray(_open(os.fspath(folder)).predictors()[clip.first : stop])
    sums = ItemSums(n_bins(settings))
    if settings.frontend == "none":
        values = (
            samples[:, np.newaxis] if padded is None else np.pad(samples, (0, max(0, padded - samples.size)))[:, np.newaxis]
        )
        sums.add(values)
        return sums
    # Overflow shows in the values.
    with np.errstate(over="ignore", invalid="ignore"):
        is_finite = sums.add(extract.extract(samples, settings.spectral(), n_samples=padded))
    if not is_finite:
        raise SettingsError(f"the {settings.frontend} of a clip of item '{clip.item}' overflows. Lower power.")
    return sums


@lru_cache(maxsize=1)
def _open(folder: str) -> FeatureStore:
    return open_store(Path(folder))
