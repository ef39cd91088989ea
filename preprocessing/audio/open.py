"""Open an audio file with the library that can read it, and find a segment and a channel in it."""

import json
import math
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from preprocessing.audio.pyav_decoding import PyavAudio
from preprocessing.audio.soundfile_decoding import Longer, SoundfileAudio, Unreadable
from preprocessing.parallel import audio_refusal
from xval.base.errors import AudioError
from xval.base.size_limits import MOST_SAMPLES

END_TOLERANCE_S = 0.01
"""How far the end of a segment may be after the end of its file (seconds), because annotations are often rounded."""

LOWEST_RATE_HZ, HIGHEST_RATE_HZ = 10, 10_000_000
"""Range of sample rates in headers, from infrasound to ten times the rate of bat detectors; others are damage."""

_NOTHING_FETCHED = (
    (rb"version https://git-lfs", "a pointer of Git LFS, not audio. Fetch the audio: git lfs install, then git lfs pull"),
    (rb"(\.git|\.\.)?[\w./-]*/annex/objects/", "a pointer of git-annex, not audio. Fetch the audio with 'git annex get .'"),
    (rb"\s*(<!doctype html|<html|<head|<body)", "a web page, not audio. Fetch the file again, with a browser"),
    (rb"\s*<\?xml\b", "an XML text, perhaps a server's error message, not audio. Fetch the file again"),
    (rb"PK\x03\x04|\x1f\x8b|7z\xbc\xaf|Rar!", "an archive, not audio. Unpack it first"),
)
"""How other content in place of audio begins (a pattern), and a text that says what it is and what to do."""
_ANNEX = "annex/objects/"
_DRIVE = re.compile(r"[A-Za-z]:")
_LARGEST_TEXT, _LARGEST_ANSWER = 1 << 16, 200


class NotFetchedError(AudioError):
    """A file contains a pointer, a web page or the response of a server instead of audio."""


class OpenAudio(Protocol):
    """An open audio file: a `SoundfileAudio` or a `PyavAudio`.

    Attributes:
        sample_rate_hz: Sample rate (Hz).
        n_channels: Number of channels.
        duration_s: Its length (s) by its header or its last packet; NaN: not stated.
        subtype: Encoding of a sample: ``PCM_16``, ``FLOAT``, ``VORBIS``, ``AAC``.
        longer: If the file has more audio than its header states, a text with both lengths (all of it is read); otherwise
            empty.
        n_tracks: Number of sound tracks, of which the first is read.
    """

    sample_rate_hz: int
    n_channels: int
    duration_s: float
    subtype: str
    longer: str
    n_tracks: int

    @property
    def n_samples(self) -> int | None:
        """Its length in samples of one channel; None: not known yet."""

    def read(self, first: int, stop: int | None) -> Iterator[NDArray[np.float32]]:
        """Decode a segment block by block, up to the end of the file; `n_samples` is known afterwards.

        Args:
            first: First sample of the segment.
            stop: Sample after its last one; None: the end of the file.

        Yields:
            float32 (n_samples, n_channels), full scale is -1 to 1.

        Raises:
            AudioError: The file is damaged, or ends before its header says.
        """

    def close(self) -> None:
        """Close the file."""


def open_audio(path: Path) -> OpenAudio:
    """Open a file with the first library that can read it.

    Raises:
        AudioError: The file is missing, empty or no audio, ends before its header says, or has an impossible sample rate; or
            `preprocessing.parallel.audio_refusal` forbids to open audio.
    """
    if reason := audio_refusal.get():
        raise AudioError(f"{path}: {reason}.")
    try:
        if not path.is_file():
            raise AudioError(f"{path}: {_name_missing(path)}.")
        if not path.stat().st_size:
            raise AudioError(f"{path}: the file is empty (0 bytes).")
        try:
            audio: OpenAudio = SoundfileAudio(path)
        except Unreadable as reason:
            try:
                audio = PyavAudio(path, str(reason), longer=str(reason) if isinstance(reason, Longer) else "")
            except AudioError as error:
                if text := _name_text(path):
                    raise NotFetchedError(f"{path}: {text}.") from error
                raise
    except UnicodeError as error:
        raise AudioError(f"{path}: its name is not valid text. Rename it.") from error
    except OSError as error:
        raise AudioError(f"{path}: cannot be opened ({error.strerror}).") from error
    if not LOWEST_RATE_HZ <= audio.sample_rate_hz <= HIGHEST_RATE_HZ:
        audio.close()
        raise AudioError(
            f"{path}: its header is damaged. It says {audio.sample_rate_hz} Hz; expected {LOWEST_RATE_HZ} to "
            f"{HIGHEST_RATE_HZ} Hz."
        )
    return audio


