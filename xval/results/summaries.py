"""The summaries of experiments: one small file each, so that a folder with a thousand experiments is listed quickly.

A summary is valid if the experiment's files have the same times and sizes, or the same content in a copy. Otherwise scores are
unknown.
"""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from xval.base.errors import ResultsError
from xval.base.json_files import hash_text, process_name, read_json
from xval.base.operating_system import read_regular
from xval.results.folder import ExperimentFolder
from xval.results.item_scores import OVER_ITEMS_VERSION
from xval.results.status import overall_state

SUMMARY_VERSION = f"3.{OVER_ITEMS_VERSION}"
"""Version of the content of summaries and of the code of their scores; summaries of other versions are not read."""

UNKNOWN = "unknown"
ANY_EXPERIMENT = "EXPERIMENT"
"""A placeholder for the path of the experiment, which may be moved."""
_AT_ONCE = 8  # a file server answers several at once
_END_BYTES = 1 << 16
"""Number of bytes read from the end of a table, where parquet has its counts and ranges."""


class Tested(BaseModel):
    """The tested items, folds and seeds of an experiment.

    Attributes:
        items: A hash of the names of the items.
        n_instances: Instances with a finished fold.
        fold_hashes: The hashes of the folds of jobs, one for each repeat; named ``deals`` in earlier summaries.
        seeds: The seeds of the settings; ``1/2`` for a second seed.
    """

    model_config = ConfigDict(frozen=True, strict=True)

    items: str
    n_instances: int
    fold_hashes: list[str] = Field(validation_alias=AliasChoices("fold_hashes", "deals"))
    seeds: list[str]


class Main(BaseModel):
    """The main score of the instance that validation selects.

    Attributes:
        side: ``test`` or ``clip_test``.
        value: The score; None: undefined.
        low: Lower end of its 95 % interval; None: no interval.
        high: Upper end.
        chance: The chance level; None: not known.
    """

    model_config = ConfigDict(frozen=True, strict=True, allow_inf_nan=False)  # xval writes none

    metric: str
    side: str
    higher_is_better: bool
    value: float | None
    low: float | None
    high: float | None
    chance: float | None


class Summary(BaseModel):
    """The content of summary.json.

    Attributes:
        version: `SUMMARY_VERSION`.
        made_of: See `state_of_files`.
        content: See `content_of_files`; empty: an earlier version wrote the summary.
        ended: When the last job ended (Unix time, s), which a copied record does not show; None: no job has ended.
        n_instances: Number of instances with settings.
        jobs: Number of jobs in each state of `xval.results.status`.
        selected: The instance that validation selects; None: no instance has a score yet.
        name: Name of this instance.
        main: Its main score; None: there is no score yet.
        lines: The three lines on all instances from `xval.answers.headline`, with `ANY_EXPERIMENT` for the path in commands.
            Empty: an earlier version wrote the summary.
        texts: A hash of the templates of the lines; a version with other templates makes the lines again.
    """

    model_config = ConfigDict(frozen=True, strict=True)

    version: str
    made_of: str
    content: str = ""
    ended: float | None = None
    description: str
    corpus: str
    n_instances: int
    jobs: dict[str, int]
    selected: int | None
    name: str
    main: Main | None
    lines: dict[str, str] = {}
    texts: str = ""
    tested: Tested


@dataclass(frozen=True)
class Listed:
    """An experiment in a list.

    Attributes:
        changed: When its last job ended, or a run that is still at work began, if later (Unix time, s); None: neither.
        state: The state of its jobs from `overall_state`; ``starting``: a run has started, but none of its jobs; ``unknown``:
            there is no current summary.
        summary: Its summary; None: there is none, or it is from other files or another version.
    """

    path: Path
    description: str
    corpus: str
    changed: float | None
    n_instances: int
    state: str
    summary: Summary | None


