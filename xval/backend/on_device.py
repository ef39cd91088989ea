"""Keep examples in the memory of a GPU, and run whole epochs there.

A `DeviceSteps` trains an epoch, and predicts, from positions in an array that is copied to the device once per process. The
host does nothing between the steps: they are a scan on JAX, CUDA graphs on torch, and a loop within a function on TensorFlow.
The steps are Keras's own, in the same order and on the same examples as with batches from the host.
"""

import os
import weakref
from typing import Any, Protocol, cast

import keras
import numpy as np
from numpy.typing import NDArray

from xval.backend.devices import find_gpus
from xval.backend.held_examples import HeldExamples
from xval.backend.limits import MEMORY_MB, MEMORY_SHARE

_HELD_SHARE = 0.4  # of the GPU memory that a process may use; the rest is for the model and its activations


class DeviceSteps(Protocol):
    """Training and prediction on the device, with one model."""

    def train_epoch(self, *given: Any) -> Any:
        """Train an epoch; Keras's `fit` calls it in place of its training step, with the arguments ``given`` of a step.

        The only batch of these is a whole epoch, as from `xval.data.batches.WholeEpoch`.
        """

    def predict(self, places: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return the predictions for examples at some places, float32 (n_examples, *output_shape)."""


def memory_bytes() -> int:
    """Return how much GPU memory this process may use (bytes); 0: it has no GPU."""
    if keras.backend.backend() == "torch":
        import torch

        if torch.cuda.is_available():
            return int(torch.cuda.get_device_properties(0).total_memory * float(os.environ.get(MEMORY_SHARE, "1")))
    elif keras.backend.backend() == "jax":
        import jax

        device = jax.local_devices()[0]
        if device.platform == "gpu":
            return int((device.memory_stats() or {}).get("bytes_limit", 0))
    elif keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        if tf.config.list_logical_devices("GPU"):
            gpus = find_gpus()
            return 2**20 * int(os.environ.get(MEMORY_MB) or (gpus[0].memory_mb if gpus else 0))
    return 0


class _Held:
    """The array that the device holds for this process: only one, because successive jobs share their feature store."""

    def __init__(self) -> None:
        self._source: weakref.ref[Any] | None = None
        self._array: Any = None

    def hold(self, array: NDArray[np.float32]) -> Any:
        """Return a copy of an array on the device; it is dropped for the next array, or when the host drops the original."""
        if self._source is None or self._source() is not array:
            self._source = self._array = None
            self._array = _put(array)
            self._source = weakref.ref(array, self._drop)
        return self._array

    def _drop(self, _source: Any) -> None:
        self._array = None


_HELD = _Held()
_ALLOWED = [True]


def allow(*, allowed: bool) -> None:
    """Set whether this process keeps examples on its GPU from now on (the setting data_on_device)."""
    _ALLOWED[0] = allowed


def hold(array: NDArray[np.float32], shape: tuple[int, ...] | None = None) -> HeldExamples | None:
    """Return examples on the GPU of this process, to which their array is copied once.

    Args:
        array: float32 (n_all, ...) or (n_samples,); it must not change afterwards.
        shape: Shape of an example that is a segment of the array; None: examples are rows.

    Returns:
        The examples; None: there is no GPU, its memory is too small, or data_on_device is off.
    """
    if not _ALLOWED[0] or array.nbytes > _HELD_SHARE * memory_bytes():
        return None
    return HeldExamples(_HELD.hold(array), shape)


def steps_of(model: keras.Model, held: HeldExamples, batch_size: int) -> DeviceSteps:
    """Return the steps of a model on the device; they are made once and stored with the model."""
    known = model.__dict__.get("_xval_device_steps")
    if known is None or not known.held.is_same(held) or known.batch_size != batch_size:
        if keras.backend.backend() == "jax":
            from xval.backend.jax_scan import ScannedSteps as Steps
        elif keras.backend.backend() == "tensorflow":
            from xval.backend.tensorflow_loop import LoopedSteps as Steps  # type: ignore[assignment]
        else:
            from xval.backend.torch_graphs import RecordedSteps as Steps  # type: ignore[assignment]
        known = Steps(model, held, batch_size)
        object.__setattr__(model, "_xval_device_steps", known)  # so that Keras does not track it as a part of the model
    return cast("DeviceSteps", known)


def release(model: keras.Model) -> None:
    """Free the functions and graphs that were compiled or recorded for a model that no longer trains."""
    if model.__dict__.pop("_xval_device_steps", None) is not None:
        model.train_function = None


def describe(model: keras.Model) -> dict[str, Any]:
    """Return the entry of a record about the GPU that has trained a model; empty: trained on the CPU.

    Returns:
        ``{"gpu": {"name", "driver", "memory_mb", "epochs", "peak_memory_mb"}}``. ``epochs`` says how epochs ran;
        ``peak_memory_mb`` is the largest memory of this process' arrays (MB of 2**20 bytes), if the backend reports it.
    """
    gpus = find_gpus()
    if not gpus or os.environ.get("CUDA_VISIBLE_DEVICES") == "-1":
        return {}
    steps = model.__dict__.get("_xval_device_steps")
    reason = getattr(steps, "not_recorded", "")
    epochs = "from the CPU" if steps is None else f"on the device, step by step: {reason}" if reason else "on the device"
    facts = {"name": gpus[0].name, "driver": gpus[0].driver, "memory_mb": gpus[0].memory_mb, "epochs": epochs}
    return {"gpu": facts | _peak_memory_mb()}


def build_followed(model: keras.Model, targets: NDArray[Any] | None, weights: NDArray[np.float32] | None) -> None:
    """Create the variables of a compiled model's loss and metrics, as Keras's `fit` does at its first batch.

    Args:
        model: Compiled.
        targets: Those of a few examples (n_examples, ...); None: the model has only added losses.
        weights: float32 weights of these examples, or None.
    """
    predictions = np.full((0 if targets is None else len(targets), *model.output_shape[1:]), 0.5, np.float32)
    given = [None if values is None else keras.ops.convert_to_tensor(values) for values in (targets, predictions, weights)]
    model.compute_loss(None, *given)
    model.compute_metrics(None, *given)
    model.reset_metrics()


def _peak_memory_mb() -> dict[str, float]:
    """Return the largest GPU memory of this process' arrays so far (MB of 2**20 bytes); empty: the backend reports none."""
    n_bytes = None
    if keras.backend.backend() == "torch":
        import torch

        n_bytes = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else None
    elif keras.backend.backend() == "jax":
        import jax

        n_bytes = (jax.local_devices()[0].memory_stats() or {}).get("peak_bytes_in_use")
    elif keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        gpus = tf.config.list_logical_devices("GPU")
        n_bytes = tf.config.experimental.get_memory_info(gpus[0].name)["peak"] if gpus else None
    return {} if n_bytes is None else {"peak_memory_mb": round(n_bytes / 2**20, 1)}


def _put(array: NDArray[np.float32]) -> Any:
    if keras.backend.backend() == "jax":
        import jax

        return jax.device_put(array)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        device = "GPU:0" if tf.config.list_logical_devices("GPU") else "CPU:0"
        with tf.device(device):
            return tf.constant(array)
    import torch

    return torch.tensor(array, device="cuda" if torch.cuda.is_available() else "cpu")
