"""Rebuild the derived files of a run in the background, while its jobs end.

Comes in: the results folder, and a call whenever a job has ended. Goes out: metrics.json of each instance and the workbook,
written by a thread, so that no worker waits for them.
"""

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
    """

    def __init__(
        self,
        folder: ExperimentFolder,
        seconds_between: float = SECONDS_BETWEEN,
        write_page: Callable[[], None] = lambda: None,
    ) -> None:
        self._folder = folder
        self._write_page = write_page
        self._seconds_between = seconds_between
        self._next = time.monotonic() + seconds_between
        self._thread: threading.Thread | None = None
        self._error: Exception | None = None

    def update(self) -> None:
        """Start a rebuild if it is time for one, without waiting for it; an error of the last one is raised here."""
        if self._thread is not None and not self._thread.is_alive():
            self._thread = None
            if self._error is not None:
                raise self._error
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
        return rebuild(self._folder, changed_only=True)

    def _rebuild(self) -> None:
        started = time.monotonic()
        try:
            rebuild(self._folder, changed_only=True)
            self._write_page()
        except Exception as error:  # noqa: BLE001 - raised by the next `update`
            self._error = error
        ended = time.monotonic()
        self._next = ended + max(self._seconds_between, (ended - started) / _LARGEST_SHARE)
