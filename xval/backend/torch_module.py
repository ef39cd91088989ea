"""`TorchModule`: a torch module as a Keras layer that is saved as arrays and rebuilt by its architecture, never by pickle.

A user's architecture subclasses it, registers the subclass with Keras, and defines how the module is made.

Keras saves the module of its own TorchModuleWrapper with pickle, which runs code when it is read: such a model is not loaded.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import keras

from xval.backend.keras_internals import all_layers, in_shapes_alone
from xval.base.errors import SettingsError

if TYPE_CHECKING:
    import torch


class TorchModule(keras.layers.TorchModuleWrapper):  # type: ignore[misc]
    """A torch module as a layer: every parameter and buffer is a variable of the layer.

    Write ``make_module(**options) -> torch.nn.Module`` in a subclass under ``@keras.saving.register_keras_serializable(...)``.
    The module takes one float32 tensor (n_examples, ...) and returns one. That of a frozen layer is in evaluation in training
    too: its statistics stay, and nothing is dropped. A subclass whose ``split_module`` gives parts is a layer of several
    blocks, each of which can be frozen and learn at its own rate.

    Args:
        dtype: As of every layer of Keras, whatever the precision of the rest.
        output_shape: Of the output of one example, as it was saved; None: found by the module.
        **options: Of `make_module`, values that JSON can hold; they are saved with the model.

    Raises:
        SettingsError: The backend is another than torch.
    """

    def __init__(
        self,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: Any = "float32",
        output_shape: Sequence[int] | None = None,
        **options: Any,
    ) -> None:
        if keras.backend.backend() != "torch":
            raise SettingsError(
                f"layer '{type(self).__name__}' is a torch module, which needs backend=torch; this process has loaded "
                f"{keras.backend.backend()}"
            )
        import torch

        given = {"name": name, "trainable": trainable, "dtype": dtype}
        if in_shapes_alone():
            super(keras.layers.TorchModuleWrapper, self).__init__(**given)
            with torch.device("meta"):
                self.module = self.make_module(**options)
            for values in (*self.module.parameters(), *self.module.buffers()):
                self.add_weight(shape=tuple(values.shape), initializer="zeros")
            self.output_shape = output_shape
        else:
            super().__init__(self.make_module(**options), output_shape=output_shape, **given)
        self._options = dict(options)

    def make_module(self, **options: Any) -> "torch.nn.Module":
        """Return the module, with weights as at the start of training."""
        raise NotImplementedError(f"{type(self).__name__} has no make_module()")

    def split_module(self, module: "torch.nn.Module") -> Sequence[Sequence["torch.nn.Module"]]:  # noqa: ARG002 - for subclasses
        """Return the parts of the module that are blocks, from the input on; empty: all of it is one.

        What is in no part is a separate block, behind the first.
        """
        return ()

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Return what the module makes of a tensor."""
        self.set_training(is_training=bool(training))
        return self.module(inputs)

    def set_training(self, *, is_training: bool) -> None:
        """Let all of the module train or not that is not frozen."""
        self.module.train(is_training and self.trainable)
        for block in self.blocks:
            if not block.trainable:
                for module in block.parts:
                    module.training = False

    def compute_output_spec(self, inputs: Any, training: bool | None = None) -> keras.KerasTensor:  # noqa: ARG002 - as Keras calls it
        """Return shape and type of the output, of which only the number of examples is open."""
        if self.output_shape is None:
            import torch

            if None in inputs.shape[1:]:
                raise SettingsError(
                    f"layer '{self.name}' is a torch module and needs examples of one length; received {inputs.shape}"
                )
            device = next(self.module.parameters()).device
            with torch.no_grad():
                output = self.module.eval()(torch.zeros((1, *inputs.shape[1:]), device=device))
            self.output_shape = tuple(output.shape[1:])
        return keras.KerasTensor((inputs.shape[0], *self.output_shape), dtype="float32")

    def get_config(self) -> dict[str, Any]:
        """Return the options of `make_module`."""
        layer_config: dict[str, Any] = super(keras.layers.TorchModuleWrapper, self).get_config()
        return layer_config | {"output_shape": self.output_shape} | dict(self._options)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "TorchModule":
        """Make the layer anew by the code of its class."""
        return cls(**config)

    def _track_module_parameters(self) -> None:
        """Make the variables: the layer's own, or those of its blocks."""
        parts = [[inner for module in part for inner in module.modules()] for part in self.split_module(self.module)]
        self.blocks: list[TorchBlock] = []
        if not parts:
            super()._track_module_parameters()
            self.buffers_of_module = [_as_variable(values) for values in self.module.buffers()]
            return
        known = {id(module) for part in parts for module in part}
        rest = [module for module in self.module.modules() if id(module) not in known]
        if any(True for module in rest for _ in module.parameters(recurse=False)):
            parts.insert(1, rest)
        self.blocks = [TorchBlock(part, name=f"{self.name}_{number}") for number, part in enumerate(parts)]
        self.built = True


class TorchBlock(keras.layers.Layer):  # type: ignore[misc]
    """The variables of some modules of a `TorchModule`, which saves them; it is never called.

    Args:
        parts: The modules; of those within them, which are named too, it does not look for others.

    Attributes:
        is_convolution: Whether it has convolutions, and nothing dense.
    """

    def __init__(self, parts: "Sequence[torch.nn.Module]", name: str) -> None:
        super().__init__(name=name, dtype="float32")
        self.parts = tuple(parts)
        kinds = {type(module).__name__ for module in parts}
        self.is_convolution = bool(kinds & {"Conv1d", "Conv2d"}) and "Linear" not in kinds
        for module in parts:
            for values in module.parameters(recurse=False):
                self._track_variable(keras.Variable(values, trainable=values.requires_grad))
            for values in module.buffers(recurse=False):
                self._track_variable(_as_variable(values))
        self.built = True

    def save_own_variables(self, store: Any) -> None:
        """Nothing: the layer of the module does."""

    def load_own_variables(self, store: Any) -> None:
        """Nothing: the layer of the module does."""


def _as_variable(values: "torch.Tensor") -> keras.Variable:
    """Return a variable that shares the memory of a buffer, so that what training changes is restored and copied."""
    variable = keras.Variable(values, trainable=False, dtype=keras.backend.standardize_dtype(values.dtype))
    values.data = variable.value.data
    return variable


def check_torch_modules(network: keras.Model) -> None:
    """Refuse plain TorchModuleWrapper layers: they could be trained and saved, and never be loaded."""
    for layer in all_layers(network):
        if isinstance(layer, keras.layers.TorchModuleWrapper) and not isinstance(layer, TorchModule):
            raise SettingsError(
                f"layer '{layer.name}' is a keras.layers.TorchModuleWrapper, which Keras saves with pickle, so its model "
                "could not be loaded again. Derive it from xval.TorchModule, which is rebuilt by its code"
            )
