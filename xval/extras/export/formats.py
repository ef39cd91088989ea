"""The formats of exported models: the packages of each, how Keras writes it, and how it runs without Keras.

Comes in: a Keras model on the TensorFlow backend, which can write all formats. Goes out: a file or folder, and a function that
runs it; weights alone run in a model that is built alike.
"""

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


@dataclass(frozen=True)
class Format:
    """A format, how it is written and how it is run.

    Attributes:
        name: On the command line.
        ending: Of the name of an export.
        packages: That write and run it, besides Keras and TensorFlow.
        write: Writes a model to a path; the last argument is the batch size, None: any.
        read: Returns the function of an export, from a batch of examples to the outputs; it is also given the model.
        alternative: The format to try if this one cannot express a model.
    """

    name: str
    ending: str
    is_folder: bool
    packages: tuple[str, ...]
    write: Callable[["keras.Model", Path, int | None], None]
    read: Callable[[Path, "keras.Model"], Predict]
    alternative: str

    def check_packages(self) -> None:
        """Refuse a format whose packages are not installed."""
        if missing := [name for name in self.packages if find_spec(name) is None]:
            raise SettingsError(
                f"--format {self.name} needs packages that are not installed: {', '.join(missing)}. "
                f"Install what exports need: {how_to_install('export')}"
            )

    def batch_size(self, model: "keras.Model") -> int | None:
        """Return the only batch size of an export of a model; None: any."""
        return 1 if self.name == "tflite" and _is_recurrent(model) else None


def find_format(name: str) -> Format:
    """Return the format of a name."""
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
    import logging

    from xval.extras.export.fourier import without_rfft

    model = without_rfft(model, keeps=lambda _: False)  # tf2onnx knows no more than the absolute value of a transform
    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)  # what it cannot convert shows when the export is run
    model.export(path, format="onnx", verbose=False, input_signature=_signature(model, batch_size))


def _read_onnx(path: Path, _: "keras.Model") -> Predict:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda inputs: np.asarray(session.run(None, {name: inputs})[0])


def _write_tflite(model: "keras.Model", path: Path, batch_size: int | None) -> None:
    import tensorflow as tf

    from xval.extras.export.fourier import without_rfft

    model = without_rfft(model, keeps=lambda n_fft: n_fft.bit_count() == 1)  # TFLite transforms powers of two alone
    # Keras also allows operations of TensorFlow, which no interpreter has that is not built for them.
    built_in = {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS]}
    with _without_messages():
        model.export(path, format="litert", verbose=False, input_signature=_signature(model, batch_size), target_spec=built_in)


def _read_tflite(path: Path, _: "keras.Model") -> Predict:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path))
    given, answered = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]

    def predict(inputs: NDArray[np.float32]) -> NDArray[Any]:
        interpreter.resize_tensor_input(given, inputs.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(given, inputs)
        interpreter.invoke()
        return np.asarray(interpreter.get_tensor(answered))

    return predict


def _write_weights(model: "keras.Model", path: Path, _: int | None) -> None:
    model.save_weights(path)


def _read_weights(path: Path, model: "keras.Model") -> Predict:
    import keras

    alike = keras.models.clone_model(model)
    alike.load_weights(path)
    return lambda inputs: np.asarray(alike(inputs, training=False))


def _signature(model: "keras.Model", batch_size: int | None) -> "list[keras.InputSpec]":
    import keras

    (inputs,) = model.inputs
    return [keras.InputSpec(shape=(batch_size, *inputs.shape[1:]), dtype=inputs.dtype, name=inputs.name)]


def _is_recurrent(layer: Any) -> bool:
    """Return whether there is a recurrent layer at any depth, whose states have a fixed size in TFLite."""
    import keras

    return isinstance(layer, keras.layers.RNN | keras.layers.Bidirectional) or any(
        _is_recurrent(inner) for inner in getattr(layer, "layers", ())
    )


@contextmanager
def _without_messages() -> Iterator[None]:
    """Drop what compiled code writes to stderr, where TFLite's converter repeats its exceptions at length."""
    kept = os.dup(2)
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


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
