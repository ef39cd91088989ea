"""Report the output of the user's code in the process of a job, such as callbacks, line by line.

Output that libraries write directly to the file descriptor is not redirected.
"""

import io
from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_LONGEST = 65536  # bytes of a line; a longer one is told in pieces


class PrintedLines(io.RawIOBase):
    """A stream of UTF-8 bytes that reports each line of text when it is complete.

    Args:
        tell: Function that receives a line without its end.
    """

    def __init__(self, tell: Callable[[str], object]) -> None:
        super().__init__()
        self._tell = tell
        self._begun = b""
        self._lock = Lock()

    def as_text(self) -> io.TextIOWrapper:
        """Return an unbuffered text stream with a `buffer`, like the standard streams."""
        return io.TextIOWrapper(self, "utf-8", "backslashreplace", write_through=True)  # type: ignore[arg-type]

    def end(self) -> None:
        """Report the last line if it has no end."""
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
    """Return the visible text of a line in which each carriage return overwrites what is before it, as in progress bars."""
    return line[:-1].rpartition(b"\r")[2] + line[-1:]
