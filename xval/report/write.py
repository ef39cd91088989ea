"""Write report.html into the folder of an experiment, completely or not at all."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from xval.base.errors import ResultsError, counted
from xval.base.json_files import write_atomically
from xval.report.request import PageRequest
from xval.results.folder import ExperimentFolder

if TYPE_CHECKING:
    from xval.report.contents import PageContents

_CLIP, _WITH_CORPUS, _EXPLANATION = b'src="data:audio/', b"<main data-corpus=", b'<img class="explanation"'
_EXPLAINED_BY = re.compile(rb'<main[^>]* data-explain="(\w+)"')
_SOME_METHOD = "METHOD"  # of a page that does not name it


def write_page(folder: ExperimentFolder, request: PageRequest) -> Path:
    """Write the page; see `contents.read_contents`.

    Raises:
        ResultsError: The page that is there has clips, explanations or parts of the corpus that this one lacks, because they
            are not found or were not asked for.
    """
    from xval.report.contents import read_contents
    from xval.report.page import make_page

    old = folder.page.read_bytes() if folder.page.is_file() else b""
    explained_before = _explained_by(old)
    if request.explain is None and not request.run and _EXPLANATION in old:
        raise ResultsError(
            f"{folder.page}: kept, because it has explanations of its worst predictions and a new page would not. Give "
            f"--explain {explained_before} to compute them again, or --explain none for a page without them."
        )
    contents = read_contents(folder, request, explained_before)
    page = make_page(contents).encode()
    if contents.explanations and contents.explanations.missing and page.count(_EXPLANATION) < old.count(_EXPLANATION):
        raise ResultsError(
            f"{folder.page}: kept, because it has {counted(old.count(_EXPLANATION), 'picture')} that explain its worst "
            f"predictions, and a new page would have {page.count(_EXPLANATION) or 'none'}: "
            f"{contents.explanations.missing.rstrip('.')}. After fixing this, repeat the command; or give --explain none for "
            "a page without them."
        )
    if request.with_audio:
        _refuse_poorer(folder.page, old, page, contents)
    write_atomically(folder.page, page)
    return folder.page


def _explained_by(page: bytes) -> str:
    """Return how the worst answers on a page are explained, or were before a run wrote it; empty: they never were."""
    method = _EXPLAINED_BY.search(page)
    return method.group(1).decode() if method else _SOME_METHOD if _EXPLANATION in page else ""


def _refuse_poorer(path: Path, old: bytes, page: bytes, contents: "PageContents") -> None:
    """Keep a page that has what cannot be read now, as on another machine without the corpus or its audio."""
    missing = contents.missing
    if not missing or not old:
        return
    n_old, n_new = old.count(_CLIP), page.count(_CLIP)
    has_corpus = _WITH_CORPUS in old and _WITH_CORPUS not in page
    if n_new < n_old or has_corpus:
        lost = (
            (f"has {counted(n_old, 'clip')} to listen to, and a new page would have {n_new or 'none'}") if n_new < n_old else ""
        )
        remedy = "Give the folder of the datasets with --data-folder DIR" if contents.missing_corpus else "Put the audio back"
        raise ResultsError(
            f"{path}: kept, because it {lost or 'shows groups of the dataset, and a new page could not'}: "
            f"{missing.rstrip('.')}. {remedy}; or give --no-audio for a page without clips."
        )
