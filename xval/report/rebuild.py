"""Rebuild the derived files of an experiment: metrics.json of each instance, results.xlsx, summary.json.

xval never reads metrics.json and results.xlsx. They are written under the lock of the experiment, so that several runs of an
experiment may end at the same time. The summary has the state of their source files, to detect that they are outdated. Damaged
files are skipped and reported.
"""

import errno
import time
from collections.abc import Mapping

from xval.answers.headline import hash_texts
from xval.answers.nested_selection import keep_nested
from xval.answers.read import read_what_can_be
from xval.base.errors import ResultsError
from xval.base.garbage_collection import without_collector
from xval.base.json_files import part_of, write_if_changed, write_json
from xval.base.operating_system import flush, replace
from xval.report.experiment_summary import summarise
from xval.report.metrics_file import metrics_content
from xval.results.folder import ExperimentFolder
from xval.results.instance import InstanceResults
from xval.results.job_key import JobKey
from xval.results.open import OpenResults, open_results
from xval.results.read import Curves
from xval.results.summaries import content_of_files, is_current, read_summary, state_of_files

_NOT_ALLOWED = (errno.EACCES, errno.EPERM, errno.EROFS)
_MOST_AHEAD_NS = 60 * 10**9  # of the clock of a file server
_MOST_VALUES_OF_HISTORY = 1_000_000  # 13 MB of metrics.json


def is_stale(folder: ExperimentFolder) -> bool:
    """Return whether a derived file is missing, or was made from other files or with texts of another version.

    Its source files are folds, settings, records, predictions and added metrics.
    """
    summary = read_summary(folder)
    return (
        not folder.workbook.is_file()
        or not is_current(summary, folder)
        or (summary is not None and summary.texts != hash_texts())
        or any(not folder.metrics_file(number).exists() and folder.jobs(number) for number in folder.instances())
    )


def rebuild_if_stale(folder: ExperimentFolder) -> list[str]:
    """Make the derived files again if their source files have changed; return the skipped files, as `rebuild`.

    Without write permission, as on a shared folder, they stay unchanged, because commands that show results read the records.
    """
    if not is_stale(folder):
        return []
    try:
        return rebuild(folder)
    except OSError as error:
        if error.errno not in _NOT_ALLOWED:
            raise
        damaged: list[str] = []
        for number in folder.instances():
            read_what_can_be(folder, number, damaged)
        return damaged


def is_page_stale(folder: ExperimentFolder) -> bool:
    """Return whether report.html is missing or older than the workbook, as after a run that was interrupted at its end."""
    page, workbook = folder.page, folder.workbook
    if not page.is_file():
        return True
    page_ns = page.stat().st_mtime_ns
    is_from_future = page_ns > time.time_ns() + _MOST_AHEAD_NS  # the clock has gone back since
    return is_from_future or (workbook.exists() and page_ns < workbook.stat().st_mtime_ns)


def rebuild(folder: ExperimentFolder) -> list[str]:
    """Write metrics.json of every instance, and the workbook; old files stay if the disk is full.

    Returns:
        The damaged files that were skipped, a line each: records, settings of instances, histories.
    """
    from xval.report.workbook import write_workbook

    damaged: list[str] = []
    folder.remove_stale_parts()
    if not folder.folds_file.exists():
        return damaged  # a run that ended before it had written them
    with without_collector(), folder.lock():
        results = open_results(folder)
        _ = results.folds  # an error if it cannot be read
        made_of, ended = state_of_files(folder)
        content, known = content_of_files(folder), read_summary(folder)
        if known and known.content == content and known.ended is not None:
            ended = known.ended  # of a copy, whose files have the time of copying
        read = []
        for number in folder.instances():
            faults: list[str] = []
            read.append(_write_instance(results, number, faults))
            damaged += faults
        instances = [instance for instance, _ in read if instance]
        if not instances:
            return damaged
        histories = {key: curves for _, instance_histories in read for key, curves in instance_histories.items()}
        keep_nested(instances)
        with part_of(folder.workbook) as temporary:
            write_workbook(temporary, instances, histories)
            flush(temporary)
            replace(temporary, folder.workbook)
        write_json(folder.summary_file, summarise(results, instances, made_of, content, ended).model_dump())
    return damaged


def _write_instance(
    results: OpenResults, number: int, faults: list[str]
) -> tuple[InstanceResults | None, Mapping[JobKey, Curves]]:
    """Write metrics.json of an instance if it has changed; return the instance with the histories of its finished jobs."""
    instance = read_what_can_be(results.folder, number, faults, writes=True)
    if instance is None:
        return None, {}
    records, histories = instance.jobs, dict[JobKey, Curves]()
    for key in records:
        try:
            if curves := results.history(key):
                histories[key] = curves
        except (OSError, ResultsError) as error:
            place = results.folder.fold_folder(*key) / "history.csv"
            named = f"{place}: {error.strerror or error}." if isinstance(error, OSError) else str(error)
            faults.append(f"{named} Its curves are missing from the workbook.")
    write_if_changed(results.folder.metrics_file(number), {**metrics_content(instance), **_history(histories)})
    return instance, {key: curves for key, curves in histories.items() if records[key]["status"] == "done"}


def _history(histories: Mapping[JobKey, Curves]) -> dict[str, object]:
    """Return the histories for metrics.json, with six digits, which halves the file; none if they are very long."""
    if sum(len(column) for curves in histories.values() for column in curves.values()) > _MOST_VALUES_OF_HISTORY:
        return {}
    rounded = {
        key.folder_name: {name: [float(f"{value:.6g}") for value in column] for name, column in curves.items()}
        for key, curves in histories.items()
    }
    return {"history": rounded}
