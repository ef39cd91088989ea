"""Read an untrusted .npy file, comparing its header with its size before allocating memory."""

import math
from pathlib import Path
from tokenize import TokenError
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from xval.base.errors import ResultsError

_READERS = {(1, 0): npy_format.read_array_header_1_0, (2, 0): npy_format.read_array_header_2_0}


def check_array_header(file: BinaryIO, n_bytes: int) -> None:
    """Raise an error for a .npy file whose header does not match its content.

    Args:
        file: The file, at its beginning; it is read up to the end of the header.
        n_bytes: Size of the whole file.

    Raises:
        ValueError: It is not a .npy file, has Python objects (a pickle), or its size does not match its header.
    """
    version = npy_format.read_magic(file)
    if version not in _READERS:
        raise ValueError(f"format {version} of a .npy file; expected (1, 0) or (2, 0)")
    try:
        shape, _, dtype = _READERS[version](file)
    except (
        SyntaxError,
        TokenError,
        TypeError,
        KeyError,
        OverflowError,
        RecursionError,
        MemoryError,
    ) as error:  # NumPy reads it as Python
        raise ValueError(f"its header is damaged ({type(error).__name__})") from error
    if dtype.hasobject:
        raise ValueError("it contains Python objects, which need a pickle")
    announced, held = math.prod(shape) * dtype.itemsize, n_bytes - file.tell()
    if announced != held:
        raise ValueError(f"its header announces {announced} bytes, but {held} follow")


def read_array(path: Path) -> NDArray[Any] | None:
    """Return the array of a .npy file next to a model, or None if there is none.

    Raises:
        ResultsError: The file is damaged.
    """
    if not path.is_file():
        return None
    try:
        with path.open("rb") as file:
            check_array_header(file, path.stat().st_size)
        array: NDArray[Any] = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ResultsError(f"{path}: damaged ({error}). Copy it again from the fold folder, or delete it.") from error
    return array
