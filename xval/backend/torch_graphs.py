"""`RecordedSteps`: epochs on torch, a step of Keras recorded once as a CUDA graph and replayed for every batch.

It is what `xval.backend.on_device` uses on torch. A step of Keras on torch is some hundreds of kernels. Python starts them one
by one, which takes many times as long as they run; a replayed graph starts all of them at once. Random numbers of layers are
drawn before each replay; see `xval.backend.torch_draws`. A model that cannot be recorded, for example because a layer fetches a
value from the device, runs step by step, still with the examples on the device.

Source: https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import torch
from numpy.typing import NDArray
from torch.overrides import TorchFunctionMode

from xval.backend.held_examples import HeldExamples
from xval.backend.keras_optimizers import optimizer_variables
from xval.backend.limits import MEMORY_SHARE
from xval.backend.torch_draws import Draws, States

_WARM_UP_STEPS = 3  # in which libraries choose their kernels; the number of torch's documentation

Batch = Sequence[torch.Tensor]


@dataclass(frozen=True)
class _Recorded:
    """A recorded step: its graph, the tensors that it reads, its output, and its random numbers."""

    graph: Any
    inputs: Batch
    output: Any
    draws: Draws


class RecordedSteps:
    """Training and prediction with one compiled model, in steps of ``batch_size`` examples; a `DeviceSteps`.

    Attributes:
        not_recorded: Why steps are not recorded; empty: they are.
    """

    def __init__(self, model: keras.Model, held: HeldExamples, batch_size: int) -> None:
        self.held = held
        self.batch_size = batch_size
        self.not_recorded = "" if held.array.is_cuda else "the device is not a GPU"
        self._model = model
        self._device = held.array.device
        self._recorded: dict[tuple[str, int], _Recorded] = {}
        self._constants = _Constants()
        self._states: States = {}
        self._n_given = 1

    def train_epoch(self, data: Sequence[Any]) -> dict[str, Any]:
        """Train an epoch, called in place of `keras.Model.train_function` on torch; return its logs."""
        given, *labels = data[0]
        self._n_given = len(given)
        self._states.clear()  # weights and states may have been replaced since the last epoch
        epoch = [values.to(self._device) for values in (*given, *labels)]
        for first in range(0, len(epoch[0]), self.batch_size):
            self._run("train", self._train_step, [values[first : first + self.batch_size] for values in epoch])
        logs: dict[str, Any] = self._model.get_metrics_result()
        return logs

    def predict(self, places: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return the predictions for examples at some places, float32 (n_examples, *output_shape)."""
        on_device = torch.from_numpy(places).to(self._device)
        with torch.no_grad():
            parts = [self._run("predict", self._predict_step, [part]).clone() for part in on_device.split(self.batch_size)]
            predictions = torch.cat(parts).float()
        return np.asarray(predictions.cpu().numpy())

    def _train_step(self, batch: Batch) -> None:
        self._model.train_step((self.held.examples(batch[: self._n_given]), *batch[self._n_given :]))

    def _predict_step(self, batch: Batch) -> torch.Tensor:
        predictions: torch.Tensor = self._model(self.held.examples(batch), training=False)
        return predictions

    def _run(self, name: str, step: Callable[[Batch], Any], batch: Batch) -> Any:
        """Take a step: replay its graph, which is recorded at the first batch of a size."""
        key = name, len(batch[0])
        if not self.not_recorded and key not in self._recorded:
            try:
                self._recorded[key] = self._record(step, [values.clone() for values in batch])
            except RuntimeError as error:
                if isinstance(error, torch.OutOfMemoryError) and MEMORY_SHARE in os.environ:
                    raise  # the job is tried again with all of the device's memory
                self.not_recorded = str(error).partition("\n")[0]
        if self.not_recorded:
            return step(batch)
        recorded = self._recorded[key]
        for recorded_values, values in zip(recorded.inputs, batch, strict=True):
            recorded_values.copy_(values)
        recorded.draws.fill(self._states)
        recorded.graph.replay()
        return recorded.output

    def _record(self, step: Callable[[Batch], Any], batch: Batch) -> _Recorded:
        draws = Draws(self._device)

        def take_step() -> Any:
            with draws.known():
                return step(batch)

        with self._nothing_changed(), self._constants:
            return _Recorded(*_capture(take_step, batch), draws)

    @contextmanager
    def _nothing_changed(self) -> Iterator[None]:
        """Restore the variables and random states of before the block at its end."""
        model = self._model
        variables_of_optimizer = optimizer_variables(model.optimizer) if model.optimizer else []
        variables = {
            id(variable): variable.value for variable in (*model.variables, *model.metrics_variables, *variables_of_optimizer)
        }.values()
        before = [value.detach().clone() for value in variables]
        with torch.random.fork_rng():
            try:
                yield
            finally:
                if self._device.type == "cuda":
                    torch.cuda.synchronize()
                with torch.no_grad():
                    for value, old in zip(variables, before, strict=True):
                        value.copy_(old)


def _capture(take_step: Callable[[], Any], batch: Batch) -> tuple[Any, Batch, Any]:
    """Return the graph of a step, the tensors that it reads, and its output."""
    side_stream = torch.cuda.Stream()
    side_stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side_stream):
        for _ in range(_WARM_UP_STEPS):
            take_step()
    torch.cuda.current_stream().wait_stream(side_stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        output = take_step()
    return graph, batch, output


class _Constants(TorchFunctionMode):  # type: ignore[misc]
    """Within this block, make tensors of numbers without a copy from the host, which a CUDA graph cannot record.

    A single number is filled in on the device. An array is copied from the host at its first use, which is in the steps before
    the recording, and from that copy afterwards.
    """

    def __init__(self) -> None:
        super().__init__()
        self._known: dict[Any, torch.Tensor] = {}

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func not in (torch.as_tensor, torch.tensor) or isinstance(args[0], torch.Tensor):
            return func(*args, **kwargs)
        values = np.asarray(args[0])
        if not values.ndim:
            return torch.full((), values.item(), **kwargs)
        key = values.tobytes(), values.shape, values.dtype.str, *map(str, sorted(kwargs.items(), key=str))
        if key not in self._known:
            self._known[key] = func(*args, **kwargs)
        return self._known[key].clone()
