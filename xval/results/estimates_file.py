"""estimates.json of an instance: the one cache of figures that are computed from its predictions.

Comes in: what was computed, with what it was computed of: the hash of each record, and time and size of its predictions. Goes
out: the same, for those who have the same records and predictions. Anyone may have edited the file; it has a checksum, and what
is damaged or of others is computed anew. Predictions that are gone leave what was computed of them.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from xval.base.errors import ResultsError
from xval.base.json_files import FORMAT_VERSION, JsonObject, hash_text, read_json, without_nan, write_json
from xval.results.folder import file_state

_READ = ("predictions.parquet", "events.csv")


class Estimates(NamedTuple):
    """The content of estimates.json.

    Attributes:
        further: By the name of the folder of a job: ``of``, see `source_of`; and ``figures`` of further metrics by name, each
            with version, higher_is_better, metrics and clip_metrics by side, and item_metrics by item.
        over_items: ``of``, the version of the code and the sources by job; and ``figures``; empty: there are none.
    """

    further: JsonObject
    over_items: JsonObject


def read_estimates(path: Path) -> Estimates:
    """Return what is there.

    Raises:
        ResultsError: The file is damaged, or was edited.
    """
    try:
        content = read_json(path)
    except ResultsError:
        content = {}
    if content is None:
        return Estimates({}, {})
    parts: list[Any] = [content.get(name) for name in Estimates._fields]
    if not all(isinstance(part, dict) for part in parts) or content.get("checksum") != _checksum(parts):
        raise ResultsError(f"{path}: damaged. Delete it; python -m xval rebuild writes it again.")
    return Estimates(*parts)


def write_estimates(path: Path, estimates: Estimates) -> None:
    """Write estimates; None instead of NaN.

    Raises:
        OSError: The disk is full or not writable; what stood there stays.
    """
    parts = without_nan(estimates._asdict())
    write_json(path, {"format_version": FORMAT_VERSION, **parts, "checksum": _checksum([*parts.values()])})


def source_of(job_folder: Path | str, record_hash: str) -> JsonObject:
    """Return what tells the record and the predictions of a job from any others."""
    states = {name: file_state(f"{job_folder}/{name}") for name in _READ}
    return {"record": record_hash, "files": {name: list(state[:2]) for name, state in states.items() if state}}


def is_of(known: Mapping[str, Any], source: Mapping[str, Any]) -> bool:
    """Return whether something was computed of a source; of files that are gone the record alone says so."""
    same_files = all(known["files"].get(name) == state for name, state in source["files"].items())
    return bool(known["record"] == source["record"] and same_files)


def _checksum(parts: object) -> str:
    return hash_text(json.dumps(parts).encode())
