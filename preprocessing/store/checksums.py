"""Checksums of a feature store: a bit that flips on a disk would train and test on other numbers, and nothing would say so.

checksums.json names every file with the CRC-32 of each of its blocks, so that several cores can read a large file. CRC-32 finds
every single flipped bit, and other damage but for one in 4 x 10^9; it takes about 0.2 s of a core per GB, a quarter of what a
hash takes that an attacker could not forge.
"""

import json
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from preprocessing.file_replacement import replace_file
from preprocessing.parallel import Progress, count_cores
from preprocessing.store import layout
from preprocessing.store.moments import DAMAGE
from xval.base.errors import CorpusError, ResultsError
from xval.base.json_files import read_json
from xval.base.operating_system import open_regular

CHECKSUMS_NAME = "checksums.json"

_ARRAYS = (layout.PREDICTORS_NAME, layout.TARGETS_NAME)
_FILES = (layout.DESCRIPTION_NAME, layout.EXAMPLES_NAME, layout.MOMENTS_NAME, layout.ANNOTATIONS_NAME, *_ARRAYS)
_BLOCK_BYTES, _CHUNK_BYTES = 1 << 26, 1 << 22
_MOST_THREADS = 4  # zlib lets others compute meanwhile; more do not make a disk faster
_BLOCK_VALUES = 1 << 22


def write_checksums(folder: Path) -> None:
    """Note the checksums of the files of a store as they are now.

    Raises:
        CorpusError: The folder cannot be written.
        OSError: A file cannot be read.
    """
    computed = _checksums(folder, [name for name in _FILES if (folder / name).is_file()])
    text = json.dumps({"format_version": 1, "crc32": computed}, indent=0)
    replace_file(folder / CHECKSUMS_NAME, lambda temporary: temporary.write_text(f"{text}\n", encoding="utf-8"))


def find_damage(folder: Path, progress: Progress | None = None) -> list[str] | None:
    """Return the files of a store that are not what was written, or None if nothing says what was written.

    Returns:
        A line per file, with its path.
    """
    path = folder / CHECKSUMS_NAME
    try:
        content = read_json(path)
        noted = {} if content is None else dict(content["crc32"])
    except (ResultsError, OSError, KeyError, TypeError, ValueError):
        return [f"{path}: damaged"]
    if content is None:
        return None
    if outside := sorted(noted.keys() - set(_FILES)):
        return [f"{path}: damaged, names {outside[0]!a:.80}"]
    return [
        f"{folder / name}: {'changed since it was written (another checksum)' if (folder / name).is_file() else 'missing'}"
        for name, computed in _checksums(folder, list(noted), progress).items()
        if computed != noted[name]
    ]


def find_not_finite(folder: Path) -> str | None:
    """Return the first array of a store that holds NaN or infinite numbers, and where, or None if there is none."""
    for path in (folder / name for name in _ARRAYS):
        try:
            array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
        except DAMAGE:
            continue  # whoever uses it says what is wrong
        n_rows = max(1, _BLOCK_VALUES // max(1, array[:1].size))
        for first in range(0, len(array), n_rows):
            is_finite = np.isfinite(array[first : first + n_rows])
            if not is_finite.all():
                row = first + int(np.argmin(is_finite.reshape(len(is_finite), -1).all(axis=1)))
                return f"{path}: row {row} has NaN or infinite numbers"
    return None


def _checksums(folder: Path, names: list[str], progress: Progress | None = None) -> dict[str, list[str]]:
    """Return the checksums of the blocks of files, eight hex digits each; of a file that is missing or empty there are none."""
    sizes = {name: (folder / name).stat().st_size if (folder / name).is_file() else 0 for name in names}
    blocks = [(name, first) for name, size in sizes.items() for first in range(0, size, _BLOCK_BYTES)]
    checksums: dict[str, list[str]] = {name: [] for name in names}
    with ThreadPoolExecutor(min(_MOST_THREADS, count_cores())) as threads:
        computed = threads.map(lambda block: _checksum(folder / block[0], block[1]), blocks)
        for done, ((name, _), checksum) in enumerate(zip(blocks, computed, strict=True), start=1):
            checksums[name].append(checksum)
            if progress is not None:
                progress(done, len(blocks))
    return checksums


def _checksum(path: Path, first: int) -> str:
    """Return the checksum of the block that begins at a byte of a file."""
    crc = 0
    try:
        with open_regular(path) as file:
            file.seek(first)
            for _ in range(0, _BLOCK_BYTES, _CHUNK_BYTES):
                crc = zlib.crc32(file.read(_CHUNK_BYTES), crc)
    except OSError:
        return "unreadable"
    return f"{crc:08x}"


def refuse_damage(folder: Path, progress: Progress | None = None) -> str | None:
    """Refuse a store of which a file is not what was written; note the checksums of one that has none.

    Returns:
        What is to be said of a store that was made without checksums; None: it has them.
    """
    faults = find_damage(folder, progress)
    if faults is None:
        faults = list(filter(None, [find_not_finite(folder)]))
    elif not faults:
        return None
    if faults:
        more = f" ({len(faults)} such files)" if len(faults) > 1 else ""
        raise CorpusError(f"{faults[0]}{more}. {layout.how_to_rebuild(folder)}")
    try:
        write_checksums(folder)
    except (CorpusError, OSError) as error:
        return f"{folder} was made without checksums, and they cannot be stored ({error})."
    return f"An earlier version of xval made {folder} without checksums, so they are stored now."
