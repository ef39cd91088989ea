"""A workbook written and read back."""

import openpyxl
import pytest
from openpyxl.utils import get_column_letter

from xval.report.workbook import write_workbook
from xval.results.job_key import JobKey


@pytest.fixture
def workbook_of(tmp_path):
    """Return a function that writes instances and histories to a file and reads it with openpyxl."""

    def write(instances, histories=None):
        path = tmp_path / "results.xlsx"
        write_workbook(path, instances, {JobKey(*key): history for key, history in (histories or {}).items()})
        workbook = openpyxl.load_workbook(path)
        for sheet in workbook:
            _spread_columns(sheet)
        return workbook

    return write


@pytest.fixture
def colour():
    """Return a function that gives the fill of a cell as six hex digits, or None."""
    return lambda cell: cell.fill.start_color.rgb[2:] if cell.fill.fill_type == "solid" else None


def _spread_columns(sheet):
    """Give each column its width: the file has neighbours of the same width together, which openpyxl keeps under the first."""
    for found in list(sheet.column_dimensions.values()):
        for column in range(found.min + 1, found.max + 1):
            dimension = sheet.column_dimensions[get_column_letter(column)]
            dimension.width, dimension.hidden, dimension.outlineLevel = found.width, found.hidden, found.outlineLevel
