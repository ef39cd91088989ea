"""Find the extras: the folders of xval/extras, and the files in which they offer something to the core.

- command.py: `NAME` and `SUMMARY`, `add_arguments(parser)`, `run(options) -> int`: a command of the program
- section.py: `PART`, the id of a part of the page, `POSITION`, and `show(contents) -> Markup`: a section in that part
- comparison_note.py: `describe(chosen) -> list[str]`: sentences below a comparison of the chosen instances
- prediction_source.py: `INSTEAD`, `add_arguments(parser)`, `is_chosen(options, output)` and `run(options, output, keep_top)`:
  audio that xval predict reads instead of files
- worst_predictions.py: `Explanations`, an `xval.report.contents.Explainer`: explanations of predictions on the page
- observer.py: `observe(folder, settings, instances, console)`: a context manager that yields an `Observer` of all jobs of a
  run, or None
"""

from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType

FOLDER = Path(__file__).resolve().parents[1] / "extras"
PACKAGE = "xval.extras"


@cache
def offers(file: str) -> dict[str, Path]:
    """Return the path of a file, such as ``command`` (without .py), in each extra that has it, by the name of the extra."""
    return {path.parent.name: path for path in sorted(FOLDER.glob(f"*/{file}.py"))}


def load_offer(extra: str, file: str) -> ModuleType:
    """Import a file of an extra, both named without .py, such as ``subgroups`` and ``command``."""
    return import_module(f"{PACKAGE}.{extra}.{file}")


def load_offers(file: str) -> list[ModuleType]:
    """Import a file, such as ``section`` (without .py), of all extras that have it."""
    return [load_offer(extra, file) for extra in offers(file)]
