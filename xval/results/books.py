"""The derived files of a run, kept up to date while its jobs end.

Comes in: the results folder, and a call whenever a job has ended. Goes out: metrics.json of each instance and the workbook, not
long behind the folds. A thread of its own writes them, so that no worker waits for its next job meanwhile.
"""

import threading
import time

from xval.results.folder import ExperimentFolder
from xval.results.rebuild import DerivedFiles, without_collector

SECONDS_BETWEEN = 30.0
_LARGEST_SHARE = 1 / 20  # of the time


class Books:
    """The derived files of one run.

    Args:
        folder: The results folder.
        seconds_between: How long the files may stay as they are while jobs end (s); longer where writing them takes more than a
            twentieth of that.
    """

    def __init__(self, folder: ExperimentFolder, seconds_between: float = SECONDS_BETWEEN) -> None:
        self._files = DerivedFiles(folder)
        self._seconds_between = seconds_between
        self._next = time.monotonic() + seconds_between
        self._thread: threading.Thread | None = None
        self._error: Exception | None = None

    def keep(self) -> None:
        """Begin to rebuild the derived files, if it is time; this returns at once.

        Raises:
            ResultsError: folds.json is damaged, as the last rebuild has found.
            OSError: The last rebuild could not write.
        """
        if self._thread is not None and not self._thread.is_alive():
            self._join()
        if self._thread is None and time.monotonic() >= self._next:
            self._thread = threading.Thread(target=self._rebuild, daemon=True)
            self._thread.start()

    def close(self) -> list[str]:
        """Rebuild the derived files a last time.

        Returns:
            What is damaged and was left out, a line each.

        Raises:
            ResultsError: folds.json is damaged.
            OSError: The disk is full or not writable; what stood there stays.
        """
        if self._thread is not None:
            self._thread.join()
        with without_collector():
            return self._files.rebuild()

    def _join(self) -> None:
        self._thread = None
        if self._error is not None:
            raise self._error

    def _rebuild(self) -> None:
        started = time.monotonic()
        try:
            self._files.rebuild()
        except Exception as error:  # noqa: BLE001 - the run is told of it when its next job ends
            self._error = error
        ended = time.monotonic()
        self._next = ended + max(self._seconds_between, (ended - started) / _LARGEST_SHARE)
