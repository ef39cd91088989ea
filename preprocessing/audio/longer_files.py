"""Find audio after the end of a file that its header states, as after a power loss of a recorder or in joined files.

A size of 32 bits wraps around at 4 GiB; a recorder that lost power has written the size at its last flush, or 0; `cat a.mp3
b.mp3` leaves the length of the first file. Other chunks, tags and padding after the samples are normal. For a correct header,
only a few short reads are needed.
"""

import io
import os
import re
import struct
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from preprocessing.audio.containers import packets_s
from xval.base.errors import AudioError

_TOLERANCE_S = 0.1
"""Amount after the end that is ignored (seconds), such as padding to the end of a sector."""

_MOST_ADDED = 4608
"""How many samples more than the header says the packets of a file may have: delay and padding of the encoder."""

_MOST_SEARCHED = 1 << 25  # bytes
_ID3_BYTES, _MP3_TAG_WITHIN = 10, 4096
_TAIL_BYTES = 1 << 16
_MOST_CHUNKS = 1000
_32_BITS, _UNKNOWN = 1 << 32, 0xFFFFFFFF

NO_LENGTH, MORE = "its header does not say how long it is", "it is longer than its header says"
"""Why the length in a header is not correct."""

_FILES = (b"RIFF", b"RIFX", b"RF64", b"BW64", b"FORM", b"riff", b"caff", b".snd", b"fLaC", b"OggS")
_TAGS = (b"ID3", b"TAG", b"APETAGEX", b"LYRICSBEGIN", b"<?xml", b"<x:xmpmeta")


class _Kind(NamedTuple):
    """The layout of a file format that consists of chunks.

    Attributes:
        first: Position of the first chunk (bytes).
        head: Struct format of the name and the size of a chunk.
        data: Name of the chunk with the samples.
        size_at: Position and struct format of the size of the whole file; a negative position: the format has none.
        counts_head: Whether the size of a chunk includes its name and its size.
        alignment: Chunks begin at multiples of this number (bytes).
    """

    first: int
    head: str
    data: bytes
    size_at: tuple[int, str] = (4, "<I")
    counts_head: bool = False
    alignment: int = 2


_WAV = _Kind(12, "<4sI", b"data")
_KINDS = {
    b"RIFF": _WAV, b"RF64": _WAV, b"BW64": _WAV,
    b"RIFX": _Kind(12, ">4sI", b"data", (4, ">I")),
    b"FORM": _Kind(12, ">4sI", b"SSND", (4, ">I")),
    b"riff": _Kind(40, "<16sQ", b"data" + bytes.fromhex("f3acd3118cd100c04f8edb8a"), (16, "<Q"), counts_head=True, alignment=8),
    b"caff": _Kind(8, ">4sQ", b"data", (-1, ""), alignment=1),
    b".snd": _Kind(0, ">4sI", b".snd", (-1, "")),
}  # fmt: skip


class _Samples(NamedTuple):
    """The position of the samples in a file of chunks.

    Attributes:
        kind: Layout of the file.
        head_at: Position of the chunk with the samples (bytes).
        start: Position of the first sample (bytes).
        n_bytes: Number of bytes of samples that the header states.
        frames_at: For AIFF, the position of the number of samples in the header, and the number of bytes of one sample of all
            channels; otherwise None.
    """

    kind: _Kind
    head_at: int
    start: int
    n_bytes: int
    frames_at: tuple[int, int] | None = None


