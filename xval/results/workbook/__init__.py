"""Write results.xlsx: the figures of all instances.

Comes in: metric dicts and the histories of finished folds. Goes out: a workbook with a sheet for each file of this package
that has a `POSITION`, its place from the left, and a function `fill(sheet, contents)`; the sheet has the name of the file. One
with a function `is_needed(contents)` is left out where that says so.
"""

import gc
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from io import BytesIO
from pathlib import Path
from pkgutil import iter_modules
from typing import TYPE_CHECKING

from xval.results.findings import find_findings
from xval.results.job_key import JobKey
from xval.results.ranking import rank_instances
from xval.results.read import Curves
from xval.results.summary import MetricDict

if TYPE_CHECKING:
    from openpyxl import Workbook


def write_workbook(path: Path, metric_dicts: Sequence[MetricDict], histories: Mapping[JobKey, Curves]) -> None:
    """Write the workbook of an experiment; the same content for the same figures.

    Args:
        path: The file; it is overwritten. Its links are relative to its folder, with the folders instance_<i>/fold_<k>.
        metric_dicts: One per instance, at least one, in any order.
        histories: Of finished jobs.

    Raises:
        OSError: The file cannot be written.
    """
    from openpyxl import Workbook

    from xval.results.workbook.contents import Contents

    ordered = sorted(metric_dicts, key=lambda metric_dict: int(metric_dict["instance"]))
    contents = Contents(ordered, rank_instances(ordered), find_findings(ordered), histories)
    workbook = Workbook()
    workbook.properties.creator = "xval"
    workbook.remove(workbook.active)
    modules = {module.name: import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__)}
    sheets = {name: module for name, module in modules.items() if hasattr(module, "POSITION")}
    for name in sorted(sheets, key=lambda name: sheets[name].POSITION):
        if getattr(sheets[name], "is_needed", bool)(contents):
            sheets[name].fill(workbook.create_sheet(name), contents)
    save_book(workbook, path)


def save_book(workbook: "Workbook", path: Path) -> None:
    """Write a workbook into a file.

    Raises:
        OSError: The disk is full or not writable.
    """
    made = BytesIO()  # zipfile complains of a file that it cannot write once more when it is collected
    try:
        workbook.save(made)
    except OSError as error:
        # And so does openpyxl of a sheet, which it writes into the folder for temporary files first: collected here, unheard.
        unheard, sys.unraisablehook = sys.unraisablehook, lambda _: None
        try:
            error.__traceback__ = None
            gc.collect()
        finally:
            sys.unraisablehook = unheard
        raise
    path.write_bytes(made.getbuffer())
