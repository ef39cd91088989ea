"""Random numbers of Keras's layers on torch, such as those of dropout, for a step that is recorded as a CUDA graph.

They are drawn before each replay, into memory that the graph reads, and equal the numbers without a recording. A layer of Keras
stores a seed and its number of draws. Each draw makes a generator whose seed is their sum, which has to be known on the host; a
graph cannot fetch it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import torch
from torch.overrides import TorchFunctionMode

from xval.backend.keras_internals import torch_generators_by

_FUNCTIONS = (torch.rand, torch.randint, torch.normal, torch.bernoulli)

States = dict[int, list[int]]
"""Seed and number of draws of each `keras.random.SeedGenerator`, by its identity."""


@dataclass
class _Draw:
    seed: Any
    generator: torch.Generator
    draw: Callable[[], torch.Tensor] | None = None
    numbers: torch.Tensor | None = None


class Draws(TorchFunctionMode):  # type: ignore[misc]
    """The draws of one step on a device, in their order."""

    def __init__(self, device: torch.device) -> None:
        super().__init__()
        self._device = device
        self._draws: list[_Draw] = []
        self._n_in_step = 0

    @contextmanager
    def known(self) -> Iterator[None]:
        """Make a step within this block read its random numbers from the memory that `fill` writes to.

        A step raises RuntimeError if it draws numbers that cannot be drawn before it.
        """
        self._n_in_step = 0
        with self, torch_generators_by(self._generator):
            yield

    def fill(self, states: States) -> None:
        """Draw the numbers of the next step, and advance ``states`` as the step does; missing states are read and added."""
        for draw in self._draws:
            if isinstance(draw.seed, int):
                number = draw.seed
            else:
                if id(draw.seed) not in states:
                    states[id(draw.seed)] = [int(value) for value in draw.seed.state.value.tolist()]
                state = states[id(draw.seed)]
                number = sum(state)
                state[1] += 1
            if draw.draw is not None and draw.numbers is not None:
                draw.generator.manual_seed(number & 0xFFFFFFFF)
                draw.numbers.copy_(draw.draw())

    def _generator(self, seed: Any) -> torch.Generator:
        if isinstance(seed, keras.random.SeedGenerator):
            seed.next()
        elif not isinstance(seed, int):
            raise RuntimeError("a layer draws without its own seed")  # noqa: TRY004 - as torch raises for what it cannot record
        if self._n_in_step == len(self._draws):
            self._draws.append(_Draw(seed, torch.Generator(self._device)))
        self._n_in_step += 1
        return self._draws[self._n_in_step - 1].generator

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        drawn = next((draw for draw in self._draws if draw.generator is kwargs.get("generator")), None)
        if drawn is None:
            return func(*args, **kwargs)
        if func not in _FUNCTIONS:
            raise RuntimeError(f"{func.__name__} draws from values computed in the step")
        if drawn.numbers is None:
            drawn.draw = lambda: func(*args, **kwargs)
            drawn.numbers = func(*args, **kwargs)
        return drawn.numbers.clone()