class WholeFile(io.RawIOBase):
    """A file that is read with a corrected header, which states the true length, instead of its own."""

    def __init__(self, path: Path, header: bytes, start: int, n_bytes: int) -> None:
        """Open a file.

        Args:
            path: The file.
            header: The corrected header, which is read before the samples.
            start: Position of the first sample in the file (bytes).
            n_bytes: Number of bytes of samples.
        """
        self._file = path.open("rb")
        self._header, self._start, self._size = header, start, len(header) + n_bytes
        self._place = 0

    def readable(self) -> bool:
        """Return True: the file can be read."""
        return True

    def seekable(self) -> bool:
        """Return True: any position of the file can be read."""
        return True

    def tell(self) -> int:
        """Return the position of the next byte."""
        return self._place

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Set the position, as `io.IOBase.seek`; return the new one."""
        self._place = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._size}[whence]
        return self._place

    def readinto(self, buffer: "memoryview | bytearray") -> int:  # type: ignore[override]
        """Read bytes into a buffer; return their number."""
        n_bytes = max(0, min(len(buffer), self._size - self._place))
        if self._place < len(self._header):
            piece = self._header[self._place : self._place + n_bytes]
        else:
            self._file.seek(self._start + self._place - len(self._header))
            piece = self._file.read(n_bytes)
        buffer[: len(piece)] = piece
        self._place += len(piece)
        return len(piece)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()


def refuse_second_file(path: Path) -> None:
    """Check that a file of chunks, or an mp4 file, is not followed by a second file or more samples, which no decoder reads.

    Raises:
        AudioError: It is.
    """
    with path.open("rb") as file:
        samples = _find_samples(file, path.stat().st_size)
        if samples is None:
            place = _second_mp4(file)
        else:
            end = samples.start + samples.n_bytes
            _refuse_second_samples(path, file, samples)
            place = next((begin for begin in (end, end + 1) if _begins_file(file, begin)), 0)
    if place:
        raise _second_file(path, place)


def _refuse_second_samples(path: Path, file: io.BufferedReader, samples: _Samples) -> None:
    """Raise AudioError if one of the chunks after the samples has samples, too."""
    kind, place = samples.kind, samples.start + samples.n_bytes
    n_head = struct.calcsize(kind.head)
    for _ in range(_MOST_CHUNKS if kind.data != b".snd" else 0):
        place += -place % kind.alignment
        file.seek(place)
        head = file.read(n_head)
        if len(head) < n_head or not re.fullmatch(rb"[ -~]{4}", head[:4]):
            return
        name, n_bytes = struct.unpack(kind.head, head)
        if name == kind.data:
            raise AudioError(
                f"{path}: a second chunk of samples begins at byte {place}, and programs read only the first one. Join them "
                "in an audio editor, or split the file."
            )
        place += n_bytes if kind.counts_head else n_head + n_bytes


def _begins_file(file: io.BufferedReader, place: int) -> bool:
    file.seek(place)
    return file.read(4) in _FILES


def _second_file(path: Path, place: int) -> AudioError:
    return AudioError(
        f"{path}: a second file begins at byte {place}, as when files are joined byte by byte. Join them in an audio "
        "editor, or split the file."
    )


def open_whole(path: Path, bytes_per_s: float) -> WholeFile | None:
    """Return a file of chunks (wav, aiff, w64, caf, au) with a corrected header; None: its own header is correct.

    Args:
        path: The file.
        bytes_per_s: Approximate number of bytes per second of audio.

    Raises:
        AudioError: A second file, or a second chunk of samples, follows the samples.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        samples = _find_samples(file, size)
        if samples is None or samples.n_bytes + samples.start + _TOLERANCE_S * bytes_per_s >= size:
            return None
        _refuse_second_samples(path, file, samples)
        n_bytes = samples.n_bytes
        while size - samples.start - n_bytes >= _32_BITS and samples.kind.head.endswith("I"):
            n_bytes += _32_BITS
            if n_bytes + samples.start == size or _is_no_audio(file, samples, n_bytes, size):
                return WholeFile(path, _write_header(file, samples, n_bytes), samples.start, n_bytes)
        if n_bytes == samples.n_bytes and _is_no_audio(file, samples, n_bytes, size):
            return None
        refuse_second_file(path)
        n_bytes = size - samples.start
        return WholeFile(path, _write_header(file, samples, n_bytes), samples.start, n_bytes)


