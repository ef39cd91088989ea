"""Whether the layers of a model can be read back from its file, before it is trained."""

import keras

from xval.backend.keras_internals import all_layers
from xval.base.errors import SettingsError
from xval.base.user_code.cells import is_cell_module
from xval.models.saved.check_layers import HARMS

_OF_XVAL = ("keras", "xval", "architectures")


def own_layers(model: keras.Model) -> list[keras.layers.Layer]:
    """Return the layers of a model, and those within them, whose classes are of the user's own."""
    return [layer for layer in all_layers(model) if type(layer).__module__.partition(".")[0] not in _OF_XVAL]


def check_registered(model: keras.Model) -> None:
    """Refuse a model with a layer that no reader of its file could make: one that is code, or whose class Keras cannot find.

    Raises:
        SettingsError: It names the layer, its class and what to write.
    """
    for layer in all_layers(model):
        kind = type(layer)
        if kind.__module__.partition(".")[0] == "keras" and (reason := HARMS.get(kind.__name__)):
            raise SettingsError(
                f"its layer '{layer.name}' is a keras.layers.{kind.__name__}, which a saved model must not have, because "
                f"{reason}. Use keras.ops on the tensors in build(), or your own layer class that is registered with Keras"
            )
    for layer in own_layers(model):
        kind = type(layer)
        if keras.saving.get_registered_object(keras.saving.get_registered_name(kind)) is not kind:
            package = "my_layers" if is_cell_module(kind.__module__) else kind.__module__
            raise SettingsError(
                f"its layer '{layer.name}' is of the class {kind.__module__}.{kind.__qualname__}, which is not registered "
                "with Keras, so the saved model could not be loaded. Write "
                f'@keras.saving.register_keras_serializable(package="{package}") above the class, and give it a '
                "get_config() if its __init__ takes arguments"
            )
        try:
            layer.get_config()
        except NotImplementedError:
            raise SettingsError(
                f"its layer '{layer.name}' is of the class {kind.__module__}.{kind.__qualname__}, whose __init__ takes "
                "arguments that Keras cannot save, so the saved model could not be loaded. Give it a get_config() that "
                "returns {**super().get_config(), ...} with each argument, as a number, text, list or dict"
            ) from None
