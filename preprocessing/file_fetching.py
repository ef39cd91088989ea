"""Fetch one file from a server with a progress bar, completely or not at all, and compare its checksum if there is one."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

from rich.console import Console

from preprocessing.console import progress_bar

_CHUNK_BYTES = 1 << 16
_CONNECT_S, _ANSWER_S = 10.0, 20.0
"""So long a server may take to be reached at each of its addresses, and to send the next piece."""


def fetch_file(
    url: str,
    path: Path,
    console: Console,
    *,
    known_hash: str | None = None,
    headers: Mapping[str, str] | None = None,
    largest_bytes: int | None = None,
) -> Path:
    """Fetch a file, with a progress bar.

    Args:
        url: Where it is, http or https.
        path: Where it is put.
        console: Of the progress bar.
        known_hash: ``md5:``, ``sha1:`` or ``sha256:`` and the hexadecimal digits; None: what comes is not checked.
        headers: Of the request, such as a token.
        largest_bytes: Reading ends where more comes; None: all that comes is read.

    Raises:
        requests.RequestException: The server does not answer, refuses, or breaks off.
        ValueError: What came has another checksum, or more comes than `largest_bytes`.
    """
    import pooch

    pooch.get_logger().setLevel("WARNING")
    with progress_bar(console, f"Fetching {path.name}", "bytes") as show:
        bar, timeouts = _Bar(show), (_CONNECT_S, _ANSWER_S)
        request = pooch.HTTPDownloader(bar, chunk_size=_CHUNK_BYTES, headers=dict(headers or {}), timeout=timeouts)

        def download(url: str, place: str, pooch: Any) -> None:
            with Path(place).open("wb") as file:
                request(url, _Limited(file, largest_bytes), pooch)

        return Path(pooch.retrieve(url, known_hash, fname=path.name, path=path.parent, downloader=download))


class _Limited:
    """A file to which no more than so many bytes are written, whatever length a server said."""

    def __init__(self, file: IO[bytes], largest_bytes: int | None) -> None:
        self._file, self._left = file, largest_bytes
        self.flush = file.flush

    def write(self, piece: bytes) -> None:
        if self._left is not None:
            self._left -= len(piece)
            if self._left < 0:
                raise ValueError("more data arrived than announced")
        self._file.write(piece)


class _Bar:
    """What pooch asks of a progress bar: it sets ``total`` (bytes, 0 where unknown), and tells the bytes of every piece."""

    def __init__(self, show: Callable[[int, int], None]) -> None:
        self.total = 0
        self._done = 0
        self._show = show

    def update(self, n_bytes: int) -> None:
        """Show that more has come; the last piece is counted as a whole one, and at the end pooch tells the whole again."""
        if self._done < self.total:
            self._done = min(self._done + n_bytes, self.total)
            self._show(self._done, self.total)

    def close(self) -> None:
        """Nothing is to be closed."""

    reset = close
