"""The cache of scores that are computed from predictions: estimates.json of an instance, nested_estimates.json of chosen jobs.

It has the hashes of the records and predictions behind the scores, and is valid if these are unchanged. Scores stay valid if
predictions were deleted. A file that is damaged or was edited, which a checksum shows, is computed again.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from xval.base.errors import ResultsError
from xval.base.json_files import FORMAT_VERSION, JsonObject, hash_text, part_of, read_json, without_nan
from xval.base.operating_system import read_regular, replace
from xval.base.size_limits import LARGEST_TABLE_BYTES
from xval.results.folder import file_state

_READ = ("scores.parquet", "predictions.parquet", "events.csv")


def read_estimates(path: Path) -> JsonObject:
    """Return ``of`` and ``figures`` of `write_estimates`; nothing if the file is missing, damaged or was edited."""
    try:
        content = read_json(path) or {}
    except (ResultsError, OSError):
        return {}
    estimates = content.get("over_items")
    summed = [content["further"], estimates] if "further" in content else [estimates]  # the first of an earlier version
    if isinstance(estimates, dict) and estimates.keys() == {"of", "figures"} and content.get("checksum") == _checksum(summed):
        return estimates
    return {}


def write_estimates(path: Path, of: JsonObject, scores: Mapping[str, Any]) -> None:
    """Write the scores and their sources, without waiting for the disk because a damaged file is computed again."""
    estimates = without_nan({"of": of, "figures": scores})
    content = {"format_version": FORMAT_VERSION, "over_items": estimates, "checksum": _checksum([estimates])}
    with part_of(path) as temporary:
        text = json.dumps(content, allow_nan=False)  # in a line, which takes a tenth of the time
        temporary.write_text(text, encoding="utf-8")
        replace(temporary, path)


def source_of(job_folder: str, record_hash: str) -> JsonObject:
    """Return the identity of the record and the predictions of a job: hashes, times and sizes of the files."""
    states = {name: file_state(f"{job_folder}/{name}") for name in _READ}
    files = {name: [*state[:2], _hash_file(f"{job_folder}/{name}")] for name, state in states.items() if state}
    return {"record": record_hash, "files": files}


def is_of(known: Mapping[str, Any], job_folder: str, record_hash: str) -> bool:
    """Return whether scores were computed from a record and the predictions next to it; deleted predictions are not required.

    `known` is the result of `source_of`. Files with another time, such as copies, are read.
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
