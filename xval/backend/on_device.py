"""Keep examples in the memory of a GPU, and run whole epochs there.

`DeviceSteps` trains an epoch and predicts from positions in an array that is copied to the device once per process, without the
host between the steps: by a scan on JAX, by CUDA graphs on torch, by a loop within a function on TensorFlow. The steps are
Keras's own, in the same order and on the same examples as from the host.
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

_HELD_SHARE = 0.4  # of the device's memory that a process may use; the rest is for the model and what it computes


class DeviceSteps(Protocol):
    """What trains and predicts on the device; one for each model."""

    def train_epoch(self, *given: Any) -> Any:
        """Train an epoch, called by Keras's `fit` in place of its step: `given` is what `fit` hands to one.

        Its one batch is a whole epoch, as of `xval.data.batches.WholeEpoch`.
        """

    def predict(self, places: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return the predictions for examples at some places, float32 (n_examples, *output_shape)."""


def memory_bytes() -> int:
    """Return what this process may use of the memory of its GPU (bytes); 0: it has none."""
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
    """The array that the device holds for this process: one, since jobs that follow each other share their store."""

    def __init__(self) -> None:
        self._source: weakref.ref[Any] | None = None
        self._array: Any = None

    def hold(self, array: NDArray[np.float32]) -> Any:
        """Return an array on the device; the one before it is dropped, and each with that of the host."""
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
    """Say whether this process holds examples on its GPU from now on (the setting data_on_device)."""
    _ALLOWED[0] = allowed


def hold(array: NDArray[np.float32], shape: tuple[int, ...] | None = None) -> HeldExamples | None:
    """Return examples on the device of this process, whose array is put there once.

    Args:
        array: float32; nobody writes to it.
        shape: As of `HeldExamples`.

    Returns:
        None: there is no GPU, or too little memory on it, or it is not wanted.
    """
    if not _ALLOWED[0] or array.nbytes > _HELD_SHARE * memory_bytes():
        return None
    return HeldExamples(_HELD.hold(array), shape)


def steps_of(model: keras.Model, held: HeldExamples, batch_size: int) -> DeviceSteps:
    """Return what trains and predicts with a model on the device; made once for a model, and kept by it."""
    known = model.__dict__.get("_xval_device_steps")
    if known is None or not known.held.is_same(held) or known.batch_size != batch_size:
        if keras.backend.backend() == "jax":
            from xval.backend.jax_scan import ScannedSteps as Steps
        elif keras.backend.backend() == "tensorflow":
            from xval.backend.tensorflow_loop import LoopedSteps as Steps  # type: ignore[assignment]
        else:
            from xval.backend.torch_graphs import RecordedSteps as Steps  # type: ignore[assignment]
        known = Steps(model, held, batch_size)
        object.__setattr__(model, "_xval_device_steps", known)  # no part of the model: Keras is not to look into it
    return cast("DeviceSteps", known)


def release(model: keras.Model) -> None:
    """Give back what a model that trains no longer has compiled or recorded for the device."""
    if model.__dict__.pop("_xval_device_steps", None) is not None:
        model.train_function = None


def describe(model: keras.Model) -> dict[str, Any]:
    """Return what a record says of the GPU that has trained a model; nothing where none has.

    Returns:
        ``{"gpu": {"name", "driver", "memory_mb", "epochs", "peak_memory_mb"}}``: its memory, how epochs ran, and the most that
        arrays of this process took of it (MB; where the backend tells).
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
    """Have Keras make the variables of a compiled model's loss and metrics, as `fit` does at its first batch.

    Targets and weights are those of a few examples.
    """
    predictions = np.full((0 if targets is None else len(targets), *model.output_shape[1:]), 0.5, np.float32)
    given = [None if values is None else keras.ops.convert_to_tensor(values) for values in (targets, predictions, weights)]
    model.compute_loss(None, *given)
    model.compute_metrics(None, *given)
    model.reset_metrics()


def _peak_memory_mb() -> dict[str, float]:
    """Return the most that arrays of this process have taken on its GPU (MB); nothing where the backend does not tell."""
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
