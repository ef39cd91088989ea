"""Make the inputs of a model from audio in the same way as the experiment: clips, windows, segments, frames."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from preprocessing.audio.read import SILENCE_PEAK_DBFS
from preprocessing.embeddings.examples import embed_clip
from preprocessing.features import extract
from preprocessing.features.windows import lost_samples, make_examples, mark_padding
from preprocessing.store.waveforms import cut_clip, fill_example, lengths_of_waveforms, whole_length
from xval.base.errors import AudioError
from xval.models.saved.description import ModelDescription
from xval.reuse.inference.sources import ClipToPredict
from xval.training.combination.basic_features import segment_features

_SILENT = 10 ** (SILENCE_PEAK_DBFS / 20)


@dataclass(frozen=True)
class Inputs:
    """Some examples of one source.

    Attributes:
        predictors: float32 (n_examples, ...), the input of the model.
        start_s: float64 (n_examples,), start in the file, seconds.
        end_s: float64 (n_examples,), end in the file without padding, seconds.
        basic: float32 (n_examples, 136), basic features if a combination reads them.
        n_frames: Number of frames of a sequence without padding.
        is_cut: Whether the clip is longer than the examples.
        is_silent: Whether all samples are below -80 dBFS.
    """

    predictors: NDArray[np.float32]
    start_s: NDArray[np.float64]
    end_s: NDArray[np.float64]
    basic: NDArray[np.float32] | None = None
    n_frames: int = 0
    is_cut: bool = False
    is_silent: bool = False


def clip_inputs(source: ClipToPredict, description: ModelDescription, *, with_basic: bool) -> Inputs:
    """Return the examples of a clip, cut as in the experiment: the clip, or its windows.

    Raises:
        AudioError: The clip cannot be read, or its features overflow.
    """
    if description.is_custom:
        return _ready(source)
    settings = description.feature_settings
    samples = source.samples(settings.sample_rate_hz, settings.channel_number)
    return _cut(samples, source, description, with_basic=with_basic)


def segment_inputs(
    source: ClipToPredict, description: ModelDescription, every_s: float | None, *, with_basic: bool
) -> Iterator[Inputs]:
    """Yield the examples of segments, each treated as a clip; only one segment at a time is in memory.

    A segment is as long as the training examples. The last one ends with the clip, and may overlap the one before. A clip that
    is shorter than a segment is one segment.

    Args:
        source: A source of any length.
        description: The description of the model.
        every_s: Time from the start of a segment to the start of the next, seconds; None: its length.
        with_basic: Whether to add the basic features.

    Raises:
        AudioError: As `clip_inputs`.
    """
    rate_hz = description.feature_settings.sample_rate_hz
    length = max(1, round((description.example_s or 0) * rate_hz))
    step = length if every_s is None else max(1, round(every_s * rate_hz))
    for first, samples in cut_stream(_blocks(source, description), length, step, moved_back=True):
        yield _cut(samples, source, description, with_basic=with_basic, first_s=first / rate_hz)


def sequence_inputs(source: ClipToPredict, description: ModelDescription) -> Iterator[Inputs]:
    """Yield the consecutive sequences of frames of a recording, the last one padded with silence.

    Raises:
        AudioError: The recording cannot be read, or is shorter than a frame.
    """
    frames = description.frames
    if frames is None:
        raise ValueError("not a model that labels frames")
    rate_hz = description.feature_settings.sample_rate_hz
    size = frames.frame_samples(rate_hz)
    length = frames.sequence_frames * size
    is_empty = True
    if description.is_custom and (source.values is None or source.values.ndim != 2 or source.values.shape[1] != size):
        shape = None if source.values is None else source.values.shape
        raise AudioError(f"array {source.name}: received shape {shape}; expected frames (n_frames, {size}).")
    for first, samples in cut_stream(_blocks(source, description), length, length, moved_back=False):
        n_frames = samples.size // size
        if n_frames:
            is_empty = False
            filled = np.zeros(length, np.float32)
            filled[: n_frames * size] = samples[: n_frames * size]
            start_s = source.offset_s + first / rate_hz
            end_s = start_s + n_frames * size / rate_hz
            yield Inputs(filled.reshape(1, -1, size), np.array([start_s]), np.array([end_s]), n_frames=n_frames)
    if is_empty:
        raise AudioError(f"{source.name}: shorter than one frame of {frames.label_frame_s:g} s, which the model labels.")


def cut_stream(
    blocks: Iterable[NDArray[np.float32]], length: int, step: int, *, moved_back: bool
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Cut a stream of samples into segments, keeping as little as possible in memory.

    Args:
        blocks: The samples, in blocks of any size.
        length: Number of samples of a segment.
        step: Samples from the start of a segment to the start of the next; if larger than the length, samples are skipped.
        moved_back: True: the last segment has full length and ends with the stream; False: it may be shorter. A stream shorter
            than a segment is one segment in both cases.

    Yields:
        The number of the first sample, and float32 (length,) or fewer.
    """
    held, first, following, covered = np.empty(0, np.float32), 0, 0, 0
    for block in blocks:
        held = np.concatenate([held, block])
        while following + length <= first + held.size:
            yield following, held[following - first : following - first + length]
            covered = following + length
            following += step
        unneeded = min(following, first + held.size - length) - first
        if unneeded > 0:
            held, first = held[unneeded:], first + unneeded
    total = first + held.size
    if covered and (total == covered or step > length):
        return
    start = max(0, total - length) if moved_back else following
    if start < total:
        yield start, held[start - first :]


