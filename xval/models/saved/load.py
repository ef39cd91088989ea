"""Read a model.keras of a fold folder, also if its architecture has its own layers.

The file is checked before Keras reads any of it (keras_file.py), and Keras's safe mode stays on. Layers that are not Keras's
own are taken only from imported code, so the architecture that model.json names is imported first, if it is one of xval or the
experiment runs here (`user_code.imports`), and nothing else.
"""

import json
import math
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xval.backend.keras_internals import shapes_alone
from xval.base.errors import ResultsError, SettingsError, UnsafeModelError, brief, suggestion
from xval.base.json_files import read_json
from xval.base.user_code import imports
from xval.base.user_code.definitions import has_module, is_dotted
from xval.base.user_code.imports import load
from xval.base.user_code.modules import SHARED_PACKAGE
from xval.models.saved.check_layers import ANY_MODULE
from xval.models.saved.keras_file import unpack_model
from xval.settings.architectures import architecture_names

if TYPE_CHECKING:
    import keras


_UNSAVED_VALUES = 1 << 16  # states of random layers, which are not among the weights; 2 each


def read_keras_model(path: Path) -> "keras.Model":
    """Check and load a saved model, not compiled; the architecture that a .json file of the same name names is imported.

    Raises:
        ResultsError: The file does not exist, model.json names an architecture that architectures/ does not have, or a layer
            does not run on this backend.
        UnsafeModelError: The file is damaged, or holds something else than layers of Keras or of this architecture and their
            weights; see `keras_file.unpack_model`.
    """
    import keras

    if not path.is_file():
        raise ResultsError(f"{path}: there is no such model. A finished fold folder has model.keras.")
    architecture = (read_json(path.with_suffix(".json")) or {}).get("architecture")
    module = f"{SHARED_PACKAGE}.{architecture}"
    if architecture is not None and find_architecture(path, architecture) and imports.may_import(module):
        load(f"{module}.build")
    with tempfile.TemporaryDirectory(prefix="xval_model_") as name:
        folder = Path(name)
        try:
            n_values = unpack_model(path, folder, keras.saving.get_custom_objects())
        except UnsafeModelError as error:
            # The text of `check_layers` names any module; which one it is, model.json says.
            code = _code_of(architecture)
            raise UnsafeModelError(str(error).replace(ANY_MODULE, code) if code else str(error)) from error
        except OSError as error:
            raise ResultsError(f"{path}: cannot be unpacked into {folder} ({error}).") from error
        try:
            check_memory(json.loads((folder / "config.json").read_bytes()), path, n_values)
            model = keras.saving.load_model(folder, compile=False, safe_mode=True)
        except UnsafeModelError:
            raise
        except SettingsError as error:  # a layer that runs only on one backend
            raise ResultsError(f"{path}: {error}.") from error
        except Exception as error:  # a manipulated file may fail anywhere in Keras or its backend
            raise UnsafeModelError(
                f"{path}: its layers and weights do not match ({type(error).__name__}: {brief(error, 300)}). It may be of "
                "another version of Keras, or was changed."
            ) from error
    if not isinstance(model, keras.Model):
        raise UnsafeModelError(f"{path}: has a {type(model).__name__}; expected a model.")
    return model


def _code_of(architecture: object) -> str:
    """Return the module of the user's own that an architecture is in; empty: it is not known."""
    name = str(architecture)
    if architecture is None or not all(map(str.isidentifier, name.split("."))):
        return ""
    return name if has_module(name) else name.rpartition(".")[0] if is_dotted(name) else f"{SHARED_PACKAGE}.{name}"


def find_architecture(path: Path, architecture: object) -> bool:
    """Return whether an architecture of a model.json is one of architectures/; the user imports their own modules.

    Raises:
        ResultsError: It is none of them, and no dotted path.
    """
    if is_dotted(str(architecture)) and all(map(str.isidentifier, str(architecture).split("."))):
        return False
    if f"{SHARED_PACKAGE}.{architecture}" in imports.named():  # and imported: it is in a study elsewhere
        return True
    if architecture not in architecture_names():
        raise ResultsError(
            f"{path.with_suffix('.json')}: unknown architecture {architecture!a:.80} of {path.name}. "
            f"{suggestion(str(architecture), architecture_names())} The folder code/ of the experiment has its file."
        )
    return True


def check_memory(config: dict[str, Any], path: Path, n_values: int) -> None:
    """Refuse a model whose layers need more weights than its file has, before any of them takes memory.

    Args:
        config: The checked config.json; Keras changes it.
        path: The .keras file, in messages.
        n_values: How many numbers its weights are.

    Raises:
        UnsafeModelError: They do.
        Exception: Whatever Keras raises where the layers do not fit together.
    """
    import keras

    with shapes_alone():
        built = keras.saving.deserialize_keras_object(config, safe_mode=True)
        expected = sum(math.prod(variable.shape) for variable in getattr(built, "variables", ()))
    if expected > n_values + _UNSAVED_VALUES:
        raise UnsafeModelError(f"{path}: not loaded, because its layers need {expected} weights, but it has {n_values}.")
