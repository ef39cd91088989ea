"""Epochs on torch: a step of Keras recorded once as a CUDA graph, and replayed for every batch.

Comes in: a compiled model and the array that the device holds. Goes out: `RecordedSteps`; see on_device.py. A step of Keras on
torch is some hundreds of kernels that Python starts one by one, which takes many times as long as they run; a replayed graph
starts all of them at once. What cannot be recorded, such as a layer that draws with a seed of its own on the host, runs step by
step, with the examples on the device all the same.

https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import torch
from numpy.typing import NDArray
from torch.overrides import TorchFunctionMode

from xval.backend.keras_internals import optimizer_variables

_WARM_UP_STEPS = 3  # in which libraries choose their kernels; torch's documentation has as many

Batch = Sequence[torch.Tensor]


class RecordedSteps:
    """Training and prediction with one model.

    Args:
        model: Compiled.
        held: The array that the device holds, (n_all, ...).
        batch_size: Examples of a step.

    Attributes:
        not_recorded: Why steps are not recorded; nothing while they are.
    """

    def __init__(self, model: keras.Model, held: torch.Tensor, batch_size: int) -> None:
        self.held = held
        self.batch_size = batch_size
        self.not_recorded = "" if held.is_cuda else "the device is no GPU"
        self._model = model
        self._recorded: dict[tuple[str, int], tuple[torch.cuda.CUDAGraph, Batch, Any]] = {}
        self._constants = _Constants()

    def train_epoch(self, data: Sequence[Batch]) -> dict[str, Any]:
        """Train an epoch; as `keras.Model.train_function` on torch."""
        epoch = [values.to(self.held.device) for values in data[0]]
        for first in range(0, len(epoch[0]), self.batch_size):
            self._run("train", self._train_step, [values[first : first + self.batch_size] for values in epoch])
        found: dict[str, Any] = self._model.get_metrics_result()
        return found

    def predict(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the predictions for rows of the array, float32 (n_rows, *output_shape)."""
        on_device = torch.from_numpy(rows).to(self.held.device)
        with torch.no_grad():
            parts = [self._run("predict", self._predict_step, [part]).clone() for part in on_device.split(self.batch_size)]
            found = torch.cat(parts).float()
        return np.asarray(found.cpu().numpy())

    def _train_step(self, batch: Batch) -> None:
        rows, *labels = batch
        self._model.train_step((self.held[rows], *labels))

    def _predict_step(self, batch: Batch) -> torch.Tensor:
        found: torch.Tensor = self._model(self.held[batch[0]], training=False)
        return found

    def _run(self, name: str, step: Callable[[Batch], Any], batch: Batch) -> Any:
        """Take a step: replay its graph, recorded when a batch of this size comes first."""
        key = name, len(batch[0])
        if not self.not_recorded and key not in self._recorded:
            try:
                self._recorded[key] = self._record(step, [values.clone() for values in batch])
            except RuntimeError as error:
                self.not_recorded = str(error).partition("\n")[0]
        if self.not_recorded:
            return step(batch)
        graph, inputs, output = self._recorded[key]
        for mine, values in zip(inputs, batch, strict=True):
            mine.copy_(values)
        graph.replay()
        return output

    def _record(self, step: Callable[[Batch], Any], batch: Batch) -> tuple[torch.cuda.CUDAGraph, Batch, Any]:
        with self._nothing_changed(), self._constants:
            beside = torch.cuda.Stream()
            beside.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(beside):
                for _ in range(_WARM_UP_STEPS):
                    step(batch)
            torch.cuda.current_stream().wait_stream(beside)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                output = step(batch)
        return graph, batch, output

    @contextmanager
    def _nothing_changed(self) -> Iterator[None]:
        """Give variables and random numbers the values back that they had before the block."""
        model = self._model
        of_optimizer = optimizer_variables(model.optimizer) if model.optimizer else []
        variables = {id(each): each.value for each in (*model.variables, *model.metrics_variables, *of_optimizer)}.values()
        before, generator = [value.detach().clone() for value in variables], torch.cuda.get_rng_state()
        try:
            yield
        finally:
            torch.cuda.synchronize()
            torch.cuda.set_rng_state(generator)
            with torch.no_grad():
                for value, old in zip(variables, before, strict=True):
                    value.copy_(old)


class _Constants(TorchFunctionMode):  # type: ignore[misc]
    """Numbers of the host that become tensors without a copy from the host, which cannot be recorded.

    A single number is filled in on the device. Several are copied from the host when they come first, which is in the steps
    before a recording, and from that copy afterwards.
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
