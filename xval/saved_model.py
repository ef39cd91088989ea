"""Load a model.keras of a fold folder, also where its architecture has layers of its own.

Comes in: the path of a .keras file. Goes out: the Keras model. Keras's safe mode stays on: it takes a layer that is not its own
only from code that has been imported, so the architecture that model.json names is imported first, and nothing else.
Next: whoever uses the model again.
"""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from xval.catalog import architecture_names
from xval.errors import ResultsError, suggestion
from xval.results import read_json
from xval.user_code import is_dotted

if TYPE_CHECKING:
    import keras


def load_model(path: Path) -> "keras.Model":
    """Load a saved model.

    Args:
        path: The .keras file. Where a .json file of its name lies beside it, the architecture that it names is imported.

    Returns:
        The model, not compiled.

    Raises:
        ResultsError: There is no such file, model.json names an architecture that architectures/ does not have, or the file
            is damaged or has layers that neither Keras nor this architecture knows.
    """
    import keras

    if not path.is_file():
        raise ResultsError(f"{path}: no such model. A fold folder that is done holds model.keras.")
    description = read_json(path.with_suffix(".json")) or {}
    # Results of versions before this key have layers of Keras alone.
    architecture = description.get("architecture")
    is_own = is_dotted(str(architecture)) and all(map(str.isidentifier, str(architecture).split(".")))
    if architecture is not None and not is_own:  # modules of the user's own are for the user to import
        if architecture not in architecture_names():
            raise ResultsError(
                f"{path.with_suffix('.json')}: unknown architecture {architecture!r}, so layers of {path.name} cannot be "
                f"made. {suggestion(str(architecture), architecture_names())} The folder code/ of the experiment has its file."
            )
        import_module(f"architectures.{architecture}")
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except (TypeError, ValueError, KeyError, OSError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ResultsError(
            f"{path}: cannot be loaded in Keras's safe mode ({type(error).__name__}: {reason}). Where it has layers of an "
            f"architecture of its own, {path.stem}.json must lie beside it; layers of your own modules have to be imported "
            "first."
        ) from error