def _blocks(source: ClipToPredict, description: ModelDescription) -> Iterator[NDArray[np.float32]]:
    settings = description.feature_settings
    if description.is_custom and source.values is not None:  # frames that a script made
        return iter([source.values.reshape(-1)])
    return source.blocks(settings.sample_rate_hz, settings.channel_number)


def _cut(
    samples: NDArray[np.float32],
    source: ClipToPredict,
    description: ModelDescription,
    *,
    with_basic: bool,
    first_s: float = 0.0,
) -> Inputs:
    """Return the examples of the samples of a clip or segment."""
    settings = description.feature_settings
    rate_hz = settings.sample_rate_hz
    first, stop = extract.trim(samples, settings)
    # Overflow is checked below.
    with np.errstate(over="ignore", invalid="ignore"):
        make = embed_clip if settings.features == "embedding" else make_examples
        examples = make(samples, settings, description.clip_samples, (first, stop))
    predictors, start_s, end_s = examples.predictors, examples.start_s, examples.end_s
    finite = predictors  # padding that is masked is NaN
    if settings.features == "waveform":
        trimmed = predictors[0]
        lengths = lengths_of_waveforms(settings, description.clip_samples or trimmed.size)
        begin, end = cut_clip(trimmed.size, settings, lengths)
        length = lengths.tested or whole_length(int(end[0] - begin[0]), lengths.n_shortest)
        end = np.minimum(end, begin + length)  # a clip longer than all clips of the corpus is cut
        finite = trimmed
        predictors = np.stack([fill_example(trimmed[a:b], length, lengths) for a, b in zip(begin, end, strict=True)])
        start_s, end_s = start_s[0] + begin / rate_hz, start_s[0] + end / rate_hz
    if not np.isfinite(finite).all():
        raise AudioError(
            f"{source.name}: its features overflow, because samples reach {np.abs(samples).max():g} (full scale is 1)."
        )
    if settings.kinds:
        mark_padding(predictors, start_s, end_s, settings)
    basic = segment_features(samples, rate_hz, list(zip(start_s, end_s, strict=True))) if with_basic else None
    offset_s = source.offset_s + first_s
    is_cut = lost_samples(stop - first, settings, description.clip_samples) > 0
    is_silent = np.abs(samples).max() < _SILENT
    bounds = offset_s + start_s, offset_s + end_s
    return Inputs(predictors, *bounds, basic, is_cut=bool(is_cut), is_silent=bool(is_silent))


def _ready(source: ClipToPredict) -> Inputs:
    """Return features that a script made, which have no times."""
    values = source.values
    if values is None or not np.isfinite(values).all():
        raise AudioError(f"array {source.name}: holds features that are NaN or infinite.")
    return Inputs(values[np.newaxis], np.full(1, np.nan), np.full(1, np.nan))
