"""What the user's own code prints in the process of a job, callbacks above all: told line by line to what waits for the job.

What libraries write to the descriptor itself goes where it went before.
"""

import io
from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_LONGEST = 65536  # bytes of a line; a longer one is told in pieces


class PrintedLines(io.RawIOBase):
    """Bytes in UTF-8, told as text, a line as soon as it is complete.

    Args:
        tell: Takes a line, without its end.
    """

    def __init__(self, tell: Callable[[str], object]) -> None:
        super().__init__()
        self._tell = tell
        self._begun = b""
        self._lock = Lock()

    def as_text(self) -> io.TextIOWrapper:
        """Return the stream that takes text, of which nothing waits; it has a `buffer`, as each standard stream."""
        return io.TextIOWrapper(self, "utf-8", "backslashreplace", write_through=True)  # type: ignore[arg-type]

    def end(self) -> None:
        """Tell what has no end of line."""
        if self._begun:
            self.write(b"\n")

    def writable(self) -> bool:  # noqa: D102 - as of every stream
        return True

    def fileno(self) -> int:
        """Return the standard output of the process, for processes that it starts."""
        return 1

    def write(self, written: "ReadableBuffer") -> int:  # noqa: D102
        content = bytes(written)
        with self._lock:
            *lines, begun = (self._begun + content).split(b"\n")
            if len(begun) > _LONGEST:
                lines, begun = [*lines, begun], b""
            self._begun = _last_state(begun)
            for line in lines:
                self._tell(_last_state(line).rstrip(b"\r").decode(errors="replace"))
        return len(content)


def _last_state(line: bytes) -> bytes:
    """Return what is left of a line, such as that of a progress bar, which is written over from each carriage return on."""
    return line[:-1].rpartition(b"\r")[2] + line[-1:]
