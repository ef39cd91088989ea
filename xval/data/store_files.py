"""Read segments of a feature store's predictors from their file, without mapping it and without leaving it open.

The pages of a mapped file count as memory of the process, which would grow with the dataset; and for single rows of many items
mapping is many times slower than plain reading.
"""

from io import FileIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from preprocessing.store import FeatureStore
from xval.base.errors import CorpusError


class StoreFiles:
    """The predictors of a store on disk; several threads may read at a time."""

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
