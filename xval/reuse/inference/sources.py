"""The audio that a model is applied to: files, folders, stretches of files, or samples in memory.

Comes in: paths and arrays. Goes out: `Source`s, each read whole or block by block at the rate of the model.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from preprocessing.audio.read import read_audio, read_blocks, resample
from preprocessing.clips.listing import list_audio
from xval.base.errors import AudioError, SettingsError


class Stretch(NamedTuple):
    """A stretch of an audio file.

    Attributes:
        path: The file.
        start_s: Its begin; None or NaN: that of the file.
        end_s: Its end; None or NaN: that of the file.
    """

    path: str | Path
    start_s: float | None = None
    end_s: float | None = None


class LeftOut(NamedTuple):
    """A source that could not be read.

    Attributes:
        number: Its number among the sources, from 0; each file of a folder counts.
        path: As in the tables.
        reason: Why it could not be read.
    """

    number: int
    path: str
    reason: str


_LARGEST_SAMPLE = 100.0
"""40 dB above full scale: larger samples are integers that were converted to float."""

Samples: TypeAlias = NDArray[np.floating[Any]]
Audio: TypeAlias = str | Path | Stretch | Samples
"""A file or folder, a stretch of a file, or float samples (n_samples,), full scale -1 to 1; also an array of ready features."""


@dataclass(frozen=True)
class Source:
    """One clip to be predicted.

    Attributes:
        name: In tables: its path, or the number of the array.
        stretch: Of a file; None: an array.
        values: Samples (n_samples,) or features; None: a file.
        rate_hz: Of the samples of an array.
    """

    name: str
    stretch: Stretch | None = None
    values: NDArray[np.float32] | None = None
    rate_hz: int = 0

    @property
    def offset_s(self) -> float:
        """Begin of the clip in its file (s)."""
        return (self.stretch.start_s or 0.0) if self.stretch else 0.0

    def samples(self, sample_rate_hz: int, channel: int | None) -> NDArray[np.float32]:
        """Return all samples, float32 (n_samples,), at a rate.

        Raises:
            AudioError: They cannot be read.
        """
        if self.stretch is None:
            return np.concatenate(list(self.blocks(sample_rate_hz, channel)))
        path, start_s, end_s = self.stretch
        samples, _ = read_audio(Path(path), sample_rate_hz=sample_rate_hz, start_s=start_s, end_s=end_s, channel=channel)
        return samples

    def blocks(self, sample_rate_hz: int, channel: int | None) -> Iterator[NDArray[np.float32]]:
        """Yield the samples in blocks, float32 (n,), so that long files are never held in memory.

        Raises:
            AudioError: They cannot be read.
        """
        if self.stretch is not None:
            path, start_s, end_s = self.stretch
            yield from read_blocks(Path(path), sample_rate_hz=sample_rate_hz, start_s=start_s, end_s=end_s, channel=channel)
            return
        if self.values is None or self.values.ndim != 1 or not self.values.size:
            shape = None if self.values is None else self.values.shape
            raise AudioError(f"array {self.name}: received shape {shape}; mono samples (n_samples,) are wanted, at least one.")
        if not np.isfinite(self.values).all():
            raise AudioError(f"array {self.name}: holds samples that are NaN or infinite.")
        yield resample(self.values, self.rate_hz, sample_rate_hz)


def list_sources(audio: Audio | Iterable[Audio], *, sample_rate_hz: int | None, is_custom: bool) -> list[Source]:
    """Return the single clips of what a user gives, in its order.

    Args:
        audio: One or several; a folder stands for the audio files in and below it, sorted by name.
        sample_rate_hz: Rate of arrays.
        is_custom: The model reads ready features that a script made, which cannot be computed from audio.
    """
    listed: Sequence[Audio] = [audio] if isinstance(audio, str | Path | Stretch | np.ndarray) else list(audio)
    if not listed:
        raise SettingsError("no audio was given; name files or folders.")
    sources: list[Source] = []
    for given in listed:
        if isinstance(given, str | Path) and Path(given).is_dir():
            files = list_audio(Path(given), "audio files")
            sources += [Source(str(Path(given) / name), Stretch(Path(given) / name)) for name in files]
        elif isinstance(given, str | Path):
            sources.append(Source(str(given), Stretch(given)))
        elif isinstance(given, Stretch):
            sources.append(Source(str(given.path), Stretch(given.path, _known(given.start_s), _known(given.end_s))))
        else:
            values = _samples(given, f"array {len(sources)}", sample_rate_hz, is_custom=is_custom)
            sources.append(Source(str(len(sources)), values=values, rate_hz=sample_rate_hz or 0))
    if is_custom and any(source.stretch for source in sources):
        raise SettingsError(
            "this model reads features that a script made (preprocessing.store.write), and there is no way from audio files to "
            "them; in Python give arrays of the same features: model.predict([features])."
        )
    return sources


def _samples(values: Samples, name: str, sample_rate_hz: int | None, *, is_custom: bool) -> NDArray[np.float32]:
    """Return a given array as float32, after checking it."""
    array = np.asarray(values)
    if is_custom:
        return array.astype(np.float32)
    if sample_rate_hz is None or sample_rate_hz < 1:
        raise SettingsError(
            f"{name}: give the rate of its samples, sample_rate_hz=16000 for example; received {sample_rate_hz}."
        )
    if array.dtype.kind != "f":
        raise SettingsError(
            f"{name}: received {array.dtype}; float samples are wanted, full scale -1 to 1. Divide 16-bit samples by 32768."
        )
    largest = np.abs(array).max(initial=0, where=np.isfinite(array))
    if largest > _LARGEST_SAMPLE:
        raise SettingsError(f"{name}: its samples reach {largest:g}; full scale is -1 to 1. Divide 16-bit samples by 32768.")
    return array.astype(np.float32)


def _known(time_s: float | None) -> float | None:
    """Return a time, or None if it is NaN or infinite."""
    return None if time_s is None or not math.isfinite(time_s) else float(time_s)
