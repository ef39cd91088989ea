"""Find the extras: the folders of xval/extras, and the files in which they offer something to the core.

- command.py: `NAME` and `SUMMARY`, `add_arguments(parser)`, `run(options) -> int`: a command of the program
- section.py: `PART`, the id of a part of the page, `POSITION`, and `show(contents) -> Markup`: a section in that part
- comparison_note.py: `describe(chosen) -> list[str]`: sentences below a comparison of these instances
- prediction_source.py: `INSTEAD`, `add_arguments(parser)`, `is_chosen(options, output)` and `run(options, output, keep_top)`:
  audio that predict reads instead of files
- worst_predictions.py: `Explanations`, an `xval.report.contents.Explainer`: explanations on the page
- observer.py: `observe(folder, settings, instances, console)`: a context with an `Observer` of all jobs of a run, or None
"""

from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType

FOLDER = Path(__file__).resolve().parents[1] / "extras"
PACKAGE = "xval.extras"


@cache
def offers(file: str) -> dict[str, Path]:
    """Return the file of that name, such as ``command``, of each extra that has one, by the name of the extra, sorted."""
    return {path.parent.name: path for path in sorted(FOLDER.glob(f"*/{file}.py"))}


def load_offer(extra: str, file: str) -> ModuleType:
    """Import such a file of an extra."""
    return import_module(f"{PACKAGE}.{extra}.{file}")


def load_offers(file: str) -> list[ModuleType]:
    """Import the files of that name of all extras."""
    return [load_offer(extra, file) for extra in offers(file)]
