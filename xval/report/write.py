"""Write report.html into the folder of an experiment.

Comes in: a results folder. Goes out: the page, whole or not at all.
"""

from pathlib import Path

from xval.base.json_files import write_atomically
from xval.report.request import PageRequest
from xval.results.folder import ExperimentFolder


def write_page(folder: ExperimentFolder, request: PageRequest) -> Path:
    """Write the page; see `contents.read_contents`."""
    from xval.report.contents import read_contents
    from xval.report.page import make_page

    write_atomically(folder.page, make_page(read_contents(folder, request)).encode())
    return folder.page
