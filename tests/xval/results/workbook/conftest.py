"""A workbook written and read back."""

import openpyxl
import pytest

from xval.results.job_key import JobKey
from xval.results.workbook import write_workbook


@pytest.fixture
def workbook_of(tmp_path):
    """Return a function that writes metric dicts and histories to a file and reads it with openpyxl."""

    def write(metric_dicts, histories=None):
        path = tmp_path / "results.xlsx"
        write_workbook(path, metric_dicts, {JobKey(*key): history for key, history in (histories or {}).items()})
        return openpyxl.load_workbook(path)

    return write


@pytest.fixture
def colour():
    """Return a function that gives the fill of a cell as six hex digits, or None."""
    return lambda cell: cell.fill.start_color.rgb[2:] if cell.fill.fill_type == "solid" else None
