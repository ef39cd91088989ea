"""Random numbers that Keras's layers draw on torch with a seed of the host, for a step that is recorded as a CUDA graph.

They are the same numbers as without a recording, drawn before each replay into memory that the graph reads. A layer of Keras
stores a seed and how often it has drawn; each draw makes a generator with their sum as its seed, which the host must know.
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
        """Have a step that is taken within this block read its numbers from the memory that `fill` writes to.

        Within it RuntimeError is raised for numbers that cannot be drawn before the step.
        """
        self._n_in_step = 0
        with self, torch_generators_by(self._generator):
            yield

    def fill(self, states: States) -> None:
        """Draw the numbers of the next step; the states of the seeds are completed, and changed as the step changes them."""
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
            raise RuntimeError("a layer draws without its own seed")  # noqa: TRY004 - as what torch cannot record
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
