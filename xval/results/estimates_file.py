"""The cache of an instance, estimates.json, and of the jobs that folds choose among several, nested_estimates.json.

It has what is computed from predictions, and the scores of all jobs together, so that whoever shows an instance does not open
the scores of each job. It has the hashes of the records, scores and predictions that it was made of, and counts where these are
the same. Predictions that are gone leave what was computed of them. What is damaged or was edited, which a checksum shows, is
computed again.
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
from xval.results.scores import SCORES_FILE, Scores, scores_from_json, scores_to_json

_READ = (SCORES_FILE, "predictions.parquet", "events.csv")


class Estimates(NamedTuple):
    """The content of estimates.json.

    Attributes:
        version: Of the code that computed scores over items.
        jobs: What it was made of: `source_of` each job and the versions of its added metrics, by the name of its folder.
        over_items: An `OverItems`.
        scores: Of the jobs, by the names of their folders; an earlier version has kept none.
    """

    version: int
    jobs: Mapping[str, Mapping[str, Any]]
    over_items: Mapping[str, Any]
    scores: Mapping[str, Scores]

    def scores_of(self, job_name: str, record_hash: str, scores_file: str) -> Scores | None:
        """Return the scores of a job; None: they are not kept, or of another record or another scores.parquet."""
        if job_name not in self.scores:
            return None
        source = self.jobs[job_name]
        is_same = source["record"] == record_hash and _is_file(source["files"][SCORES_FILE], scores_file)
        return self.scores[job_name] if is_same else None


def read_estimates(path: Path) -> Estimates | None:
    """Return what `write_estimates` wrote; None: the file is missing, damaged or was edited."""
    try:
        content = read_json(path) or {}
    except (ResultsError, OSError):
        return None
    estimates, scores = content.get("over_items"), content.get("scores")
    # Of earlier versions; the first ones had further.
    summed = [json.dumps(part) for part in (content.get("further"), estimates, scores) if part is not None]
    if not isinstance(estimates, dict) or estimates.keys() != {"of", "figures"} or content.get("checksum") != _checksum(summed):
        return None
    try:
        jobs = estimates["of"]["jobs"]
        kept = {name: scores_from_json(job_scores) for name, job_scores in (scores or {}).items()}
        _ = [(jobs[name]["record"], jobs[name]["files"][SCORES_FILE]) for name in kept]  # what `scores_of` needs
        return Estimates(estimates["of"]["version"], jobs, estimates["figures"], kept)
    except (KeyError, TypeError, ValueError, AttributeError):  # the checksum is no secret
        return None


def write_estimates(path: Path, estimates: Estimates) -> None:
    """Write what was computed, and of what; without waiting for the disk, since what is damaged is computed again."""
    of = {"version": estimates.version, "jobs": estimates.jobs}
    scores = {name: scores_to_json(job_scores) for name, job_scores in estimates.scores.items()}
    parts = {"over_items": {"of": of, "figures": estimates.over_items}, "scores": scores}
    # In a line, which takes a tenth of the time.
    texts = {name: json.dumps(without_nan(part), allow_nan=False) for name, part in parts.items()}
    texts |= {"format_version": json.dumps(FORMAT_VERSION), "checksum": json.dumps(_checksum(list(texts.values())))}
    with part_of(path) as temporary:
        temporary.write_text("{" + ", ".join(f'"{name}": {text}' for name, text in texts.items()) + "}", encoding="utf-8")
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


def _checksum(texts: Sequence[str]) -> str:
    return hash_text(f"[{', '.join(texts)}]".encode())
