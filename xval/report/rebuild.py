"""Rebuild the derived files of an experiment from its fold folders: metrics.json of each instance, and results.xlsx.

Comes in: a results folder. Goes out: the same folder with fresh derived files, which nothing reads again, written under the
lock of the experiment, so that several runs of one experiment may end at the same time; and a note of the files that they were
made of, by which they are known to be stale. Damaged files are left out and named.
"""

from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from xval.answers.metric_dicts import gather
from xval.answers.repeats import jobs_of
from xval.answers.summary import MetricDict
from xval.base.errors import ResultsError
from xval.base.garbage_collection import without_collector
from xval.base.json_files import hash_text, part_of, read_json, write_if_changed, write_json
from xval.base.operating_system import flush, replace
from xval.results.folder import ExperimentFolder
from xval.results.job_key import JobKey
from xval.results.open import open_results
from xval.results.read import Curves, read_history

_MOST_VALUES_OF_HISTORY = 1_000_000  # 13 MB of metrics.json


@dataclass(frozen=True)
class _Gathered:
    """What was read of an instance.

    Attributes:
        state: Of its files when they were read; see `ExperimentFolder.state`.
        metric_dict: Its metric dict.
        histories: Of its finished jobs.
    """

    state: object
    metric_dict: MetricDict
    histories: Mapping[JobKey, Curves]


class DerivedFiles:
    """The derived files of a results folder; instances that have not changed since the last rebuild are not read again."""

    def __init__(self, folder: ExperimentFolder) -> None:
        self._folder = folder
        self._known: dict[int, _Gathered] = {}

    def rebuild(self) -> list[str]:
        """Write metrics.json of every changed instance, and the workbook; see `rebuild`."""
        from xval.report.workbook import write_workbook

        folder = self._folder
        damaged: list[str] = []
        if not folder.folds_file.exists():
            return damaged  # a run that ended before it had written them
        with folder.lock():
            _ = open_results(folder).folds  # an error if it cannot be read
            made_of = _sources(folder)
            gathered = [found for number in folder.instances() if (found := self._gather(number, damaged))]
            if not gathered:
                return damaged
            histories = {key: history for found in gathered for key, history in found.histories.items()}
            with part_of(folder.workbook) as temporary:
                write_workbook(temporary, [found.metric_dict for found in gathered], histories)
                flush(temporary)
                replace(temporary, folder.workbook)
            write_json(folder.derived_note, {"made_of": made_of})
        return damaged

    def _gather(self, instance: int, damaged: list[str]) -> _Gathered | None:
        """Write metrics.json of an instance and return what was read; None if its settings cannot be read."""
        state = self._folder.state(instance)
        known = self._known.pop(instance, None)
        path = metrics_file(self._folder, instance)
        if known and known.state == state and path.exists():
            self._known[instance] = known
            return known
        n_damaged = len(damaged)
        metric_dict = gather(self._folder, instance, damaged, writes=True)
        if metric_dict is None:
            return None
        records = jobs_of(metric_dict)
        paths = {key: self._folder.fold_folder(*key) / "history.csv" for key in records}
        histories = {key: found for key, path in paths.items() if (found := _read_history(path, damaged))}
        write_if_changed(path, {**metric_dict, **_history(histories)})
        done = {key: found for key, found in histories.items() if records[key]["status"] == "done"}
        gathered = _Gathered(state, metric_dict, done)
        if len(damaged) == n_damaged:  # damage is named by every rebuild
            self._known[instance] = gathered
        return gathered


def is_stale(folder: ExperimentFolder) -> bool:
    """Return whether a derived file is missing, or was made of other folds, settings, records, predictions or added metrics."""
    try:
        note = read_json(folder.derived_note) or {}
    except ResultsError:
        return True
    return (
        not folder.workbook.exists()
        or note.get("made_of") != _sources(folder)
        or any(folder.jobs(number) and not metrics_file(folder, number).exists() for number in folder.instances())
    )


def metrics_file(folder: ExperimentFolder, instance: int) -> Path:
    """Return the path of the metric dict of an instance."""
    return folder.instance_folder(instance) / "metrics.json"


def _sources(folder: ExperimentFolder) -> str:
    """Return what tells the files that derived files are made of from any others, by their times and sizes."""
    states = [(number, name, state and state[:2]) for number in folder.instances() for name, state in folder.state(number)]
    return hash_text(repr(states).encode())


def rebuild_if_stale(folder: ExperimentFolder) -> list[str]:
    """Make the derived files again where the files of which they are have changed; return what was left out, as `rebuild`.

    Raises:
        OSError: The disk is full or not writable.
    """
    return rebuild(folder) if is_stale(folder) else []


def is_page_stale(folder: ExperimentFolder) -> bool:
    """Return whether report.html is missing, or older than the workbook, as after a run that was interrupted at its end."""
    page, workbook = folder.page, folder.workbook
    return not page.exists() or (workbook.exists() and page.stat().st_mtime_ns < workbook.stat().st_mtime_ns)


def rebuild(folder: ExperimentFolder) -> list[str]:
    """Write metrics.json of every instance, and the workbook.

    Returns:
        The damaged files that were left out, a line each: records, settings of instances, histories.

    Raises:
        ResultsError: folds.json is damaged.
        OSError: The disk is full or not writable; the old files stay.
    """
    folder.remove_stale_parts()
    with without_collector():
        return DerivedFiles(folder).rebuild()


def _history(histories: Mapping[JobKey, Curves]) -> dict[str, object]:
    """Return the histories as metrics.json has them: to six digits, which halves the file; none if they are very long."""
    if sum(len(column) for curves in histories.values() for column in curves.values()) > _MOST_VALUES_OF_HISTORY:
        return {}
    rounded = {
        key.folder_name: {name: [float(f"{value:.6g}") for value in column] for name, column in curves.items()}
        for key, curves in histories.items()
    }
    return {"history": rounded}


def _read_history(path: Path, damaged: list[str]) -> Curves | None:
    """Return a history as arrays, which take little memory; None if there is none, or it is damaged."""
    try:
        return {name: array("d", column) for name, column in read_history(path).items()}
    except FileNotFoundError:
        return None  # a combination has no epochs
    except (OSError, ResultsError) as error:
        named = f"{path}: {error.strerror or error}." if isinstance(error, OSError) else str(error)
        damaged.append(f"{named} Its curves are missing from the workbook.")
        return None
