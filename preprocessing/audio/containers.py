"""Open audio containers with PyAV, which includes FFmpeg's libraries.

The format is recognised by the content only, and no other file is opened.
"""

from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, BinaryIO

from preprocessing.audio.formats import CONTAINERS

if TYPE_CHECKING:
    from av.container import InputContainer

_BUFFER_BYTES = 1 << 18


def open_container(file: BinaryIO) -> "InputContainer":
    """Open the audio container in a file.

    Raises:
        av.FFmpegError, OSError, ValueError: The file has no container of a supported format.
    """
    import av

    # FFmpeg would write notes about files to the terminal; problems that matter are raised as errors anyway.
    av.logging.set_libav_level(av.logging.PANIC)
    # With a name, FFmpeg would guess the format from its ending, and search a long file of zeros for an mp3 frame.
    nameless = SimpleNamespace(read=file.read, seek=file.seek, tell=file.tell)
    container: InputContainer = av.open(
        nameless,
        "r",
        # Without the list, FFmpeg could take a text file for a playlist and open other files and addresses.
        container_options={"format_whitelist": CONTAINERS, "protocol_whitelist": "none"},
        metadata_errors="replace",
        buffer_size=_BUFFER_BYTES,
    )
    return container


def packets_s(path: Path) -> float:
    """Return the sum of the durations of the packets of a file's first sound track (s); 0.0: FFmpeg cannot read it.

    Nothing is decoded, and the length in the header of the file is not used.
    """
    import av

    try:
        with path.open("rb") as file, open_container(file) as container:
            packets = container.demux(container.streams.audio[0])
            return sum(float(_signed(packet.duration) * packet.time_base) for packet in packets if packet.duration)
    except (av.FFmpegError, OSError, ValueError, IndexError):
        return 0.0


def _signed(duration: int) -> int:
    """Return the duration of a packet as a signed number: that of the last one of Vorbis may be negative, unlike in PyAV."""
    return (duration + (1 << 31)) % (1 << 32) - (1 << 31)
