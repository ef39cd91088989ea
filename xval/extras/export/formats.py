"""The formats of exported models: the packages of each, how Keras writes it, and how it runs without Keras.

Models are written on the TensorFlow backend, which supports all formats. A file that has only the weights is run by a copy of
the Keras model.
"""

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from xval.base.errors import SettingsError, how_to_install, suggestion

if TYPE_CHECKING:
    import keras

Predict = Callable[[NDArray[np.float32]], NDArray[Any]]
"""From a batch of inputs, float32 (n, ...), to the outputs (n, ...)."""


@dataclass(frozen=True)
class Format:
    """A format of exported models.

    Attributes:
        name: The value of ``--format``.
        ending: The ending of file or folder names of this format.
        is_folder: Whether an export is a folder.
        packages: The packages that write and run it, in addition to Keras and TensorFlow.
        write: Writes a model to a path; the last argument is the batch size, None: any.
        read: Returns a function that runs the export at a path; its second argument is the Keras model.
        alternative: The formats to try if this one cannot express a model, for messages.
    """

    name: str
    ending: str
    is_folder: bool
    packages: tuple[str, ...]
    write: Callable[["keras.Model", Path, int | None], None]
    read: Callable[[Path, "keras.Model"], Predict]
    alternative: str

    def check_packages(self) -> None:
        """Raise SettingsError if a package that writes or runs the format is not installed."""
        if missing := [name for name in self.packages if find_spec(name) is None]:
            raise SettingsError(
                f"--format {self.name} needs packages that are not installed: {', '.join(missing)}. "
                f"Install what exports need: {how_to_install('export')}"
            )

    def batch_size(self, model: "keras.Model") -> int | None:
        """Return the only batch size that an export of a model reads; None: any."""
        return 1 if self.name == "tflite" and _is_recurrent(model) else None


def find_format(name: str) -> Format:
    """Return the format of a name; raises SettingsError for an unknown name."""
    if name not in FORMATS:
        raise SettingsError(f"--format {name}: unknown. {suggestion(name, FORMATS)}")
    return FORMATS[name]


def _write_saved_model(model: "keras.Model", path: Path, batch_size: int | None) -> None:
    model.export(path, format="tf_saved_model", verbose=False, input_signature=_signature(model, batch_size))


def _read_saved_model(path: Path, _: "keras.Model") -> Predict:
    import tensorflow as tf

    loaded = tf.saved_model.load(str(path))
    return lambda inputs: np.asarray(loaded.serve(inputs))


def _write_onnx(model: "keras.Model", path: Path, batch_size: int | None) -> None:
    from xval.extras.export.fourier import without_rfft

    model = without_rfft(model, keeps=lambda _: False)  # tf2onnx converts only the absolute value of a Fourier transform
    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)  # an operation that it cannot convert fails when the export is run
    model.export(path, format="onnx", verbose=False, input_signature=_signature(model, batch_size))


def _read_onnx(path: Path, _: "keras.Model") -> Predict:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda inputs: np.asarray(session.run(None, {name: inputs})[0])


def _write_tflite(model: "keras.Model", path: Path, batch_size: int | None) -> None:
    import tensorflow as tf

    from xval.extras.export.fourier import without_rfft

    # TFLite transforms only lengths that are powers of two.
    model = without_rfft(model, keeps=lambda n_fft: n_fft.bit_count() == 1)
    # By default Keras also allows TensorFlow operations, which an ordinary interpreter does not have.
    built_in = {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS]}
    with _without_messages():
        model.export(path, format="litert", verbose=False, input_signature=_signature(model, batch_size), target_spec=built_in)


def _read_tflite(path: Path, _: "keras.Model") -> Predict:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path))
    input_index = interpreter.get_input_details()[0]["index"]
    output_index = interpreter.get_output_details()[0]["index"]

    def predict(inputs: NDArray[np.float32]) -> NDArray[Any]:
        interpreter.resize_tensor_input(input_index, inputs.shape)
        with _without_messages():
            interpreter.allocate_tensors()
        interpreter.set_tensor(input_index, inputs)
        interpreter.invoke()
        return np.asarray(interpreter.get_tensor(output_index))

    return predict


def _write_weights(model: "keras.Model", path: Path, _: int | None) -> None:
    model.save_weights(path)


def _read_weights(path: Path, model: "keras.Model") -> Predict:
    import keras

    copy = keras.models.clone_model(model)
    copy.load_weights(path)
    return lambda inputs: np.asarray(copy(inputs, training=False))


def _signature(model: "keras.Model", batch_size: int | None) -> "list[keras.InputSpec]":
    import keras

    (inputs,) = model.inputs
    return [keras.InputSpec(shape=(batch_size, *inputs.shape[1:]), dtype=inputs.dtype, name=inputs.name)]


def _is_recurrent(layer: Any) -> bool:
    """Return whether a layer is or contains a recurrent layer, whose states have a fixed size in TFLite."""
    import keras

    return isinstance(layer, keras.layers.RNN | keras.layers.Bidirectional) or any(
        _is_recurrent(inner) for inner in getattr(layer, "layers", ())
    )


@contextmanager
def _without_messages() -> Iterator[None]:
    """Discard everything that compiled code writes to stderr: TFLite repeats its exceptions there, and names its delegates."""
    stderr_copy = os.dup(2)
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(stderr_copy, 2)
        os.close(stderr_copy)


_ONNX_PACKAGES = ("onnx", "tf2onnx", "onnxruntime")
FORMATS = {
    export_format.name: export_format
    for export_format in (
        Format("onnx", ".onnx", False, _ONNX_PACKAGES, _write_onnx, _read_onnx, "saved_model or tflite"),
        Format("saved_model", "_saved_model", True, (), _write_saved_model, _read_saved_model, "onnx or tflite"),
        Format("tflite", ".tflite", False, ("ai_edge_litert",), _write_tflite, _read_tflite, "saved_model or onnx"),
        Format("weights_h5", ".weights.h5", False, ("h5py",), _write_weights, _read_weights, "saved_model or onnx"),
    )
}
