"""Import the modules that the user has named, before reading models with layers from them."""

import sys
from collections.abc import Iterable
from pathlib import Path

from xval.base.errors import ResultsError, SettingsError
from xval.base.json_files import read_json
from xval.base.user_code import imports
from xval.base.user_code.modules import looking_in
from xval.results.folder import ExperimentFolder
from xval.results.read import own_folders_in


def import_named(models: Iterable[Path]) -> None:
    """Import the modules of --import or modules=, from their folder at the time of training, or from Python's search path.

    Raises:
        SettingsError: There is no such module.
    """
    if not imports.named():
        return
    own_folders = [*dict.fromkeys(folder for model in models for folder in _own_folders(model))]
    with looking_in(own_folders):
        for name in imports.named():
            try:
                imports.import_own(name)
            except ImportError as error:
                places = dict.fromkeys([*own_folders, *sys.path[:3]])
                raise SettingsError(f"module {name}: {error}. Searched in {', '.join(places)}, ...") from error


def _own_folders(model: Path) -> list[str]:
    """Return the folders of the user's modules at the time a model was trained."""
    try:
        return own_folders_in(read_json(model.parent.parent / "settings.json"), ExperimentFolder(model.parents[2]))
    except ResultsError:
        return []  # a damaged file next to a model that can be loaded without it
