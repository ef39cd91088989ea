"""`TorchModule`: a torch module as a Keras layer that is saved as arrays and rebuilt by its class, never by pickle.

A user's architecture subclasses it, registers the subclass with Keras, and defines how the module is made.

`keras.layers.TorchModuleWrapper` saves its module with pickle, which can run any code when it is read; xval does not load such
a model.
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
    The module takes one float32 tensor (n_examples, ...) and returns one. The module of a frozen layer stays in evaluation mode
    during training: its statistics do not change, and dropout is off. If ``split_module`` of a subclass returns parts, the
    layer consists of several blocks, each of which can be frozen and can have its own learning rate.

    Args:
        name: Name of the layer.
        trainable: Whether the layer is trained; False: frozen.
        dtype: Dtype of the layer; float32 by default, also if the other layers have another precision.
        output_shape: Shape of the output for one example, as saved with a model; None: found by a call of the module.
        **options: Options of `make_module`, values that JSON can hold; they are saved with the model.

    Raises:
        SettingsError: The backend is not torch.
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
                f"layer '{type(self).__name__}' is a torch module, which needs backend=torch, but this process has loaded "
                f"{keras.backend.backend()}. Set backend=torch."
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
        """Return a new module with initial weights."""
        raise NotImplementedError(f"{type(self).__name__} has no make_module()")

    def split_module(self, module: "torch.nn.Module") -> Sequence[Sequence["torch.nn.Module"]]:  # noqa: ARG002 - for subclasses
        """Return the blocks of the module from input to output, each as a list of modules; empty: the module is one block.

        Modules that are in no block are a separate block, the second one.
        """
        return ()

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Return the output of the module."""
        self.set_training(is_training=bool(training))
        return self.module(inputs)

    def set_training(self, *, is_training: bool) -> None:
        """Set training or evaluation mode of the module; frozen parts stay in evaluation mode."""
        self.module.train(is_training and self.trainable)
        for block in self.blocks:
            if not block.trainable:
                for module in block.parts:
                    module.training = False

    def compute_output_spec(self, inputs: Any, training: bool | None = None) -> keras.KerasTensor:  # noqa: ARG002 - as Keras calls it
        """Return shape and dtype of the output, in which only the number of examples is unknown.

        Raises:
            SettingsError: An axis of the input other than the first has no fixed size.
        """
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
        """Return the configuration of the layer, with its output shape and the options of `make_module`."""
        layer_config: dict[str, Any] = super(keras.layers.TorchModuleWrapper, self).get_config()
        return layer_config | {"output_shape": self.output_shape} | dict(self._options)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "TorchModule":
        """Rebuild the layer from its configuration, by the code of its class."""
        return cls(**config)

    def _track_module_parameters(self) -> None:
        """Create the variables: those of the layer, or those of its blocks."""
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
    """The variables of some modules of a `TorchModule`, which saves them; the block is never called.

    Args:
        parts: The modules of the block. Modules within them have to be listed too.
        name: Name of the block.

    Attributes:
        is_convolution: Whether it has convolutions and no dense layer.
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
        """Save nothing: the `TorchModule` saves the variables."""

    def load_own_variables(self, store: Any) -> None:
        """Load nothing: the `TorchModule` loads the variables."""


def _as_variable(values: "torch.Tensor") -> keras.Variable:
    """Return a variable that shares the memory of a buffer, so that its changes in training are saved and restored."""
    variable = keras.Variable(values, trainable=False, dtype=keras.backend.standardize_dtype(values.dtype))
    values.data = variable.value.data
    return variable


def check_torch_modules(network: keras.Model) -> None:
    """Raise SettingsError if a network has a plain TorchModuleWrapper layer: it could be saved, but never be loaded again."""
    for layer in all_layers(network):
        if isinstance(layer, keras.layers.TorchModuleWrapper) and not isinstance(layer, TorchModule):
            raise SettingsError(
                f"layer '{layer.name}' is a keras.layers.TorchModuleWrapper, which Keras saves with pickle, so its model "
                "could not be loaded again. Derive it from xval.TorchModule, which is rebuilt by its code"
            )
