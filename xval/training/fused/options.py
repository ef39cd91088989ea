"""In what instances may differ that are trained together: the rates of dropout layers, and the weight penalty.

Comes in: the models of members, built from their own settings. Goes out: which of them are built alike, and numbers that take
the place of a layer's rate or a kernel's penalty while a step is traced, so that each member has its own.

(Learning rates are variables of the optimizer, so that they differ anyway.)
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np

from xval.backend.keras_internals import TracedDropoutRate, all_layers
from xval.models.build import KERNELS


class MemberOptions:
    """What differs between members that are trained together, besides their variables.

    Args:
        models: The model of each member.
        penalties: The lambda of each member's weight penalty.
    """

    def __init__(self, models: Sequence[keras.Model], penalties: Sequence[float]) -> None:
        rates = [[layer.rate for layer in _dropouts(model)] for model in models]
        self._differing = [number for number, of_layer in enumerate(zip(*rates, strict=True)) if len(set(of_layer)) > 1]
        self._rates = rates
        self._penalties = penalties

    def of_member(self, position: int) -> dict[str, Any]:
        """Return the values of a member: the shares that dropout keeps, and the lambda; nothing where none differ."""
        found: dict[str, Any] = {}
        if self._differing:
            # As keras.random.dropout has it: the difference is rounded after it is taken.
            found["kept"] = np.array([1.0 - self._rates[position][number] for number in self._differing], np.float32)
        if len(set(self._penalties)) > 1:
            found["penalty"] = np.float32(self._penalties[position])
        return found

    @contextmanager
    def applied(self, model: keras.Model, values: Mapping[str, Any]) -> Iterator[None]:
        """Give layers and kernels the values of one member, while a function of it is traced."""
        dropouts = [_dropouts(model)[number] for number in self._differing] if "kept" in values else []
        kernels = (
            [variable for variable in model.trainable_variables if variable.name in KERNELS] if "penalty" in values else []
        )
        recurrent = [layer for layer in all_layers(model) if hasattr(layer, "use_cudnn")]
        kept = (
            [layer.rate for layer in dropouts],
            [each.regularizer for each in kernels],
            [each.use_cudnn for each in recurrent],
        )
        try:
            for layer in recurrent:
                layer.use_cudnn = False  # its functions cannot be mapped over members
            for number, layer in enumerate(dropouts):
                layer.rate = TracedDropoutRate(values["kept"][number])
            for variable in kernels:
                variable.regularizer = _MemberPenalty(values["penalty"])
            yield
        finally:
            for layer, rate in zip(dropouts, kept[0], strict=True):
                layer.rate = rate
            for variable, regularizer in zip(kernels, kept[1], strict=True):
                variable.regularizer = regularizer
            for layer, use_cudnn in zip(recurrent, kept[2], strict=True):
                layer.use_cudnn = use_cudnn


class _MemberPenalty(keras.regularizers.Regularizer):  # type: ignore[misc]
    """`keras.regularizers.L2` with a lambda that is traced."""

    def __init__(self, penalty: Any) -> None:
        self._penalty = penalty

    def __call__(self, kernel: Any) -> Any:
        return keras.ops.cast(self._penalty, kernel.dtype) * keras.ops.sum(keras.ops.square(kernel))


def covers(model: keras.Model, others: Sequence[keras.Model]) -> bool:
    """Return whether a model has all that any other of its form has: dropout where it drops anything, and penalties."""
    drops = [[layer.rate > 0 for layer in _dropouts(each)] for each in (model, *others)]
    has_penalty = [any(each.regularizer is not None for each in every.trainable_variables) for every in (model, *others)]
    return drops[0] == [any(of_layer) for of_layer in zip(*drops, strict=True)] and has_penalty[0] == any(has_penalty)


def form(model: keras.Model, penalty: float) -> list[Any]:
    """Return what members must have in common: their layers, apart from dropout's rates, and the shapes of their variables.

    Raises:
        NotImplementedError: A layer cannot be described.
    """
    layers: list[Any] = []
    for layer in _leaves(model):
        described = {name: value for name, value in layer.get_config().items() if name != "seed"}  # one for each fold
        if _is_dropout(layer) and layer.rate < 1:
            described = {name: value for name, value in described.items() if name != "rate"}
        layers.append((type(layer).__name__, described))
    dropped = _dropout_seeds(model)
    variables = [(tuple(each.shape), str(each.dtype), each.trainable) for each in model.variables if id(each) not in dropped]
    # A penalty takes the place of a kernel's own, so that a kernel with one of its own has another loss without a penalty.
    own = [not penalty and each.regularizer is not None for each in model.trainable_variables if each.name in KERNELS]
    return [layers, variables, own]


def pair_variables(model: keras.Model, other: keras.Model) -> list[tuple[keras.Variable, keras.Variable | None]]:
    """Return the variables of a model, each with that of another of the same form, or None where the other has none.

    That is the seed of a dropout layer that drops nothing in the other model.
    """
    seeds = {id(layer.seed_generator.state): number for number, layer in enumerate(_dropouts(model)) if layer.rate > 0}
    others = _dropouts(other)
    rest = iter([variable for variable in other.variables if id(variable) not in _dropout_seeds(other)])
    pairs: list[tuple[keras.Variable, keras.Variable | None]] = []
    for variable in model.variables:
        number = seeds.get(id(variable))
        if number is None:
            pairs.append((variable, next(rest)))
        else:
            pairs.append((variable, others[number].seed_generator.state if others[number].rate > 0 else None))
    return pairs


def _leaves(model: keras.Model) -> list[keras.layers.Layer]:
    """Return the layers of a model and of the models within it, each once."""
    found = []
    for layer in model.layers:
        found += _leaves(layer) if isinstance(layer, keras.Model) else [layer]
    return list({id(layer): layer for layer in found}.values())


def _is_dropout(layer: keras.layers.Layer) -> bool:
    return isinstance(layer, keras.layers.Dropout) and type(layer).__module__.partition(".")[0] == "keras"


def _dropouts(model: keras.Model) -> list[keras.layers.Layer]:
    return [layer for layer in _leaves(model) if _is_dropout(layer)]


def _dropout_seeds(model: keras.Model) -> set[int]:
    return {id(layer.seed_generator.state) for layer in _dropouts(model) if layer.rate > 0}
