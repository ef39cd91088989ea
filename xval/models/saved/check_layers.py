"""Check the architecture of a saved model (config.json of its .keras file) before Keras builds it.

Keras builds any object that config.json names: its safe mode refuses some of them, and imports keras_hub, keras_cv and
keras_nlp from wherever Python finds them. Here only the objects listed below are allowed, which do nothing but compute, and
objects that imported code registered with Keras. The settings of the model's training are taken out.
"""

import json
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

from xval.base.errors import UnsafeModelError

IMPORT = " Give --import"
"""Begins the fix of code that is not imported, which has no place where no such option is."""
ANY_MODULE = "MODULE"
"""What stands for a module of the user's own in the errors of this file."""
LARGEST_DEPTH = 100  # of lists and dicts in each other; 11 in the models of architectures/, 4 more for a model in a model

_LAYERS = frozenset(
    {
        "Activation", "ActivityRegularization", "AdaptiveAveragePooling1D", "AdaptiveAveragePooling2D",
        "AdaptiveAveragePooling3D", "AdaptiveMaxPooling1D", "AdaptiveMaxPooling2D", "AdaptiveMaxPooling3D", "Add",
        "AdditiveAttention", "AlphaDropout", "Attention", "AugMix", "AutoContrast", "Average", "AveragePooling1D",
        "AveragePooling2D", "AveragePooling3D", "BatchNormalization", "Bidirectional", "CategoryEncoding", "CenterCrop",
        "Concatenate", "ContrastLimitedAdaptiveHistogramEqualization", "Conv1D", "Conv1DTranspose", "Conv2D",
        "Conv2DTranspose", "Conv3D", "Conv3DTranspose", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D", "Cropping1D",
        "Cropping2D", "Cropping3D", "CutMix", "Dense", "DepthwiseConv1D", "DepthwiseConv2D", "Discretization", "Dot",
        "Dropout", "ELU", "EinsumDense", "Embedding", "Equalization", "Flatten", "GRU", "GRUCell", "GaussianDropout",
        "GaussianNoise", "GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalAveragePooling3D",
        "GlobalMaxPooling1D", "GlobalMaxPooling2D", "GlobalMaxPooling3D", "GroupNormalization", "GroupQueryAttention",
        "HashedCrossing", "Hashing", "Identity", "InputLayer", "LSTM", "LSTMCell", "LayerNormalization", "LeakyReLU",
        "Masking", "MaxNumBoundingBoxes", "MaxPooling1D", "MaxPooling2D", "MaxPooling3D", "Maximum", "MelSpectrogram",
        "Minimum", "MixUp", "MultiHeadAttention", "Multiply", "Normalization", "PReLU", "Permute", "Pipeline",
        "RMSNormalization", "RNN", "RandAugment", "RandomBrightness", "RandomColorDegeneration", "RandomColorJitter",
        "RandomContrast", "RandomCrop", "RandomElasticTransform", "RandomErasing", "RandomFlip", "RandomGaussianBlur",
        "RandomGrayscale", "RandomHue", "RandomInvert", "RandomPerspective", "RandomPosterization", "RandomRotation",
        "RandomSaturation", "RandomSharpness", "RandomShear", "RandomTranslation", "RandomZoom", "ReLU", "RepeatVector",
        "Rescaling", "Reshape", "Resizing", "ReversibleEmbedding", "STFTSpectrogram", "SeparableConv1D",
        "SeparableConv2D", "SimpleRNN", "SimpleRNNCell", "Softmax", "Solarization", "SpatialDropout1D",
        "SpatialDropout2D", "SpatialDropout3D", "SpectralNormalization", "StackedRNNCells", "Subtract",
        "TimeDistributed", "UnitNormalization", "UpSampling1D", "UpSampling2D", "UpSampling3D", "Wrapper",
        "ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D",
    }
)  # fmt: skip
"""Every layer of Keras that loads no code and no file: those that are left out are in `HARMS`."""

_OPERATIONS = frozenset(
    {
        "AssociativeScan", "Cast", "Cond", "ConvertToTensor", "ForiLoop", "Map", "SaturateCast", "Scan", "Scatter",
        "ScatterUpdate", "Slice", "SliceUpdate", "StopGradient", "Switch", "Unstack", "VectorizedMap", "WhileLoop",
    }
)  # fmt: skip
"""Those that call a function have that checked as any other: it has to be registered."""

_ALLOWED = {
    "keras": frozenset({"DTypePolicy", "Model", "Sequential"}),
    "keras.dtype_policies": frozenset({"DTypePolicyMap", "FloatDTypePolicy"}),
    "keras.layers": _LAYERS,
    "keras.random": frozenset({"SeedGenerator"}),
    "keras.src.models.functional": frozenset({"Functional"}),
    "keras.src.ops.core": _OPERATIONS,
}
"""The classes of Keras that are allowed, by the module that config.json names."""

_ALLOWED_MODULES = frozenset(
    {
        "keras.constraints", "keras.initializers", "keras.regularizers", "keras.src.ops.image", "keras.src.ops.linalg",
        "keras.src.ops.math", "keras.src.ops.nn", "keras.src.ops.numpy",
    }
)  # fmt: skip
"""Modules of Keras whose classes are all allowed (functions are not)."""