def state_of_files(folder: ExperimentFolder) -> tuple[str, float | None]:
    """Return the state of the source files of derived files, and when the last job ended (Unix time, s).

    The state consists of times and sizes; no file is read.
    """
    states = [(number, name, state and state[:2]) for number in folder.instances() for name, state in folder.state(number)]
    ended = [state[0] for _, name, state in states if state and name.endswith("record.json")]
    return hash_text(repr(states).encode()), max(ended) / 1e9 if ended else None


def content_of_files(folder: ExperimentFolder) -> str:
    """Return a hash of the content of the files of `state_of_files`, which copies share.

    For predictions, which may be large, it uses size and end of the file.
    """
    found = []
    for number in folder.instances():
        for name, state in folder.state(number):
            shared = folder.path / name
            path = shared if shared in (folder.folds_file, folder.added_metrics) else folder.instance_folder(number) / name
            found.append((number, name, state and (state[1], _read_end(path))))
    return hash_text(repr(found).encode())


def _read_end(path: Path) -> str:
    """Return a hash of a file, or of the end of a table; empty: it cannot be read."""
    try:
        if path.suffix == ".json":
            return hash_text(read_regular(path))
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _END_BYTES))
            return hash_text(file.read())
    except OSError:
        return ""


def is_current(summary: Summary | None, folder: ExperimentFolder) -> bool:
    """Return whether a summary was made from the present files of an experiment, or from files of which these are copies."""
    if summary is None:
        return False
    return summary.made_of == state_of_files(folder)[0] or bool(summary.content and summary.content == content_of_files(folder))


def list_experiments(paths: Sequence[Path]) -> list[Listed]:
    """Return the experiments in some folders, in their order, without writing files."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(_list, paths))


def read_summary(folder: ExperimentFolder) -> Summary | None:
    """Return the summary of an experiment, even if it is outdated; None: there is none that can be read."""
    with suppress(ResultsError, ValidationError, OSError):
        content = read_json(folder.summary_file)
        if content and content.get("version") == SUMMARY_VERSION:
            return Summary.model_validate({name: content[name] for name in Summary.model_fields if name in content})
    return None


def _list(path: Path) -> Listed:
    folder = ExperimentFolder(path)
    summary = read_summary(folder)
    ended = state_of_files(folder)[1]
    if summary is None or not is_current(summary, folder):
        texts = _description(path), path.absolute().parent.name
        state, begun = _live_state(folder, ended, UNKNOWN)
        return Listed(path, *texts, _later(ended, begun), len(folder.instances()), state, None)
    counts = {
        "to do" if state == "running" else state: n for state, n in summary.jobs.items() if n
    }  # what ran has left nothing
    state, begun = overall_state(counts), None
    if state != "done":
        state, begun = _live_state(folder, ended, state)
    changed = _later(ended if summary.ended is None else summary.ended, begun)
    return Listed(path, summary.description, summary.corpus, changed, summary.n_instances, state, summary)


def _live_state(folder: ExperimentFolder, ended: float | None, otherwise: str) -> tuple[str, float | None]:
    """Return ``running`` if a process holds a job now, ``starting`` if a run has started, but none of its jobs.

    And when the last run that is at work began (Unix time, s); None: none is.

    Args:
        folder: Folder of the experiment.
        ended: When the last job ended (Unix time, s).
        otherwise: The state if no run is in progress.
    """
    try:
        in_use = folder.is_in_use()
    except (ResultsError, OSError):
        return UNKNOWN, None
    others = [run for run in folder.at_work() if run.process != process_name()]  # a run writes the list at its own end
    begun = others[-1].since if others else None
    if not in_use and others:
        return "running" if ended and ended > others[0].since else "starting", begun
    return {True: "running", False: otherwise, None: UNKNOWN}[in_use], begun


def _later(first: float | None, second: float | None) -> float | None:
    return max((time for time in (first, second) if time is not None), default=None)


def _description(path: Path) -> str:
    try:
        with (path / "description.txt").open(encoding="utf-8", errors="replace") as file:
            return file.readline(1000).strip()
    except OSError:
        return ""
