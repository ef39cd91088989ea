"""index.html: a page with all experiments of a results folder, which runs update and which loads no other files.

It links to each report.html. Only the page's own script may run, identified by its hash.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from xval.base.json_files import write_atomically
from xval.report.experiment_list import HEADER, VALUE, explain_values, in_order, text_row, what_to_type
from xval.report.rendering import make_environment, render_page
from xval.results.folder import ExperimentFolder, file_state, find_experiments
from xval.results.summaries import Listed, list_experiments

NAME = "index.html"
_GENERATOR = "xval: list of experiments"
_LEVELS = 2  # <dataset>/experiment_<n>
_MOST_TRIES = 5  # where other runs end meanwhile
_BYTES_OF_HEAD = 1000


class ExperimentRow(NamedTuple):
    """A row of the page.

    Attributes:
        cells: The cells, in the order of `HEADER`.
        values: The sort key of each cell; None: its text.
        link: The link to its page, relative to this page; empty: the experiment has no page.
    """

    cells: tuple[str, ...]
    values: tuple[object, ...]
    link: str


def update_index(folder: ExperimentFolder) -> None:
    """Write the index of the results folder of an experiment, unless the folder has an index.html that is not from xval.

    No index is written without write permission. If several runs end at the same time, the last one lists all of them: an index
    is written again if a summary was written in the meantime.
    """
    root = folder.path.absolute().parents[1]
    path = root / NAME
    with suppress(OSError):
        for _ in range(_MOST_TRIES):
            if path.exists() and not _is_ours(path):
                return
            experiments = find_experiments(root, _LEVELS)
            before = _states(experiments)
            write_atomically(path, make_index(list_experiments(experiments), root).encode())
            if _states(find_experiments(root, _LEVELS)) == before:
                return


def make_index(experiments: list[Listed], root: Path) -> str:
    """Return the text of index.html, the newest experiment first."""
    ordered = in_order(experiments, "date")
    return render_page(
        make_environment(),
        "index.html",
        generator=_GENERATOR,
        name=root.name or str(root),
        header=HEADER,
        rows=[_row(listed, root) for listed in ordered],
        about_values=explain_values(ordered),
        to_type=what_to_type(ordered),
    )


def _row(listed: Listed, root: Path) -> ExperimentRow:
    main = listed.summary.main if listed.summary else None
    values: dict[str, object] = {"date": listed.changed, VALUE: main and main.value, "chance": main and main.chance}
    page = listed.path / "report.html"
    link = quote(os.fsencode(page.relative_to(root).as_posix())) if page.is_file() else ""
    return ExperimentRow(text_row(listed, root), tuple(values.get(name) for name in HEADER), link)


def _is_ours(path: Path) -> bool:
    with path.open("rb") as file:
        return _GENERATOR.encode() in file.read(_BYTES_OF_HEAD)


def _states(experiments: list[Path]) -> list[tuple[Path, object]]:
    return [(path, file_state(ExperimentFolder(path).summary_file)) for path in experiments]
