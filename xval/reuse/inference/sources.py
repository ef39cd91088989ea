"""The audio that a model is applied to: files, folders, segments of files, or samples in memory."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from preprocessing.audio.open import check_channel
from preprocessing.audio.read import hash_samples, mix, read_audio, read_blocks, resample
from preprocessing.clips.listing import list_audio
from xval.base.errors import AudioError, SettingsError, UndefinedAnswerError

_AUDIO = "a file, a folder, an array of samples, or a list of these"


class Segment(NamedTuple):
    """A segment of an audio file.

    Attributes:
        start_s: Start, seconds; None or NaN: the beginning of the file.
        end_s: End, seconds; None or NaN: the end of the file.
    """

    path: str | Path
    start_s: float | None = None
    end_s: float | None = None


class LeftOut(NamedTuple):
    """A source that could not be read, or that has no defined prediction.

    Attributes:
        number: Its number among the sources, from 0; each file of a folder counts.
        path: As in the tables.
        reason: Why it is skipped.
        is_undefined: Whether it was read, but its prediction is NaN or infinite.
    """

    number: int
    path: str
    reason: str
    is_undefined: bool = False

    @property
    def line(self) -> str:
        """The path and the reason, as printed."""
        return f"skipped: {self.reason if self.path in self.reason else f'{self.path}: {self.reason}'}"


class Failures:
    """The reasons why sources could not be read or predicted.

    Args:
        are_skipped: Whether such sources are skipped; otherwise the first one raises its error.
    """

    def __init__(self, *, are_skipped: bool) -> None:
        self._are_skipped = are_skipped
        self._errors: dict[int, AudioError | UndefinedAnswerError] = {}

    def add(self, number: int, error: AudioError | UndefinedAnswerError | None) -> None:
        """Store the first error of a source, or raise it; None: there is no error."""
        if error is None:
            return
        if not self._are_skipped:
            raise error
        self._errors.setdefault(number, error)

    @property
    def numbers(self) -> set[int]:
        """The numbers of the sources."""
        return set(self._errors)

    def listed(self, sources: Sequence["ClipToPredict"]) -> list[LeftOut]:
        """Return the skipped sources, in their order."""
        return [
            LeftOut(number, sources[number].name, str(error), isinstance(error, UndefinedAnswerError))
            for number, error in sorted(self._errors.items())
        ]


_LARGEST_SAMPLE = 100.0
"""40 dB above full scale: larger samples are integers that were converted to float."""

_MOST_CHANNELS = 8
"""Of an array. What has more rows may be as many clips, or features."""
_FEWEST_SAMPLES = 100
"""Of each channel of an array, times the number of channels; with less, either axis may be the channels."""

Samples: TypeAlias = NDArray[np.floating[Any]]
Audio: TypeAlias = str | Path | Segment | Samples | Mapping[str, Any]
"""A file or folder, a segment of a file, or float samples, full scale -1 to 1: (n_samples,), (n_channels, n_samples) or
(n_samples, n_channels); with their rate, ``{"array": samples, "sampling_rate": rate}``. Also an array of ready features."""


@dataclass
class ClipToPredict:
    """A clip to predict.

    Attributes:
        name: Its name in tables: its path, or the number of the array.
        segment: A segment of a file; None: an array.
        values: Samples or features; None: a file.
        rate_hz: Sample rate of an array, Hz.
        audio_hash: As in `preprocessing.audio.read.AudioFacts`, after all of it was read; empty before.
    """

    name: str
    segment: Segment | None = None
    values: NDArray[np.float32] | None = None
    rate_hz: int = 0
    audio_hash: str = ""

    @property
    def offset_s(self) -> float:
        """Start of the clip in its file (s)."""
        return (self.segment.start_s or 0.0) if self.segment else 0.0

    def samples(self, sample_rate_hz: int, channel: int | None) -> NDArray[np.float32]:
        """Return all samples, float32 (n_samples,), at a rate.

        Raises:
            AudioError: They cannot be read.
        """
        if self.segment is None:
            return np.concatenate(list(self.blocks(sample_rate_hz, channel)))
        path, start_s, end_s = self.segment
        samples, _ = read_audio(
            Path(path), sample_rate_hz=sample_rate_hz, start_s=start_s, end_s=end_s, channel=channel, on_hash=self._take_hash
        )
        return samples

    def blocks(self, sample_rate_hz: int, channel: int | None) -> Iterator[NDArray[np.float32]]:
        """Yield the samples in blocks, float32 (n,), so that long files are never completely in memory.

        Raises:
            AudioError: They cannot be read.
        """
        if self.segment is not None:
            path, start_s, end_s = self.segment
            yield from read_blocks(
                Path(path),
                sample_rate_hz=sample_rate_hz,
                start_s=start_s,
                end_s=end_s,
                channel=channel,
                on_hash=self._take_hash,
            )
            return
        samples = _by_channel(self.values, f"array {self.name}")
        if samples.shape[1] == 1:
            channel = None
        check_channel(f"array {self.name}", samples.shape[1], channel)
        mean, mixed = mix(f"array {self.name}", samples, channel)
        self._take_hash(hash_samples(mean, self.rate_hz))
        yield resample(mixed, self.rate_hz, sample_rate_hz)

    def _take_hash(self, audio_hash: str) -> None:
        self.audio_hash = audio_hash


def list_sources(audio: Audio | Iterable[Audio], *, sample_rate_hz: int | None, is_custom: bool) -> list[ClipToPredict]:
    """Return the single clips of the user's audio, in its order.

    Args:
        audio: One or several; a folder stands for the audio files in and below it, sorted by name.
        sample_rate_hz: Rate of arrays that do not name their own.
        is_custom: Whether the model reads ready features from a script, which cannot be computed from audio.
    """
    if not _is_one(audio) and not isinstance(audio, Iterable):
        raise SettingsError(f"audio: received {audio!r:.60}; expected {_AUDIO}.")
    listed: Sequence[Audio] = [audio] if _is_one(audio) else list(audio)  # type: ignore[arg-type, list-item]
    if not listed:
        raise SettingsError("no audio was given. Give files or folders.")
    sources: list[ClipToPredict] = []
    for given in listed:
        if isinstance(given, str | Path) and Path(given).is_dir():
            files = list_audio(Path(given), "audio files")
            sources += [ClipToPredict(str(Path(given) / name), Segment(Path(given) / name)) for name in files]
        elif isinstance(given, str | Path):
            sources.append(ClipToPredict(str(given), Segment(given)))
        elif isinstance(given, Segment):
            sources.append(ClipToPredict(str(given.path), Segment(given.path, _known(given.start_s), _known(given.end_s))))
        else:
            name = f"array {len(sources)}"
            if given is None:
                raise SettingsError(f"{name}: received None; expected {_AUDIO}.")
            array, rate_hz = _array_and_rate(given, name, sample_rate_hz)
            values = _samples(array, name, rate_hz, is_custom=is_custom)
            sources.append(ClipToPredict(str(len(sources)), values=values, rate_hz=rate_hz or 0))
    if is_custom and (any(source.segment for source in sources) or any(map(_is_decoded, listed))):
        raise SettingsError(
            "this model reads features made by a script (preprocessing.store.write), which cannot be computed from audio "
            "files. In Python, give arrays of the same features: model.predict([features])."
        )
    return sources


def one_rate(sample_rate_hz: int | None, sampling_rate: int | None) -> int | None:
    """Return the rate of arrays (Hz) from one of two arguments; the second has the name of transformers and datasets.

    Raises:
        SettingsError: Both are given and differ; or one is no number.
    """
    for name, rate in (("sample_rate_hz", sample_rate_hz), ("sampling_rate", sampling_rate)):
        if rate is not None and (isinstance(rate, bool) or not isinstance(rate, Real)):
            raise SettingsError(f"{name}: received {rate!r:.60}; expected a number of samples per second, such as 16000.")
    if None not in (sample_rate_hz, sampling_rate) and sample_rate_hz != sampling_rate:
        raise SettingsError(
            f"sample_rate_hz={sample_rate_hz} and sampling_rate={sampling_rate} are two names for the sample rate of arrays. "
            "Give only one."
        )
    return sampling_rate if sample_rate_hz is None else sample_rate_hz


def _is_one(audio: Any) -> bool:
    """Return whether this is one clip or folder, including an array of numbers, such as a tensor of torchaudio."""
    if isinstance(audio, str | Path | Segment) or _is_decoded(audio):
        return True
    return hasattr(audio, "__array__") and np.asarray(audio).dtype.kind in "biufc"


def _is_decoded(audio: Any) -> bool:
    """Return whether this is audio of the library datasets: a dict, or a decoder that is used like one."""
    return isinstance(audio, Mapping) or hasattr(audio, "get_all_samples")


def _array_and_rate(audio: Any, name: str, sample_rate_hz: int | None) -> tuple[Any, int | None]:
    """Return an array and its rate, which a clip of datasets names itself."""
    if not _is_decoded(audio):
        return audio, sample_rate_hz
    try:
        array, rate_hz = audio["array"], audio["sampling_rate"]
    except (KeyError, TypeError) as error:
        raise SettingsError(
            f"{name}: received {audio!r:.80}; expected {{'array': samples, 'sampling_rate': rate}}, as from a column "
            "Audio(decode=True) of datasets."
        ) from error
    if sample_rate_hz not in (None, rate_hz):
        raise SettingsError(
            f"{name}: its own sampling_rate is {rate_hz}, but the call gives {sample_rate_hz}. Remove the rate from the call."
        )
    return array, rate_hz


def _by_channel(values: NDArray[np.float32] | None, name: str) -> NDArray[np.float32]:
    """Return samples as float32 (n_samples, n_channels); the much shorter axis is the channels.

    Raises:
        AudioError: There are no samples, or both axes may be the channels.
    """
    shape = None if values is None else values.shape
    if values is None or not values.size:
        raise AudioError(f"{name}: received shape {shape}; expected samples (n_samples,), at least one.")
    if values.ndim == 1:
        return values[:, np.newaxis]
    if values.ndim == 2:
        n_channels, n_samples = sorted(values.shape)
        if n_channels == 1 or (n_channels <= _MOST_CHANNELS and n_samples >= _FEWEST_SAMPLES * n_channels):
            return values if values.shape[1] == n_channels else np.ascontiguousarray(values.T)
    unclear = ", in which either axis may be the channels" if values.ndim == 2 else ""
    raise AudioError(
        f"{name}: received shape {shape}{unclear}. Expected samples (n_samples,), (n_channels, n_samples) or "
        f"(n_samples, n_channels), with at most {_MOST_CHANNELS} channels and {_FEWEST_SAMPLES} times as many samples. Write "
        "x.mean(axis=0) or x.mean(axis=1) for the mean of the channels, list(x) for several clips."
    )


def _samples(values: Any, name: str, sample_rate_hz: int | None, *, is_custom: bool) -> NDArray[np.float32]:
    """Return a given array as float32, after checking it."""
    array = np.asarray(values)
    if is_custom:
        return array.astype(np.float32)
    if sample_rate_hz is None or sample_rate_hz < 1:
        raise SettingsError(
            f"{name}: the sample rate is missing. Give it, for example sampling_rate=16000; received {sample_rate_hz}."
        )
    if array.dtype.kind != "f":
        raise SettingsError(
            f"{name}: received {array.dtype}; expected float samples, full scale -1 to 1. Divide 16-bit samples by 32768."
        )
    largest = np.abs(array).max(initial=0, where=np.isfinite(array))
    if largest > _LARGEST_SAMPLE:
        raise SettingsError(
            f"{name}: its samples reach {largest:g}; expected -1 to 1 (full scale). Divide 16-bit samples by 32768."
        )
    return array.astype(np.float32)


def _known(time_s: float | None) -> float | None:
    """Return a time, or None if it is NaN or infinite."""
    return None if time_s is None or not math.isfinite(time_s) else float(time_s)
