"""Check the form of a user's network: one input, one output, batches of any size, and no training of its own.

A network becomes a part of a larger model, which is trained. Parts that Keras would only use if the network itself were trained
raise an error with advice, or are named.
"""

from collections.abc import Iterator

import keras

from xval.backend.keras_internals import all_layers
from xval.base.errors import SettingsError, counted

_UNUSED = {
    "train_step": "Write its loss as a function (loss = my_parts.loss) or with add_loss() in a layer",
    "test_step": "Write its loss as a function (loss = my_parts.loss) or with add_loss() in a layer",
    "compute_loss": "Write it as a function (loss = my_parts.loss) or with add_loss() in a layer",
    "compute_metrics": "Write the metrics as functions (metrics = my_metrics.name)",
    "predict_step": "Move it into call()",
    "fit": "Write it as a callback (callbacks = my_parts.Name)",
    "evaluate": "Write the metrics as functions (metrics = my_metrics.name)",
    "predict": "Move it into call()",
    "make_train_function": "Write its loss as a function (loss = my_parts.loss) or with add_loss() in a layer",
}
"""The methods of a keras.Model that only its own training calls, with replacements."""


def check_form(network: keras.Model) -> None:
    """Raise an error for a network with its own training, or with a fixed batch size.

    Raises:
        SettingsError: It has a method that would never be called, several inputs or outputs, a fixed batch size, or a layer
            with a state between batches.
    """
    for name, instead in _UNUSED.items():
        if owner := _definer(type(network), name):
            raise SettingsError(
                f"its network is of the class {owner.__name__} with its own {name}(), which would never be called, because "
                f"xval trains the network as a part of a larger model. {instead}, and remove {name}() from the class"
            )
    for what, tensors in (("inputs", _tensors(network, "inputs")), ("outputs", _tensors(network, "outputs"))):
        if len(tensors) > 1:
            listed = ", ".join(f"{tensor.name} {tuple(tensor.shape)[1:]}" for tensor in tensors)
            raise SettingsError(f"its network has {len(tensors)} {what} ({listed}); expected 1. {_SEVERAL[what]}")
    for tensor in _tensors(network, "inputs"):
        if tensor.shape[0] is not None:
            raise SettingsError(
                f"its network takes batches of exactly {counted(tensor.shape[0], 'example')} (batch_size or batch_shape of "
                "its Input), but batches may have any size, and the last one of an epoch is smaller. Write "
                "keras.Input(input_shape)"
            )
    for layer in all_layers(network):
        if isinstance(layer, keras.layers.RNN) and layer.stateful:
            raise SettingsError(
                f"its layer '{layer.name}' has stateful=True, so its state would pass from the clips of one batch to those "
                "of the next, perhaps of other speakers. Remove stateful"
            )


_SEVERAL = {
    "inputs": "Split the input within the network, for example with keras.ops.split",
    "outputs": "Join them with keras.layers.Concatenate, or return only the one that is predicted",
}


def describe_unused(network: keras.Model) -> Iterator[str]:
    """Yield a line for each training setting of a network that is not used."""
    if getattr(network, "compiled", False):
        made = getattr(network, "optimizer", None)
        rate = "" if made is None else f" ({type(made).__name__}, learning rate {_rate(made)})"
        yield f"compile() in its build() is not used{rate}: optimizer, loss and learning_rate are settings of the instance"


def check_answers(answers: object, wanted: tuple[int | None, ...]) -> None:
    """Raise an error if the output of a network, a symbolic tensor, does not have the required shape.

    Args:
        answers: The output of the network for the symbolic input.
        wanted: The required shape for an example; None: any size.
    """
    if not isinstance(answers, keras.KerasTensor):
        named = f" ({', '.join(map(str, answers))})" if isinstance(answers, dict) else ""
        size = f" of {len(answers)}" if isinstance(answers, list | tuple | dict) else ""
        raise SettingsError(
            f"its network outputs a {type(answers).__name__}{size}{named}; expected one tensor. {_SEVERAL['outputs']}"
        )
    received = tuple(answers.shape)[1:]
    if len(received) != len(wanted) or any(
        None not in sizes and sizes[0] != sizes[1] for sizes in zip(received, wanted, strict=True)
    ):
        raise SettingsError(
            f"its model outputs the shape {received} for an example; expected output_shape {wanted}. Pool or flatten before "
            "the last layer, and give that layer output_shape[-1] units"
        )


def _definer(kind: type, name: str) -> type | None:
    """Return the user's class that defines a method; None: Keras defines it."""
    owner = next((each for each in kind.__mro__ if name in vars(each)), None)
    return None if owner is None or owner.__module__.partition(".")[0] == "keras" else owner


def _tensors(network: keras.Model, name: str) -> list[keras.KerasTensor]:
    """Return the symbolic inputs or outputs of a network; empty if it is built at its first call."""
    try:
        return list(getattr(network, name) or [])
    except (AttributeError, ValueError):
        return []


def _rate(optimizer: keras.optimizers.Optimizer) -> str:
    try:
        return f"{float(optimizer.learning_rate):g}"
    except (TypeError, ValueError):
        return "by a schedule"
