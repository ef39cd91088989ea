"""Decode the formats that libsndfile reads: wav, flac, ogg (Vorbis, Opus), mp3, aiff, au, caf, w64, NIST SPHERE and others."""

import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Lock

import numpy as np
import soundfile
from numpy.typing import NDArray

from preprocessing.audio.longer_files import MORE, NO_LENGTH, WholeFile, doubt_length, more_than_header, open_whole
from xval.base.errors import AudioError, counted, verb_of

END_TOLERANCE_S = 0.1
"""How much earlier than its header says a compressed file may end (s): some writers round, or count padding as samples."""

# Smaller, because uncompressed samples are counted in bytes; but some writers include the header.
_UNCOMPRESSED_TOLERANCE_S = 0.01

_HEADERLESS = "audio without a header has no known sample rate. Convert it to wav or flac"

# Long recordings are read block by block, and a header that lies about the length cannot ask for all memory.
_BLOCK_SAMPLES = 1 << 20

# libsndfile's code for damage in a format it knows. FFmpeg would read a part of such a file and not report that it is cut off.
_MALFORMED = 3

# The length that libsndfile returns for a flac file that was written to a pipe.
_NO_LENGTH = 2**63 - 1

# libsndfile uses the size of a file instead of its header, and reports only in its log that they differ.
_CUT_SHORT = re.compile(r"^\s*(?:data|SSND|Data Size|riff|Riff size)\s*: (\d+) \(should be (\d+)\)", re.MULTILINE)

# A program that writes to a pipe cannot fill in the size at the end, and leaves a size of about 2 or 4 GiB.
_UNKNOWN_SIZE = 0x7FFF0000

# Bytes of a sample, by which the size of a file follows from its length.
_WIDTHS = {"PCM_U8": 1, "PCM_S8": 1, "ULAW": 1, "ALAW": 1, "PCM_16": 2, "PCM_24": 3, "PCM_32": 4, "FLOAT": 4, "DOUBLE": 8}
_OF_CHUNKS = ("WAV", "WAVEX", "RF64", "AIFF", "W64", "CAF", "AU")

_ERRORS = 2  # the file descriptor of standard error
_TERMINAL = Lock()  # only one thread at a time may redirect it


class Unreadable(Exception):  # noqa: N818 - not an error yet: another decoder may read the file
    """libsndfile cannot read a file, or not reliably; the text says why, and can follow "cannot be decoded as audio"."""


class Longer(Unreadable):
    """A file has more audio than its header says, and libsndfile would stop there. The text has both lengths."""


