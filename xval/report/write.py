"""Write report.html into the folder of an experiment.

Comes in: a results folder. Goes out: the page, whole or not at all.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from xval.base.errors import ResultsError, counted
from xval.base.json_files import write_atomically
from xval.report.request import PageRequest
from xval.results.folder import ExperimentFolder

if TYPE_CHECKING:
    from xval.report.contents import PageContents

_CLIP, _WITH_CORPUS = b'src="data:audio/', b"<main data-corpus="


def write_page(folder: ExperimentFolder, request: PageRequest) -> Path:
    """Write the page; see `contents.read_contents`.

    Raises:
        ResultsError: The page that is there has clips or parts of the corpus that this one lacks, because they are not found.
    """
    from xval.report.contents import read_contents
    from xval.report.page import make_page

    contents = read_contents(folder, request)
    page = make_page(contents).encode()
    if request.with_audio:
        _refuse_poorer(folder.page, page, contents)
    write_atomically(folder.page, page)
    return folder.page


def _refuse_poorer(path: Path, page: bytes, contents: "PageContents") -> None:
    """Keep a page that has what cannot be read now, as on another machine without the corpus or its audio."""
    missing = contents.missing
    if not missing or not path.is_file():
        return
    old = path.read_bytes()
    n_old, n_new = old.count(_CLIP), page.count(_CLIP)
    has_corpus = _WITH_CORPUS in old and _WITH_CORPUS not in page
    if n_new < n_old or has_corpus:
        lost = f"has {counted(n_old, 'clip')} to listen to, and a new one would have {n_new or 'none'}" if n_new < n_old else ""
        remedy = "Name the folder of the corpora with --data-folder DIR" if contents.missing_corpus else "Put the audio back"
        raise ResultsError(
            f"{path}: kept, because it {lost or 'shows groups of the corpus, and a new one could not'}: {missing.rstrip('.')}. "
            f"{remedy}; or give --no-audio for a page without clips."
        )
