"""Find what an audio file holds behind the end that its header tells: recorders that lost power, more than 4 GiB, joined files.

A header of 32 bits wraps at 4 GiB; a recorder that lost power wrote the size of its last flush, or 0; `cat a.mp3 b.mp3` leaves
the length of the first. Other chunks, tags and padding behind the samples are ordinary. A sound header costs a few short reads.
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
"""So much behind the end is not looked at: padding to the end of a sector, for example."""

_MOST_ADDED = 4608
"""So many samples more than its header says the packets of a file may have: delay and padding of the encoder, some frames."""

_MOST_SEARCHED = 1 << 25  # bytes
_ID3_BYTES, _MP3_TAG_WITHIN = 10, 4096
_TAIL_BYTES = 1 << 16
_MOST_CHUNKS = 1000
_32_BITS, _UNKNOWN = 1 << 32, 0xFFFFFFFF

NO_LENGTH, MORE = "its header does not say how long it is", "it is longer than its header says"
"""Why a length is doubted."""

_FILES = (b"RIFF", b"RIFX", b"RF64", b"BW64", b"FORM", b"riff", b"caff", b".snd", b"fLaC", b"OggS")
_TAGS = (b"ID3", b"TAG", b"APETAGEX", b"LYRICSBEGIN", b"<?xml", b"<x:xmpmeta")


class _Kind(NamedTuple):
    """How a format of chunks is laid out.

    Attributes:
        first: Where the first chunk begins.
        head: The struct of the name and the size of a chunk.
        data: The name of the chunk of samples.
        size_at: Where the size of the whole file is written, and its struct; a negative place: nowhere.
        counts_head: Whether the size of a chunk counts its name and size too.
        alignment: Chunks begin at multiples of it (bytes).
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
    """Where the samples of a file of chunks are.

    Attributes:
        kind: Of the file.
        head_at: Where their chunk begins.
        start: Where they begin.
        n_bytes: How many the header says.
        frames_at: Of AIFF, where the header says how many samples there are, and the bytes of one of all channels; else None.
    """

    kind: _Kind
    head_at: int
    start: int
    n_bytes: int
    frames_at: tuple[int, int] | None = None


class WholeFile(io.RawIOBase):
    """A file whose header tells the true length: what is read of the first bytes is another header."""

    def __init__(self, path: Path, header: bytes, start: int, n_bytes: int) -> None:
        """Open a file.

        Args:
            path: The file.
            header: What is before the samples.
            start: Where these begin in the file.
            n_bytes: How many there are.
        """
        self._file = path.open("rb")
        self._header, self._start, self._size = header, start, len(header) + n_bytes
        self._place = 0

    def readable(self) -> bool:
        """Return that it can be read."""
        return True

    def seekable(self) -> bool:
        """Return that one can go to any place in it."""
        return True

    def tell(self) -> int:
        """Return the place of the next byte."""
        return self._place

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place."""
        self._place = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._size}[whence]
        return self._place

    def readinto(self, buffer: "memoryview | bytearray") -> int:  # type: ignore[override]
        """Fill a buffer; return how many bytes there were."""
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
    """Refuse a file of chunks or an mp4 file behind which a second one begins, or more samples: no decoder reads that.

    Raises:
        AudioError: It is one.
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
    """Refuse a file with a second chunk of samples, wherever it is among those behind the first."""
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
    """Return a file of chunks (wav, aiff, w64, caf, au) with a header that tells all of its samples; None: its own does.

    Args:
        path: The file.
        bytes_per_s: About so many bytes are a second.

    Raises:
        AudioError: A second file is behind the first.
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
    """Return where the samples of a file of chunks are; None: it is none, or has none."""
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
    """Return whether other chunks, tags, text or zeros alone are behind so many bytes of samples."""
    place = samples.start + n_bytes
    file.seek(place)
    while (piece := file.read(_TAIL_BYTES)) and not (rest := piece.lstrip(b"\0")):
        place += len(piece)
    if not piece:
        return True
    place += len(piece) - len(rest)
    n_head = struct.calcsize(samples.kind.head)
    # The byte that makes a size even is not always 0, nor always there.
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
    """Return the header of a file with another number of bytes of samples; one of more than 4 GiB becomes RF64."""
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
    """Return where a second mp4 file begins among the boxes of a file; 0: none does."""
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
    """Return how much a file holds, and how much its header says (s)."""
    return f"its header says {header_s:.2f} s, but it has {held_s:.2f} s"


def doubt_length(path: Path, kind: str, n_samples: int, rate_hz: int) -> tuple[str, float]:
    """Return why the length of a compressed file is not what its header says, empty: it is; and how much it holds (s).

    Args:
        path: The file.
        kind: ``MP3``, ``FLAC`` or ``OGG``, as libsndfile calls them; other kinds are not doubted.
        n_samples: How many its header says.
        rate_hz: So many of them are a second.

    Raises:
        AudioError: A second flac file is behind the first: FFmpeg loses some frames there.
    """
    if kind not in ("MP3", "FLAC", "OGG"):
        return "", 0.0
    return _doubt_length(path, kind, n_samples, rate_hz, path.stat().st_mtime_ns)


@lru_cache(maxsize=256)  # of a long file, many segments may be read
def _doubt_length(path: Path, kind: str, n_samples: int, rate_hz: int, _: int) -> tuple[str, float]:
    if kind == "MP3" and not _has_mp3_tag(path):
        return NO_LENGTH, 0.0
    if kind == "FLAC" and (place := _second_flac(path)):
        raise _second_file(path, place)
    held_s = packets_s(path)
    return (MORE if held_s * rate_hz > n_samples + _MOST_ADDED else ""), held_s


def _has_mp3_tag(path: Path) -> bool:
    """Return whether an mp3 file says how long it is; libsndfile guesses otherwise, and stops there."""
    with path.open("rb") as file:
        head = file.read(_ID3_BYTES)
        size = 0
        for byte in head[6:]:
            size = size << 7 | byte
        file.seek(_ID3_BYTES + size if head[:3] == b"ID3" else 0)
        start = file.read(_MP3_TAG_WITHIN)
    return any(tag in start for tag in (b"Xing", b"Info", b"VBRI"))


def _second_flac(path: Path) -> int:
    """Return where a second flac file begins in a file; 0: none does."""
    with path.open("rb") as file:
        content = file.read(_MOST_SEARCHED)
    return max(0, content.find(b"fLaC\0\0\0\x22", content.find(b"fLaC") + 4))
