"""Read the predictors of a feature store from its file, or keep the store in memory for all folds and instances.

Arrays in memory have the examples of all items as rows, one item after the other, and the tables of the store are included.
They are read once per process. A process keeps the store of its current job, within a memory limit, and possibly that of the
next job, which a thread reads while the current one trains.
"""

import threading
from concurrent.futures import Future
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from preprocessing.store import FeatureStore, layout, open_store
from xval.base.errors import CorpusError
from xval.data.item_scaling import ItemScaling


class StoreFiles:
    """The predictors of a store on disk; several threads may read at the same time; the file is neither mapped nor kept open.

    The pages of a mapped file would count as memory of the process, and mapping is many times slower than reading for single
    rows of many items.
    """

    def __init__(self, store: FeatureStore) -> None:
        mapped = store.predictors()
        self._path, self._offset, self._row_shape = Path(str(mapped.filename)), mapped.offset, mapped.shape[1:]

    def piece(self, first: int, stop: int) -> NDArray[np.float32]:
        """Return the rows from ``first`` until before ``stop``, float32 (stop - first, ...), as `FeatureStore.predictors`."""
        rows = np.empty((max(0, stop - first), *self._row_shape), np.float32)
        self.fill(first, rows)
        return rows

    def fill(self, first: int, rows: NDArray[np.float32]) -> None:
        """Fill a contiguous array, float32 (n_rows, ...), with the rows from ``first`` on."""
        if not rows.size:
            return
        try:
            with FileIO(self._path) as file:
                file.seek(self._offset + first * rows[0].nbytes)
                left = rows.data.cast("B")
                while left:
                    n_bytes = file.readinto(left)
                    if not n_bytes:
                        raise CorpusError(f"{self._path}: cut off while in use. Run the command again.")
                    left = left[n_bytes:]
        except OSError as error:
            raise CorpusError(f"{self._path}: cannot be read ({error.strerror}). Run the command again.") from error


class _Identity(NamedTuple):
    """The identity of a store on disk, with the scaling of its features; it changes when the store is written again."""

    folder: str
    device: int
    inode: int
    written_ns: int
    n_bytes: int
    scaling: str


class HeldStore:
    """A store with its arrays in memory, which are read-only.

    Attributes:
        store: The store, with its tables read.
        everything: The predictors of all items, float32 (n_examples, *example_shape), or (n_samples,) of waveforms.
        targets: The targets of all items, int64 (n_examples,) or float32 (n_examples, *target_shape).
    """

    def __init__(self, store: FeatureStore, scaling: ItemScaling | None = None) -> None:
        self.store = store
        self.everything = StoreFiles(store).piece(0, sum(store.description.item_rows.values()))
        if scaling is not None:
            for item, rows in store.item_slices.items():
                scaling.apply(item, self.everything[rows])
        self.everything.flags.writeable = False
        self.targets: NDArray[Any] = np.array(store.targets())
        store.examples  # noqa: B018 - read once, and kept with the store
        if store.task_type == "frame_classification":
            store.annotations  # noqa: B018

    def piece(self, first: int, stop: int) -> NDArray[np.float32]:
        """Return a view of some rows, see `StoreFiles.piece`."""
        return self.everything[first:stop]


class StoreMemory:
    """The stores in the memory of a process: the current one and the next. Several threads may use it at the same time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._present: _Identity | None = None
        self._next: _Identity | None = None
        self._held: dict[_Identity, Future[HeldStore]] = {}

    @property
    def folders(self) -> list[str]:
        """The folders of the stores that are held or being read."""
        with self._lock:
            return [identity.folder for identity in self._held]

    def hold(self, store: FeatureStore, limit_mb: float, scaling: ItemScaling | None = None) -> HeldStore | None:
        """Return a store in memory, and drop all others except the one that is preloaded for the next job.

        Args:
            store: The store of the present job.
            limit_mb: Largest size of the arrays of a store (MB).
            scaling: The scaling of features by item; None: none.

        Returns:
            The store in memory; None: it is larger than the limit.
        """
        identity = _identify(store.folder, scaling) if store_mb(store) <= limit_mb else None
        with self._lock:
            self._present = identity
            self._drop()
        while identity is not None:
            with suppress(_ReadElsewhereError):
                return self._read(identity, store, scaling)
        return None

    def preload(self, store: FeatureStore, limit_mb: float) -> None:
        """Read the store of the next job if it is not larger than the limit."""
        identity = _identify(store.folder) if store_mb(store) <= limit_mb else None
        with self._lock:
            self._next = identity
            self._drop()
        if identity is not None:
            with suppress(_ReadElsewhereError):
                self._read(identity, store)

    def _read(self, identity: _Identity, store: FeatureStore, scaling: ItemScaling | None = None) -> HeldStore:
        """Return a store in memory; the first thread reads it, others wait.

        Raises:
            _ReadElsewhereError: Another thread was reading it, and failed.
        """
        with self._lock:
            is_read_elsewhere = identity in self._held
            held = self._held.setdefault(identity, Future())
        if is_read_elsewhere:
            return held.result()
        try:
            held.set_result(HeldStore(store, scaling))
        except BaseException as error:
            with self._lock:
                self._held.pop(identity, None)
            held.set_exception(_ReadElsewhereError(str(error)))
            raise
        return held.result()

    def _drop(self) -> None:
        """Drop the stores of earlier jobs, whose memory is freed when their last examples are gone."""
        for identity in self._held.keys() - {self._present, self._next}:
            del self._held[identity]


class _ReadElsewhereError(Exception):
    """The thread that was reading a store failed; a waiting thread then reads the store itself, to raise the error."""


def store_mb(store: FeatureStore) -> float:
    """Return the size of the predictors and targets of a store in memory (MB)."""
    return (store.predictors().nbytes + store.targets().nbytes) / 2**20


def _identify(folder: Path, scaling: ItemScaling | None = None) -> _Identity:
    """Return the identity of a store, which changes when the store is written again."""
    about = (folder / layout.DESCRIPTION_NAME).stat()
    key = scaling.key if scaling else ""
    return _Identity(str(folder.resolve()), about.st_dev, about.st_ino, about.st_mtime_ns, about.st_size, key)


_OF_THIS_PROCESS = StoreMemory()


def hold(store: FeatureStore, limit_mb: float, scaling: ItemScaling | None = None) -> HeldStore | None:
    """Return a store in the memory of this process, see `StoreMemory.hold`."""
    return _OF_THIS_PROCESS.hold(store, limit_mb, scaling)


def preload(folder: Path, limit_mb: float) -> None:
    """Read the store of the next job in the caller's thread, if it is not larger than the limit (MB).

    Errors of the store are ignored here, because the job that uses it raises them.
    """
    with suppress(Exception):
        _OF_THIS_PROCESS.preload(open_store(folder), limit_mb)
