"""A .npy file that grows row by row while a store is being built."""

import io
import os
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray


class ArrayFile:
    """The array of all examples, or of all targets, of one store.

    Raises:
        OSError: From every method: the disk is full or not writable.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._n_rows = 0

    def append(self, rows: NDArray[np.generic]) -> None:
        """Add rows at the end; all have the type and shape of the first."""
        if self._file is None:
            self._file = self._path.open("wb")
            self._dtype, self._row_shape = rows.dtype, rows.shape[1:]
            self._file.write(self._header())
        self._file.write(rows.data)
        self._n_rows += len(rows)

    def finish(self) -> None:
        """Write the final shape into the header, and wait until the file is on the disk."""
        if self._file is not None:
            self._file.seek(0)
            self._file.write(self._header())
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()

    def close(self) -> None:
        """Close the file as it is."""
        if self._file is not None:
            self._file.close()

    def _header(self) -> bytes:
        """Return the header of a .npy file; its length does not depend on the number of rows."""
        header = io.BytesIO()
        shape = (self._n_rows, *self._row_shape)
        npy.write_array_header_1_0(header, {"descr": npy.dtype_to_descr(self._dtype), "fortran_order": False, "shape": shape})
        return header.getvalue()
