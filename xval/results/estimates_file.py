"""estimates.json of an instance: the one cache of figures that are computed from its predictions.

Comes in: what was computed, with what it was computed of: the hashes of each record and of its predictions. Goes out: the same,
for those who have the same records and predictions. Anyone may have edited the file; it has a checksum, and what
is damaged or of others is computed anew. Predictions that are gone leave what was computed of them.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from xval.base.errors import ResultsError
from xval.base.json_files import FORMAT_VERSION, JsonObject, hash_text, part_of, read_json, without_nan
from xval.base.operating_system import read_regular, replace
from xval.base.size_limits import LARGEST_TABLE_BYTES
from xval.results.folder import file_state

_READ = ("scores.parquet", "predictions.parquet", "events.csv")


class Estimates(NamedTuple):
    """The content of estimates.json.

    Attributes:
        over_items: ``of``, the version of the code and the sources by job; and ``figures``; empty: there are none.
    """

    over_items: JsonObject


def read_estimates(path: Path) -> Estimates:
    """Return the estimates of a file, empty ones where there is none; one that is damaged or was edited is a `ResultsError`."""
    try:
        content = read_json(path)
    except ResultsError:
        content = {}
    if content is None or "further" in content:  # of an earlier version
        return Estimates({})
    parts: list[Any] = [content.get(name) for name in Estimates._fields]
    if not all(isinstance(part, dict) for part in parts) or content.get("checksum") != _checksum(parts):
        raise ResultsError(f"{path}: damaged. Delete it; xval rebuild writes it again.")
    return Estimates(*parts)


def write_estimates(path: Path, estimates: Estimates) -> None:
    """Write estimates, with None in the place of NaN; without waiting for the disk, since what is damaged is computed anew."""
    parts = without_nan(estimates._asdict())
    content = {"format_version": FORMAT_VERSION, **parts, "checksum": _checksum([*parts.values()])}
    with part_of(path) as temporary:
        temporary.write_text(
            json.dumps(content, allow_nan=False), encoding="utf-8"
        )  # in a line, which takes a tenth of the time
        replace(temporary, path)


def source_of(job_folder: str, record_hash: str) -> JsonObject:
    """Return what tells the record and the predictions of a job from any others: hashes, and time and size of the files."""
    states = {name: file_state(f"{job_folder}/{name}") for name in _READ}
    files = {name: [*state[:2], _hash_file(f"{job_folder}/{name}")] for name, state in states.items() if state}
    return {"record": record_hash, "files": files}


def is_of(known: Mapping[str, Any], job_folder: str, record_hash: str) -> bool:
    """Return whether something was computed of a record and the predictions beside it; those that are gone are not asked for.

    `known` is what `source_of` returned. Files that have another time, as copies have, are read.
    """
    return known["record"] == record_hash and all(_is_file(known["files"].get(name), f"{job_folder}/{name}") for name in _READ)


def _is_file(known: Sequence[Any] | None, path: str) -> bool:
    state = file_state(path)
    if state is None or known is None:
        return state is None
    return [*state[:2]] == known[:2] or (state[1] == known[1] and _hash_file(path) == known[2])


def _hash_file(path: str) -> str:
    try:
        return hash_text(read_regular(Path(path), LARGEST_TABLE_BYTES))
    except OSError:
        return ""  # nothing can be computed of it


def _checksum(parts: object) -> str:
    return hash_text(json.dumps(parts).encode())
