"""Give links and files with the same bytes one path, so that overlapping segments of a recording are found under all names."""

import hashlib
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def first_paths(clips: "pd.DataFrame", audio_folder: Path) -> list[str]:
    """Return for each clip the first path in the list whose file has the same content.

    Files are compared only if at least one clip is a segment (whole files are compared elsewhere, by the hash of their audio).
    Only files of equal size are read.

    Args:
        clips: One row per clip: path, start_s, end_s. The path of a missing file stays as it is.
        audio_folder: The folder to which paths are relative.
    """
    paths = [str(path) for path in clips["path"]]
    if clips[["start_s", "end_s"]].isna().all(axis=None):
        return paths
    by_size: dict[int, dict[Path, list[str]]] = defaultdict(lambda: defaultdict(list))
    for path in dict.fromkeys(paths):
        file = (Path(audio_folder) / path).resolve()
        if file.is_file():
            by_size[file.stat().st_size][file].append(path)
    first: dict[tuple[int, object], str] = {}
    names: dict[str, str] = {}
    for size, files in by_size.items():
        for file, its_paths in files.items():
            content = _hash_file(file, file.stat().st_mtime_ns) if len(files) > 1 else file
            names |= dict.fromkeys(its_paths, first.setdefault((size, content), its_paths[0]))
    return [names.get(path, path) for path in paths]


@cache  # because a list is compared both when it is checked and when it is written
def _hash_file(path: Path, _: int) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").digest()
