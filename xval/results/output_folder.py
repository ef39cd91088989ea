"""Find the folder for what is made of a saved model: that of the experiment which it belongs to, or the model's own."""

from pathlib import Path

from xval.base.errors import ResultsError
from xval.results.folder import find_experiment


def neighbour_folder(model: Path) -> Path:
    """Return the folder of the experiment of a model; for one that is elsewhere, the folder that it is in.

    Args:
        model: A .keras file, or a fold, instance or experiment folder.
    """
    try:
        folder = find_experiment(model).path
    except ResultsError:
        folder = model if model.is_dir() else model.parent
    here = Path.cwd()
    whole = folder.resolve()
    return whole.relative_to(here) if whole.is_relative_to(here) else folder
