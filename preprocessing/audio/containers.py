"""Open an audio container with PyAV, which includes FFmpeg's libraries, by its content only and without opening any other file.

The durations of packets are summed, whatever the header of the file says.
"""

from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, BinaryIO

from preprocessing.audio.formats import CONTAINERS

if TYPE_CHECKING:
    from av.container import InputContainer

_BUFFER_BYTES = 1 << 18


def open_container(file: BinaryIO) -> "InputContainer":
    """Open the container in a file.

    Raises:
        av.FFmpegError, OSError, ValueError: It holds none that is read.
    """
    import av

    # FFmpeg writes notes on a file to the terminal; what makes a file unusable is raised as an error anyway.
    av.logging.set_libav_level(av.logging.PANIC)
    # A name would make FFmpeg guess the format from its ending, and read a long file of zeros to the end for an mp3 frame.
    nameless = SimpleNamespace(read=file.read, seek=file.seek, tell=file.tell)
    container: InputContainer = av.open(
        nameless,
        "r",
        # Without the list a text file could be taken for a playlist, which makes FFmpeg open other files and addresses.
        container_options={"format_whitelist": CONTAINERS, "protocol_whitelist": "none"},
        metadata_errors="replace",
        buffer_size=_BUFFER_BYTES,
    )
    return container


def packets_s(path: Path) -> float:
    """Return how long the packets of the first sound track of a file are (s), which are not decoded; 0.0: FFmpeg reads none."""
    import av

    try:
        with path.open("rb") as file, open_container(file) as container:
            packets = container.demux(container.streams.audio[0])
            return sum(float(_signed(packet.duration) * packet.time_base) for packet in packets if packet.duration)
    except (av.FFmpegError, OSError, ValueError, IndexError):
        return 0.0


def _signed(duration: int) -> int:
    """Return the duration of a packet: that of the last one of Vorbis may be negative, of which PyAV shows the 32 bits."""
    return (duration + (1 << 31)) % (1 << 32) - (1 << 31)
