"""Checksums of a feature store: a bit that flips on a disk would train and test on other numbers, and nothing would say so.

Comes in: the folder of a store. Goes out: checksums.json, which names every file with its CRC-32; the faults of files that are
not what was written; the first place where a store holds NaN or infinite numbers.

CRC-32 finds every single flipped bit, and other damage but for one in 4 x 10^9; it takes about 0.2 s of a core per GB, a
quarter of what a hash takes that an attacker could not forge.
"""

import json
import zlib
from collections.abc import Iterator
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

_TABLES = (layout.DESCRIPTION_NAME, layout.EXAMPLES_NAME, layout.MOMENTS_NAME, layout.ANNOTATIONS_NAME)
_KINDS = (layout.PREDICTORS_NAME, layout.TARGETS_NAME)
_CHUNK_BYTES = 1 << 22
_MOST_THREADS = 4  # zlib lets others compute meanwhile; more do not make a disk faster
_BLOCK_VALUES = 1 << 22


def write_checksums(folder: Path) -> None:
    """Note the checksums of the files of a store as they are now.

    Raises:
        CorpusError: The folder cannot be written.
        OSError: A file cannot be read.
    """
    names = [name for name in _TABLES if (folder / name).is_file()]
    names += [f"{kind}/{path.name}" for kind in _KINDS for path in sorted((folder / kind).glob("*.npy"))]
    computed = dict(zip(names, _checksums(folder, names, None), strict=True))
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
    outside = [name for name in noted if name not in _TABLES and not _is_array(name)]
    if outside:
        return [f"{path}: damaged, names {outside[0]!a:.80}"]
    checksums = _checksums(folder, list(noted), progress)
    return [
        f"{folder / name}: {'missing' if computed is None else 'changed since it was written (another checksum)'}"
        for (name, wanted), computed in zip(noted.items(), checksums, strict=True)
        if computed != wanted
    ]


def find_not_finite(folder: Path) -> str | None:
    """Return the first array of a store that holds NaN or infinite numbers, and where, or None if there is none."""
    for kind in _KINDS:
        for path in sorted((folder / kind).glob("*.npy")):
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


def _is_array(name: str) -> bool:
    kind, _, file = name.partition("/")
    return kind in _KINDS and file not in ("", "..") and not set(file) & set("/\\")


def _checksums(folder: Path, names: list[str], progress: Progress | None) -> Iterator[str | None]:
    """Yield the checksums of files, eight hex digits each; None where one cannot be read."""
    with ThreadPoolExecutor(min(_MOST_THREADS, count_cores())) as threads:
        for done, computed in enumerate(threads.map(_checksum, (folder / name for name in names)), start=1):
            yield computed
            if progress is not None:
                progress(done, len(names))


def _checksum(path: Path) -> str | None:
    crc = 0
    try:
        with open_regular(path) as file:
            while chunk := file.read(_CHUNK_BYTES):
                crc = zlib.crc32(chunk, crc)
    except OSError:
        return None
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
    return f"{folder} was made without checksums by an earlier version; they are stored from now on."