_VALUES = frozenset({"__ellipsis__", "__keras_tensor__", "__numpy__", "__slice__", "__tensor__"})
"""What Keras writes for values that JSON cannot express."""

_CLASS = re.compile(r"[A-Z]\w*")
_NUMBERS = re.compile(r"(bool|bfloat16|(float|u?int|complex)\d{1,3})")

HARMS = {
    "Lambda": "a Lambda layer is code",
    "__lambda__": "a lambda is code",
    "TFSMLayer": "it runs a TensorFlow program from a path",
    "TorchModuleWrapper": "it is read by pickle, which runs code",
    "JaxLayer": "it is code",
    "FlaxLayer": "it is code",
    "StringLookup": "it reads a vocabulary from a file or an address",
    "IntegerLookup": "it reads a vocabulary from a file or an address",
    "TextVectorization": "it reads a vocabulary from a file or an address",
}


def check_config(content: bytes, path: Path, registered: Collection[str]) -> bytes:
    """Check the architecture of a saved model.

    Args:
        content: config.json, of a size that was checked.
        path: The .keras file, in messages.
        registered: Names of the layers and functions that imported code registered with Keras.

    Returns:
        config.json without every ``compile_config``: loss and optimizer are needed only for training.
    """
    try:
        config = json.loads(content, object_pairs_hook=_as_dict)
        if not isinstance(config, dict) or "class_name" not in config:
            raise UnsafeModelError(f"{path}: not loaded, because its config.json does not describe a model.")
        return json.dumps(_check(config, "", 0, registered)).encode()
    except _Refusal as refusal:
        raise UnsafeModelError(f"{path}: not loaded, because its config.json {refusal}.") from None
    except RecursionError:
        raise UnsafeModelError(f"{path}: not loaded, because its config.json is nested too deeply to be a model.") from None
    except ValueError as error:
        raise UnsafeModelError(
            f"{path}: not loaded, because its config.json is not readable as JSON ({error!s:.200})."
        ) from error


class _Refusal(Exception):  # noqa: N818 - it never leaves this file
    """What is wrong with config.json."""


def _as_dict(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make a dict, and refuse repeated keys, which other readers may take differently."""
    values_by_key = dict(pairs)
    if len(values_by_key) != len(pairs):
        twice = next(key for number, (key, _) in enumerate(pairs) if key in dict(pairs[:number]))
        raise _Refusal(f"has the key {twice!r:.80} twice in one object")
    return values_by_key


def _check(value: Any, where: str, depth: int, registered: Collection[str]) -> Any:
    """Return a value of config.json without compile_config, or refuse it."""
    if depth > LARGEST_DEPTH:
        raise _Refusal(f"is nested deeper than {LARGEST_DEPTH} levels at {where[:80]}")
    if isinstance(value, list):
        return [_check(element, f"{where}[{number}]", depth + 1, registered) for number, element in enumerate(value)]
    if not isinstance(value, dict):
        return value
    if "class_name" in value:
        _check_object(value, where or "the model", registered)
    return {
        key: _check(element, f"{where}.{key}" if where else key, depth + 1, registered)
        for key, element in value.items()
        if not ("class_name" in value and key == "compile_config")
    }


def _check_object(described: dict[str, Any], where: str, registered: Collection[str]) -> None:
    class_name, module = described["class_name"], described.get("module")
    own_name = described.get("registered_name")
    inner = described.get("config")
    if not isinstance(class_name, str) or not isinstance(module, str | None) or not isinstance(own_name, str | None):
        raise _Refusal(f"names an object by something other than text at {where}")
    name = f"{module}.{class_name}" if module else class_name
    if class_name in HARMS:
        raise _Refusal(f"names {name} at {where}: {HARMS[class_name]}")
    if class_name == "function":
        if inner not in (registered if isinstance(inner, str) else ()):
            raise _Refusal(
                f"names the function {module}.{inner!s:.80} at {where}, whose code is not imported.{IMPORT} with the module "
                "that registers it with Keras"
            )
        return
    if class_name in _VALUES:
        _check_value(class_name, inner, where)
        return
    if own_name in registered:
        return
    if "module" not in described or "config" not in described:
        raise _Refusal(f"names {class_name!r:.80} at {where} in the format of Keras 2, which safe mode does not cover")
    if own_name not in (None, class_name):
        raise _Refusal(
            f"names {own_name!r:.80} at {where}, whose code is not imported.{IMPORT} {ANY_MODULE}, or in Python "
            f"modules=['{ANY_MODULE}'] of load_model; it is searched in the folder that settings.json names. "
            "A layer of architectures/ needs model.json next to the model instead"
        )
    is_listed = class_name in _ALLOWED.get(module or "", ())
    if not is_listed and not (module in _ALLOWED_MODULES and _CLASS.fullmatch(class_name)):
        raise _Refusal(f"names {name!s:.120} at {where}, which is not one of the layers and operations that a model may have")


def _check_value(class_name: str, inner: Any, where: str) -> None:
    """Refuse a value that is not numeric."""
    if not isinstance(inner, dict):
        raise _Refusal(f"has a {class_name} without content at {where}")
    dtype = inner.get("dtype")
    if dtype is not None and not (isinstance(dtype, str) and _NUMBERS.fullmatch(dtype)):
        raise _Refusal(f"has a {class_name} of type {dtype!r:.80} at {where}; expected numbers")