class SoundfileAudio:
    """An `OpenAudio` (see `preprocessing.audio.open`) by libsndfile; its length is known from its header."""

    def __init__(self, path: Path) -> None:
        """Open a file and read its header.

        Raises:
            Unreadable: It has another format, is damaged, does not state its length, or is longer than its header says.
            AudioError: It ends before its header says, or its header is damaged.
        """
        self._path = path
        self.longer = ""
        self.n_tracks = 1
        self._whole: WholeFile | None = None
        if path.suffix.lower() == ".raw":  # soundfile cannot open one without a given sample rate
            raise Unreadable(_HEADERLESS)
        try:
            with self._without_notes():
                self._file = soundfile.SoundFile(path)
        except soundfile.LibsndfileError as error:
            if error.code == _MALFORMED:
                raise AudioError(f"{path}: cannot be decoded as audio (it is truncated, or its header is damaged).") from error
            raise Unreadable(_describe(error)) from error
        self.sample_rate_hz: int = self._file.samplerate
        self.n_channels: int = self._file.channels
        self.subtype: str = self._file.subtype
        try:
            self._go_on_behind_end()
            self.n_samples: int = self._file.frames
            self.duration_s = self.n_samples / self.sample_rate_hz
            self._check_length()
        except (Unreadable, AudioError):
            self.close()
            raise

    def _go_on_behind_end(self) -> None:
        """Reopen a file whose header states too short a length with a corrected one, or raise Unreadable (FFmpeg reads it)."""
        file = self._file
        if file.format not in _OF_CHUNKS:
            reason, held_s = doubt_length(self._path, file.format, file.frames, file.samplerate)
            if reason == MORE:
                raise Longer(more_than_header(file.frames / file.samplerate, held_s))
            if reason:
                raise Unreadable(reason)
            return
        told = file.frames * file.channels * _WIDTHS.get(file.subtype, 0)
        bytes_per_s = file.samplerate * file.channels * _WIDTHS.get(file.subtype, 1)
        if self._path.stat().st_size - told <= _UNCOMPRESSED_TOLERANCE_S * bytes_per_s:
            return
        whole = open_whole(self._path, bytes_per_s)
        if whole is None:
            return
        header_s = file.frames / file.samplerate
        file.close()
        try:
            self._file = soundfile.SoundFile(whole)
        except soundfile.LibsndfileError as error:
            whole.close()
            raise AudioError(f"{self._path}: {MORE}, and its end cannot be read ({_describe(error)}).") from error
        self._whole = whole
        self.longer = more_than_header(header_s, self._file.frames / self._file.samplerate)

    def read(self, first: int, stop: int | None) -> Iterator[NDArray[np.float32]]:
        """Yield the samples of a segment inside the file, float32 (n_samples, n_channels)."""
        missing = wanted = (self.n_samples if stop is None else stop) - first
        try:
            if first:
                with self._without_notes():
                    self._go_to(first)
            while missing:
                with self._without_notes():
                    block = self._file.read(min(missing, _BLOCK_SAMPLES), dtype="float32", always_2d=True)
                if not len(block):
                    break
                missing -= len(block)
                yield block
        except soundfile.LibsndfileError as error:
            raise AudioError(f"{self._path}: cannot be decoded as audio ({_describe(error)}).") from error
        if missing > END_TOLERANCE_S * self.sample_rate_hz:
            raise AudioError(f"{self._path}: truncated: {missing} of {wanted} samples {verb_of(missing)} missing.")

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        if self._whole is not None:
            self._whole.close()

    @contextmanager
    def _without_notes(self) -> Iterator[None]:
        """Hide the notes that libmpg123 writes to the terminal, and libsndfile cannot switch off; errors are raised anyway."""
        if self._path.suffix.lower() != ".mp3":
            yield
            return
        with _TERMINAL, ExitStack() as afterwards:
            try:
                kept, nowhere = os.dup(_ERRORS), os.open(os.devnull, os.O_WRONLY)
            except OSError:  # there is no standard error
                yield
                return
            afterwards.callback(os.close, kept)
            afterwards.callback(os.dup2, kept, _ERRORS)
            os.dup2(nowhere, _ERRORS)
            os.close(nowhere)
            yield

    def _go_to(self, sample: int) -> None:
        """Seek to a sample; in the few formats that do not support it, by reading the samples before it."""
        if self._file.seekable():
            self._file.seek(sample)
            return
        while sample:
            n_read = len(self._file.read(min(sample, _BLOCK_SAMPLES), dtype="float32"))
            if not n_read:
                raise AudioError(
                    f"{self._path}: truncated: {counted(sample, 'sample')} before the segment {verb_of(sample)} missing."
                )
            sample -= n_read

    def _check_length(self) -> None:
        """Raise Unreadable if the length is not known, and AudioError if the file ends before its header says."""
        if self._file.format == "RAW":
            raise Unreadable(_HEADERLESS)
        if self.n_samples == _NO_LENGTH:
            raise Unreadable(NO_LENGTH)
        log = self._file.extra_info
        for promised, present in _CUT_SHORT.findall(log) if "(should be" in log else ():
            n_promised, n_present = int(promised), int(present)
            if not 0 < n_present < n_promised < _UNKNOWN_SIZE:
                continue
            promised_s = self.duration_s * n_promised / n_present
            if promised_s - self.duration_s > _UNCOMPRESSED_TOLERANCE_S:
                raise AudioError(
                    f"{self._path}: truncated, it has {self.duration_s:.2f} s of the {promised_s:.2f} s in its header."
                )


def _describe(error: soundfile.LibsndfileError) -> str:
    text = str(error.error_string).rstrip(".")
    if text.startswith("File does not exist"):  # libsndfile's error for a file that is named mp3 but has another format
        return "Format not recognised"
    return "damaged" if text == "Unspecified internal error" else text
