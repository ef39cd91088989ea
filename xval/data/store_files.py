"""Read rows of a feature store's predictors from its files into new arrays, without memory-mapping and without open files.

The pages of a mapped file count as memory of the process, which would grow with the dataset; and for single rows of many items
mapping is many times slower than plain reading.
"""

from io import FileIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from preprocessing.store import FeatureStore
from xval.base.errors import CorpusError
from xval.data.item_scaling import ItemScaling


class StoreFiles:
    """The predictors of a store on disk, scaled as they are read; several threads may read at a time."""

    def __init__(self, store: FeatureStore, scaling: ItemScaling | None = None) -> None:
        self._store, self._scaling = store, scaling
        self._places: dict[str, tuple[Path, int]] = {}

    def piece(self, item: str, first: int, stop: int) -> NDArray[np.float32]:
        """Return the rows of an item from ``first`` until before ``stop``; of a store of waveforms, its samples.

        Returns:
            float32 (stop - first, *example_shape); of waveforms (stop - first,).
        """
        shape = () if self._store.is_waveform else self._store.example_shape
        rows = np.empty((max(0, stop - first), *shape), np.float32)
        self.fill(item, first, rows)
        return rows

    def fill(self, item: str, first: int, rows: NDArray[np.float32]) -> None:
        """Fill an array with rows of an item.

        Args:
            item: The item.
            first: The first of the rows.
            rows: float32 (n_rows, *example_shape), or (n_samples,), contiguous; filled here.
        """
        if not rows.size:
            return
        path, offset = self._place(item)
        try:
            with FileIO(path) as file:
                file.seek(offset + first * rows[0].nbytes)
                left = rows.data.cast("B")
                while left:
                    n_bytes = file.readinto(left)
                    if not n_bytes:
                        raise CorpusError(f"{path}: cut off while in use. Run the command again.")
                    left = left[n_bytes:]
        except OSError as error:
            raise CorpusError(f"{path}: cannot be read ({error.strerror}). Run the command again.") from error
        if self._scaling is not None:
            self._scaling.apply(item, rows)

    def _place(self, item: str) -> tuple[Path, int]:
        """Return the file of an item and where its values begin; its header is checked once."""
        if item not in self._places:
            mapped = self._store.predictors(item)
            self._places[item] = (Path(str(mapped.filename)), mapped.offset)
        return self._places[item]