def _name_missing(path: Path) -> str:
    """Return what is in the place of a missing file, and what to do."""
    if path.is_dir():
        return "a folder, no audio file"
    if not path.is_symlink():
        return f"no such file{_guess(path)}"
    target = path.readlink().as_posix()
    fetch = ". Fetch the audio with 'git annex get .'" if _ANNEX in target else ""
    return f"a link to {target!a}, which is not there{fetch}"


def _guess(path: Path) -> str:
    """Return a likely reason why there is no such file, to follow "no such file"; empty: not known."""
    if any(_DRIVE.fullmatch(part) for part in path.parts[1:]):
        return ": this is an absolute Windows path"
    names = _names_by_case(path.parent) if path.parent.is_dir() else {}
    return f", but '{names[path.name.casefold()]}', in another case" if path.name.casefold() in names else ""


@lru_cache(maxsize=8)  # because many files of one folder may be missing
def _names_by_case(folder: Path) -> dict[str, str]:
    return {path.name.casefold(): path.name for path in folder.iterdir()}


def _name_text(path: Path) -> str:
    """Return which content is in the place of audio, and what to do; empty: not recognised."""
    with path.open("rb") as file:
        content = file.read(_LARGEST_TEXT)
    for pattern, text in _NOTHING_FETCHED:
        if re.match(pattern, content.removeprefix(b"\xef\xbb\xbf"), re.IGNORECASE):
            return text
    try:
        is_json = isinstance(json.loads(content), dict | list)
    except (ValueError, RecursionError):
        is_json = False
    if is_json:
        return "a JSON text, perhaps a server's error message, not audio. Fetch the file again"
    answer = content.decode("ascii", errors="replace").strip()
    if len(content) <= _LARGEST_ANSWER and answer.isprintable() and "\ufffd" not in answer:
        if path.is_symlink():  # content of a file outside of the dataset is not quoted
            return f"a link to {path.readlink().as_posix()!a}, which is a text, not audio. Link to the audio"
        return f"a text, not audio ({answer!r}). Fetch the file again"
    return ""


def check_channel(name: Path | str, n_channels: int, channel: int | None) -> None:
    """Check that a file or an array has a channel.

    Args:
        name: The file, or a name of the array, for the error.
        n_channels: Number of its channels.
        channel: Number of the channel, from 0; None: the mean of all, which always exists.

    Raises:
        AudioError: It has no such channel.
    """
    if channel is not None and not 0 <= channel < n_channels:
        raise AudioError(f"{name}: there is no channel {channel}; expected 0 to {n_channels - 1}.")


def find_segment(
    path: Path, audio: OpenAudio, start_s: float | None, end_s: float | None, *, may_be_long: bool = False
) -> tuple[int, int | None]:
    """Return the first sample of a segment and the sample after its last one; None: the end is not known yet.

    Args:
        path: The file, for errors.
        audio: The open file.
        start_s: Start of the segment (s); None: the start of the file.
        end_s: End of the segment (s); None: the end of the file.
        may_be_long: Whether the segment may be too long for the memory.

    Raises:
        AudioError: The segment is not inside the file, or is too long.
    """
    rate_hz, n_samples = audio.sample_rate_hz, audio.n_samples
    if n_samples == 0:
        raise AudioError(f"{path}: contains no samples.")
    first = 0 if start_s is None else round(start_s * rate_hz)
    stop = n_samples if end_s is None else round(end_s * rate_hz)
    length = math.inf if n_samples is None else n_samples
    end = length if stop is None else stop
    if first < 0 or first >= min(end, length) or (stop or 0) > length + END_TOLERANCE_S * rate_hz:
        length_s = audio.duration_s if n_samples is None else n_samples / rate_hz
        raise AudioError(
            f"{path}: the segment from {first / rate_hz:g} s to {end / rate_hz:g} s is not inside the "
            f"file{'' if math.isnan(length_s) else f' ({length_s:g} s)'}."
        )
    if n_samples is None or stop is None:
        return first, stop
    stop = min(stop, n_samples)
    if not may_be_long:
        check_size(path, stop - first, rate_hz)
    return first, stop


def check_size(path: Path, n_samples: int, rate_hz: int) -> None:
    """Check that a clip is short enough for the memory.

    Raises:
        AudioError: It has more than `MOST_SAMPLES` samples.
    """
    if n_samples > MOST_SAMPLES:
        raise AudioError(
            f"{path}: too long to be read as one clip: {n_samples / rate_hz / 3600:.1f} h at {rate_hz} Hz (at most "
            f"{MOST_SAMPLES / rate_hz / 3600:.1f} h). Cut it, or list segments of it. If it is not that long, its header is "
            "damaged."
        )
