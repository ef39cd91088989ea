"""Rebuild metrics.json and the workbook in a thread while the jobs of a run end, so that no worker waits for them."""

import threading
import time
from collections.abc import Callable

from xval.report.rebuild import rebuild
from xval.results.folder import ExperimentFolder

SECONDS_BETWEEN = 30.0
_LARGEST_SHARE = 1 / 20  # of the time that is spent on writing


class BackgroundRebuild:
    """Rebuilds the derived files of one run.

    Args:
        seconds_between: Least time between two rebuilds (s); more where a rebuild takes over a twentieth of it.
        write_page: Called after each rebuild, to write what is made of the derived files.
        say: Told what a rebuild fails with, which costs no job; while jobs end, the first time.
    """

    def __init__(
        self,
        folder: ExperimentFolder,
        seconds_between: float = SECONDS_BETWEEN,
        write_page: Callable[[], None] = lambda: None,
        say: Callable[[Exception], None] = lambda _: None,
    ) -> None:
        self._folder = folder
        self._write_page = write_page
        self._seconds_between = seconds_between
        self._next = time.monotonic() + seconds_between
        self._say = say
        self._thread: threading.Thread | None = None
        self._error: Exception | None = None
        self._has_said = False

    def update(self) -> None:
        """Start a rebuild if it is time for one, without waiting for it; what the last one failed with is said here."""
        if self._thread is not None and not self._thread.is_alive():
            self._thread = None
            self._say_once()
        if self._thread is None and time.monotonic() >= self._next:
            self._thread = threading.Thread(target=self._rebuild, daemon=True)
            self._thread.start()

    def close(self) -> list[str]:
        """Rebuild a last time.

        Returns:
            What is damaged and was left out, a line each.
        """
        if self._thread is not None:
            self._thread.join()
        damaged: list[str] = []
        try:
            damaged = rebuild(self._folder, changed_only=True)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with it, the folds are there
            self._say(error)
        return damaged

    def _rebuild(self) -> None:
        started = time.monotonic()
        self._error = None
        try:
            rebuild(self._folder, changed_only=True)
            self._write_page()
        except Exception as error:  # noqa: BLE001 - said by the next `update`
            self._error = error
        ended = time.monotonic()
        self._next = ended + max(self._seconds_between, (ended - started) / _LARGEST_SHARE)

    def _say_once(self) -> None:
        if self._error is not None and not self._has_said:
            self._has_said = True
            self._say(self._error)
