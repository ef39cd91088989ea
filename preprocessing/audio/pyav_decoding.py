"""Decode formats that libsndfile does not read (m4a, aac, mp4, webm, wma, ...) with PyAV, which includes FFmpeg's libraries.

Only the first sound track of a file is decoded.

A file is always decoded from its beginning, even if only a segment is needed, because AAC fills bands with noise that depends
on everything decoded before, and a position in a webm file is known only to the millisecond. The delay that an encoder inserts
before the first sample is removed if the file states it (mp4, m4a, webm, mka), and stays if it does not (raw .aac: 1024 samples
or more; .wma). The padding after the last sample, less than a frame (21 ms at 48 kHz), mostly stays.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from preprocessing.audio.containers import open_container
from preprocessing.audio.longer_files import refuse_second_file
from preprocessing.audio.soundfile_decoding import END_TOLERANCE_S
from xval.base.errors import AudioError

if TYPE_CHECKING:
    from av import AudioFrame
    from av.audio.stream import AudioStream
    from av.container import InputContainer

# Containers whose header states the length of the audio.
_SAYS_LENGTH = frozenset(("aiff", "ape", "asf", "caf", "flac", "matroska", "mov", "tak", "tta", "w64", "wav", "wv"))
# Containers whose last packet has a time; for the others, FFmpeg guesses the length from the bit rate of the first frames.
_HAS_TIMES = _SAYS_LENGTH | {"avi", "flv", "mpeg", "mpegts", "ogg"}

_NO_DECODER = "FFmpeg cannot decode its codec"

# Share of the packets of a stream that may be damaged; one always may, because a stream may end within a packet.
_MOST_DAMAGED = 0.1

_TICKS_PER_S = 1_000_000
_BLOCK_SAMPLES = 1 << 16
_PCM = re.compile(r"pcm_([suf])(\d+)(?:le|be)?(?:_planar)?")


class PyavAudio:
    """An `OpenAudio` (see `preprocessing.audio.open`) by PyAV; n_samples is None until the file is decoded to its end."""

    def __init__(self, path: Path, reason: str, *, longer: str = "") -> None:
        """Open a file and read its header.

        Args:
            path: The file.
            reason: Why no other decoder reads it, for the error if FFmpeg does not know its format either.
            longer: A text with both lengths if the file has more audio than its header states; otherwise empty.

        Raises:
            AudioError: It cannot be opened, has no sound track, or one of an unknown codec.
        """
        import av

        self._path = path
        self.longer = longer
        self.n_samples: int | None = None
        self._file = path.open("rb")
        try:
            self._container: InputContainer = open_container(self._file)
        except (av.FFmpegError, OSError, ValueError) as error:
            self._file.close()
            raise AudioError(self._refusal(error, reason)) from error
        try:
            self._read_header()
        except AudioError:
            self.close()
            raise

    def _read_header(self) -> None:
        """Choose the sound track and store its facts."""
        tracks = self._container.streams.audio
        if not tracks:
            raise AudioError(f"{self._path}: contains no audio.")
        track: AudioStream = tracks[0]
        context = track.codec_context
        if context is None or not context.sample_rate or not context.layout.nb_channels:
            raise AudioError(f"{self._path}: cannot be decoded as audio (its codec is unknown, or its header is damaged).")
        context.thread_count = 1
        self._track = track
        self.n_tracks = len(tracks)
        self.sample_rate_hz: int = context.sample_rate
        self.n_channels: int = context.layout.nb_channels
        self.subtype = _PCM.sub(_pcm_name, context.name).upper()
        names = set() if self.longer else set(self._container.format.name.split(","))
        if track.duration and track.time_base:
            seconds = float(track.duration * track.time_base)
        else:
            seconds = (self._container.duration or 0) / _TICKS_PER_S
            # The duration of a film is that of its video.
            names -= {"matroska"} if len(self._container.streams) > 1 else set()
        if names & {"mov", "wav", "w64", "aiff"}:
            refuse_second_file(self._path)
        self.duration_s = seconds if names & _HAS_TIMES and seconds > 0 else float("nan")
        self._promised_s = self.duration_s if names & _SAYS_LENGTH and seconds > 0 else 0.0

    def read(self, first: int, stop: int | None) -> Iterator[NDArray[np.float32]]:
        """Yield the samples of a segment, float32 (n_samples, n_channels); decoding begins at the start of the file."""
        position = 0
        for block in self._blocks():
            begin, end = max(first - position, 0), len(block) if stop is None else stop - position
            position += len(block)
            if begin < min(end, len(block)):
                yield block[begin:end]
            if end <= len(block) and stop is not None:
                return
        self.n_samples = position
        decoded_s = position / self.sample_rate_hz
        if decoded_s < self._promised_s - END_TOLERANCE_S:
            raise AudioError(
                f"{self._path}: truncated, it has {decoded_s:.2f} s of the {self._promised_s:.2f} s in its header."
            )

    def close(self) -> None:
        """Close the file."""
        self._container.close()
        self._file.close()

    def _blocks(self) -> Iterator[NDArray[np.float32]]:
        """Yield decoded samples, float32 (n_samples, n_channels), of some dozens of frames at a time."""
        waiting: list[NDArray[np.float32]] = []
        n_waiting = 0
        for frame in self._frames():
            waiting.append(self._samples(frame))
            n_waiting += frame.samples
            if n_waiting >= _BLOCK_SAMPLES:
                yield np.concatenate(waiting)
                waiting, n_waiting = [], 0
        if waiting:
            yield np.concatenate(waiting)

    def _frames(self) -> Iterator["AudioFrame"]:
        """Yield the decoded frames.

        In a file that states its length, a damaged packet raises AudioError. Other files are streams, which may begin and end
        anywhere and have tags between the packets: there, damaged packets are skipped unless there are too many.
        """
        import av

        position = n_packets = n_damaged = 0
        damage: Exception | None = None
        try:
            for packet in self._container.demux(self._track):
                n_packets += 1
                try:
                    frames = packet.decode()
                except av.FFmpegError as error:
                    if self._promised_s:
                        raise
                    n_damaged, damage = n_damaged + 1, error
                    continue
                for frame in frames:
                    position += frame.samples
                    yield frame
            if damage is not None and n_damaged > max(1, _MOST_DAMAGED * n_packets):
                raise damage
        except (av.FFmpegError, OSError, ValueError) as error:
            reason = _NO_DECODER if isinstance(error, av.PatchWelcomeError) else "damaged"
            raise AudioError(
                f"{self._path}: cannot be decoded beyond {position / self.sample_rate_hz:.2f} s ({reason})."
            ) from error

    def _samples(self, frame: "AudioFrame") -> NDArray[np.float32]:
        """Return the samples of a frame, float32 (n_samples, n_channels), full scale is -1 to 1."""
        if (frame.sample_rate, frame.layout.nb_channels) != (self.sample_rate_hz, self.n_channels):
            raise AudioError(
                f"{self._path}: changes from {self.n_channels} channels at {self.sample_rate_hz} Hz to "
                f"{frame.layout.nb_channels} at {frame.sample_rate} Hz. Convert it to wav with the program that wrote it."
            )
        decoded = _values(frame)
        values = decoded.T if frame.format.is_planar else decoded.reshape(-1, self.n_channels)
        samples: NDArray[np.float32] = values.astype(np.float32)
        if values.dtype == np.uint8:
            samples -= 128
            samples /= 128
        elif np.issubdtype(values.dtype, np.integer):
            samples /= -float(np.iinfo(values.dtype).min)
        return samples

    def _refusal(self, error: Exception, reason: str) -> str:
        import av

        with suppress(OSError), self._path.open("rb") as file:
            if file.read(8)[4:] == b"ftyp":
                reason = "an mp4 file without its table of contents, probably because a download or recording was cut short"
        if isinstance(error, av.PatchWelcomeError | av.DecoderNotFoundError):
            reason = _NO_DECODER
        elif isinstance(error, av.EOFError):
            reason = "damaged, or it ends within its header"
        return f"{self._path}: cannot be decoded as audio ({reason})."


def _values(frame: "AudioFrame") -> NDArray[Any]:
    """Return the values of a frame as stored: (n_channels, n_samples) or, if not planar, (1, n_samples * n_channels)."""
    if frame.format.name not in ("s64", "s64p"):
        values: NDArray[Any] = frame.to_ndarray()
        return values
    # PyAV returns integers of 64 bits only as bytes, followed by padding.
    n_values = frame.samples * (1 if frame.format.is_planar else frame.layout.nb_channels)
    return np.stack([np.frombuffer(plane, np.int64, n_values) for plane in frame.planes])


def _pcm_name(match: re.Match[str]) -> str:
    kind, n_bits = match.groups()
    if kind == "f":
        return "FLOAT" if n_bits == "32" else "DOUBLE"
    return f"PCM_{'U' if kind == 'u' else ''}{n_bits}"
