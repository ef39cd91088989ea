"""Write the workbook, the metric dicts and the page when a run ends, and the index of the results folder."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from rich.console import Console

from preprocessing.console import describe_refusal
from xval.base.errors import one_line
from xval.base.operating_system import quote
from xval.jobs.plan import Plan
from xval.report import rebuild
from xval.report.index_page import update_index
from xval.report.request import PageRequest
from xval.report.write import write_page
from xval.results.folder import ExperimentFolder

_MOST_AUDITED = 200  # jobs whose leakage audit a run adds to the page


@contextmanager
def derived_files(planned: Plan, console: Console) -> Iterator[None]:
    """Write the derived files when the block ends in any way; print errors of writing instead of raising them."""
    has_ended = False
    try:
        yield
        has_ended = True
    finally:
        renew(planned.folder, console)
        update_page(planned, console, is_final=has_ended)


def renew(folder: ExperimentFolder, console: Console) -> None:
    """Make the derived files again, as at the end of a run; print damage and errors of writing instead of raising them."""
    try:
        print_damaged(rebuild.rebuild(folder), console)
    except Exception as error:  # noqa: BLE001 - whatever is wrong with it, the folds are there
        _print_unwritten(folder, error, console)


def update_page(planned: Plan, console: Console, *, is_final: bool) -> None:
    """Write the page, if requested; its errors do not make a run fail.

    An interrupted run skips audio and leakage audit; the audit of a large experiment, which reads every model, is always
    skipped. A page without them gets a date before that of the workbook, so that the next run writes it again.
    """
    page = planned.instances[0].settings.page
    if page == "none" or not planned.folder.folds_file.exists():  # without the folds the run failed before any training
        return
    n_jobs = len(planned.done) + len(planned.to_do)
    request = PageRequest(
        with_audio=is_final and page == "complete",
        with_audit=is_final and n_jobs <= _MOST_AUDITED,
        run="has ended" if is_final else "was interrupted",
    )
    _write(planned.folder, request, console)
    if not is_final:
        with suppress(OSError):
            before_workbook_ns = planned.folder.workbook.stat().st_mtime_ns - 1
            os.utime(planned.folder.page, ns=(before_workbook_ns, before_workbook_ns))
    try:
        update_index(planned.folder)
    except Exception as error:  # noqa: BLE001 - as above
        _print_stale("the list of all experiments (index.html)", error, "", console)


def renew_page(folder: ExperimentFolder, console: Console, *, data_folder: Path | None) -> None:
    """Write the page of finished jobs again, as at the end of a run; print a failure instead of raising it.

    `data_folder` None: the folder of corpora in the settings.
    """
    n_jobs = sum(len(folder.jobs(number)) for number in folder.instances())
    _write(folder, PageRequest(data_folder=data_folder, with_audit=n_jobs <= _MOST_AUDITED, run="has ended"), console)


def _write(folder: ExperimentFolder, request: PageRequest, console: Console) -> None:
    try:
        write_page(folder, request)
    except Exception as error:  # noqa: BLE001 - whatever is wrong with it, the results are there
        _print_stale("the page", error, f"report {quote(str(folder.path))}", console)


def _print_unwritten(folder: ExperimentFolder, error: Exception, console: Console) -> None:
    _print_stale("the workbook", error, f"rebuild {quote(str(folder.path))}", console)


def _print_stale(name: str, error: Exception, command: str, console: Console) -> None:
    """Print which file is outdated, why, and the command that writes it."""
    reason = describe_refusal(error) if isinstance(error, OSError) and error.filename is not None else one_line(error)
    reason = reason.rstrip(".")
    remedy = f" All folds are kept. After fixing this: xval {command}" if command else ""
    console.print(f"{name} is not up to date: {reason}.{remedy}", style="red", soft_wrap=True, markup=False)


def print_damaged(damaged: Sequence[str], console: Console) -> None:
    """Print the damaged files that the derived files lack."""
    for line in damaged:
        console.print(f"excluded from the workbook: {line}", style="red", soft_wrap=True, markup=False)