def _find_samples(file: io.BufferedReader, size: int) -> _Samples | None:
    """Return the position of the samples in a file; None: it is no file of chunks, or has no samples."""
    magic = file.read(4)
    kind = _KINDS.get(magic)
    if kind is None:
        return None
    if magic == b".snd":
        head = file.read(8)
        if len(head) < 8:
            return None
        start, n_bytes = struct.unpack(">II", head)
        return None if n_bytes == _UNKNOWN else _Samples(kind, 4, start, n_bytes)
    place, n_head, n_data_bytes, frames_at = kind.first, struct.calcsize(kind.head), 0, None
    for _ in range(_MOST_CHUNKS):
        file.seek(place)
        head = file.read(n_head)
        if len(head) < n_head:
            return None
        name, n_bytes = struct.unpack(kind.head, head)
        n_bytes -= n_head if kind.counts_head else 0
        if name == b"ds64" and len(sizes := file.read(16)) == 16:
            n_data_bytes = struct.unpack("<QQ", sizes)[1]
        if name == b"COMM" and len(common_chunk := file.read(8)) == 8:
            n_channels, _, n_bits = struct.unpack(">HIH", common_chunk)
            frames_at = place + n_head + 2, max(1, n_channels * ((n_bits + 7) // 8))
        if name == kind.data:
            if magic in (b"RF64", b"BW64") and n_bytes == _UNKNOWN:
                n_bytes = n_data_bytes
            return _Samples(kind, place, place + n_head, n_bytes, frames_at) if 0 <= n_bytes <= size else None
        place += n_head + n_bytes + (-n_bytes % kind.alignment)
    return None


def _is_no_audio(file: io.BufferedReader, samples: _Samples, n_bytes: int, size: int) -> bool:
    """Return whether only other chunks, tags, text or zeros follow ``n_bytes`` bytes of samples."""
    place = samples.start + n_bytes
    file.seek(place)
    while (piece := file.read(_TAIL_BYTES)) and not (rest := piece.lstrip(b"\0")):
        place += len(piece)
    if not piece:
        return True
    place += len(piece) - len(rest)
    n_head = struct.calcsize(samples.kind.head)
    # The byte that pads a chunk to an even size may be missing, or may not be 0.
    for begin in (place, place + 1) if n_bytes % 2 else (place,):
        file.seek(begin)
        head = file.read(n_head)
        if head.startswith(_TAGS):
            return True
        if len(head) < n_head or head.startswith(_FILES):
            continue
        name, n_chunk = struct.unpack(samples.kind.head, head)
        n_chunk -= n_head if samples.kind.counts_head else 0
        if re.fullmatch(rb"[ -~]{4}", name[:4]) and name != samples.kind.data and begin + n_head + n_chunk <= size + 1:
            return True
    return re.fullmatch(rb"[\t\n\r -~]{64,}\0*", rest[:4096]) is not None


def _write_header(file: io.BufferedReader, samples: _Samples, n_bytes: int) -> bytes:
    """Return the header of a file, changed to ``n_bytes`` bytes of samples; a wav file of more than 4 GiB becomes RF64."""
    kind = samples.kind
    file.seek(0)
    header = bytearray(file.read(samples.start))
    magic = bytes(header[:4])
    if kind is _WAV and (magic != b"RIFF" or n_bytes + samples.start >= _32_BITS):
        chunks = header[kind.first : samples.head_at]
        if chunks[:4] == b"ds64" and len(chunks) >= 8:
            chunks = chunks[8 + struct.unpack("<I", chunks[4:8])[0] :]
        ds64 = struct.pack("<4sIQQQI", b"ds64", 28, n_bytes + len(chunks) + 48, n_bytes, 0, 0)
        head = struct.pack("<4sI4s", b"RF64", _UNKNOWN, b"WAVE") + ds64
        return bytes(head + chunks + struct.pack("<4sI", b"data", _UNKNOWN))
    form = kind.head[0] + kind.head[-1]
    n_size, n_head = struct.calcsize(form), struct.calcsize(kind.head)
    most = (1 << 8 * n_size) - 1
    place = 8 if magic == b".snd" else samples.start - n_size
    struct.pack_into(form, header, place, min(n_bytes + n_head * kind.counts_head, most))
    place, size_format = kind.size_at
    if place >= 0:
        struct.pack_into(size_format, header, place, min(samples.start + n_bytes - 8 * (not kind.counts_head), most))
    if samples.frames_at is not None:
        place, n_frame = samples.frames_at
        struct.pack_into(">I", header, place, min((n_bytes - 8) // n_frame, most))
    return bytes(header)


def _second_mp4(file: io.BufferedReader) -> int:
    """Return the position of a second mp4 file among the boxes of a file (bytes); 0: there is none."""
    place, n_files = 0, 0
    for _ in range(_MOST_CHUNKS):
        file.seek(place)
        head = file.read(16)
        if len(head) < 16:
            break
        n_bytes, name, long = struct.unpack(">I4sQ", head)
        n_files += name == b"ftyp"
        if n_files > 1:
            return place
        n_bytes = long if n_bytes == 1 else n_bytes
        if n_bytes < 8:  # 0: to the end of the file
            break
        place += n_bytes
    return 0


def more_than_header(header_s: float, held_s: float) -> str:
    """Return a text with the length that the header of a file states, and the length of its audio (s)."""
    return f"its header says {header_s:.2f} s, but it has {held_s:.2f} s"


def doubt_length(path: Path, kind: str, n_samples: int, rate_hz: int) -> tuple[str, float]:
    """Check the length in the header of a compressed file.

    Args:
        path: The file.
        kind: Format by libsndfile's name: ``MP3``, ``FLAC`` or ``OGG``; other formats are not checked.
        n_samples: Number of samples of a channel that the header states.
        rate_hz: Sample rate (Hz).

    Returns:
        Why the length is not correct, `NO_LENGTH` or `MORE` (empty: it is, or was not checked); and the length of the audio
        (s).

    Raises:
        AudioError: A second flac file follows the first, where FFmpeg would lose some frames.
    """
    if kind not in ("MP3", "FLAC", "OGG"):
        return "", 0.0
    return _doubt_length(path, kind, n_samples, rate_hz, path.stat().st_mtime_ns)


@lru_cache(maxsize=256)  # because many segments of a long file may be read
def _doubt_length(path: Path, kind: str, n_samples: int, rate_hz: int, _: int) -> tuple[str, float]:
    if kind == "MP3" and not _has_mp3_tag(path):
        return NO_LENGTH, 0.0
    if kind == "FLAC" and (place := _second_flac(path)):
        raise _second_file(path, place)
    held_s = packets_s(path)
    return (MORE if held_s * rate_hz > n_samples + _MOST_ADDED else ""), held_s


def _has_mp3_tag(path: Path) -> bool:
    """Return whether an mp3 file states its length; otherwise libsndfile guesses it, and stops there."""
    with path.open("rb") as file:
        head = file.read(_ID3_BYTES)
        size = 0
        for byte in head[6:]:
            size = size << 7 | byte
        file.seek(_ID3_BYTES + size if head[:3] == b"ID3" else 0)
        start = file.read(_MP3_TAG_WITHIN)
    return any(tag in start for tag in (b"Xing", b"Info", b"VBRI"))


def _second_flac(path: Path) -> int:
    """Return the position of a second flac file in a file (bytes); 0: there is none."""
    with path.open("rb") as file:
        content = file.read(_MOST_SEARCHED)
    return max(0, content.find(b"fLaC\0\0\0\x22", content.find(b"fLaC") + 4))
