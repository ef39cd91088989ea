"""The .npy files of a store that is being built: an array for each item, which grows clip by clip.

Comes in: blocks of values, item by item. Goes out: files that numpy maps into memory.
"""

import io
import os
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from preprocessing.store.layout import PREDICTORS_NAME, TARGETS_NAME, array_name


class ArrayFiles:
    """The predictors and targets of the items of one store.

    Raises:
        OSError: From every method: the disk is full or not writable.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # Clips mostly come item by item: the files of the last one stay open.
        self._open_item: str | None = None
        self._open_files = ExitStack()

    def make_folders(self) -> None:
        """Make the folders of the arrays."""
        (self._folder / PREDICTORS_NAME).mkdir(parents=True)
        (self._folder / TARGETS_NAME).mkdir()

    def append(self, item: str, predictors: NDArray[np.generic], targets: NDArray[np.generic]) -> None:
        """Add values behind those that an item has."""
        if self._open_item != item:
            self.close()
            self._predictors = self._open_files.enter_context(self._open(PREDICTORS_NAME, item, predictors))
            self._targets = self._open_files.enter_context(self._open(TARGETS_NAME, item, targets))
            self._open_item = item
        self._predictors.write(predictors.data)
        self._targets.write(targets.data)

    def close(self) -> None:
        """Close the files that are open."""
        self._open_item = None
        self._open_files.close()

    def finish(self, name: str, item: str, dtype: str, shape: tuple[int, ...]) -> None:
        """Write the final shape into the header of an array, and wait until the file is on the disk."""
        with (self._folder / name / array_name(item)).open("r+b") as file:
            file.write(_header(np.dtype(dtype), shape))
            file.flush()
            os.fsync(file.fileno())

    def _open(self, name: str, item: str, values: NDArray[np.generic]) -> BinaryIO:
        """Open an item's file to append to it; a new one begins with the header of an array of no examples."""
        file = (self._folder / name / array_name(item)).open("ab")
        if not file.tell():
            file.write(_header(values.dtype, (0, *values.shape[1:])))
        return file


def _header(dtype: np.dtype[np.generic], shape: tuple[int, ...]) -> bytes:
    """Return the header of a .npy file; its length does not depend on the first number of the shape."""
    header = io.BytesIO()
    npy.write_array_header_1_0(header, {"descr": npy.dtype_to_descr(dtype), "fortran_order": False, "shape": shape})
    return header.getvalue()
