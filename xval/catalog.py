"""Names to parts: architectures, optimizers, losses and monitors, without loading Keras.

Comes in: a name from the settings. Goes out: what is known of it, or an error with suggestions. Architectures are read from
their source files with `ast`, so that checking an experiment does not load Keras.
Next: settings.py checks with it, model.py and training.py build with it.
"""

import ast
import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, cast

from pydantic import ConfigDict, TypeAdapter

from xval import metrics
from xval.errors import SettingsError, suggestion

ROOT = Path(__file__).resolve().parents[1]
ReshapingType = Literal["conv", "rnn", "none"]
_FRAME_AXES = 2

OPTIMIZERS = (
    "adadelta", "adafactor", "adagrad", "adam", "adamax", "adamw", "ftrl", "lion", "nadam", "rmsprop", "sgd",
)  # fmt: skip

# For each task the losses that fit it and the form of the targets that they want; the first is `auto`.
LOSSES: dict[str, dict[str, Literal["class", "one_hot", "number", "input", "frames"]]] = {
    "classification": {
        "sparse_categorical_crossentropy": "class",
        "categorical_crossentropy": "one_hot",
        "categorical_focal_crossentropy": "one_hot",
        "categorical_hinge": "one_hot",
        "kl_divergence": "one_hot",
    },
    "regression": {
        "mean_squared_error": "number",
        "mean_absolute_error": "number",
        "huber": "number",
        "log_cosh": "number",
    },
    "representation": {
        "mean_squared_error": "input",
        "mean_absolute_error": "input",
        "huber": "input",
        "log_cosh": "input",
    },
    "frame_classification": {"sparse_categorical_crossentropy": "frames"},
    "frame_classification, multi_label": {"binary_crossentropy": "frames", "binary_focal_crossentropy": "frames"},
}
# The metric that Keras follows in training besides the loss.
TRAINING_METRIC = {
    "classification": "accuracy", "regression": "mae", "representation": "mse", "frame_classification": "accuracy",
}  # fmt: skip
# What an architecture does that does not say so.
_USUAL_TASKS = ("classification", "regression")

_SCALAR_TYPES: dict[str, Any] = {
    "int": int,
    "float": float,
    "bool": bool,
    "str": str,
    "tuple[int, ...]": tuple[int, ...],
    "tuple[float, ...]": tuple[float, ...],
    "tuple[str, ...]": tuple[str, ...],
}


@dataclass(frozen=True)
class Option:
    """One keyword-only option of an architecture.

    Attributes:
        name: Its name.
        annotation: Its type as written in the source.
        default: Its default value.
    """

    name: str
    annotation: str
    default: object

    def check(self, value: object) -> object:
        """Return `value` as the type of the option; numbers and lists may come as text.

        Raises:
            pydantic.ValidationError: The value does not fit.
            SettingsError: A truth value where a number is wanted.
        """
        wanted = _type_of(self.annotation)
        if isinstance(value, bool) and wanted is not bool:
            raise SettingsError(f"received {value}; {self.annotation} is wanted.")
        if isinstance(value, str) and self.annotation.startswith("tuple"):
            value = [part.strip() for part in value.strip("()[] ").split(",") if part.strip()]
        strict_text = wanted is str and not isinstance(value, str)
        if strict_text:
            raise SettingsError(f"received {value!r}; text is wanted.")
        return TypeAdapter(wanted, config=ConfigDict(allow_inf_nan=False)).validate_python(value)


@dataclass(frozen=True)
class Architecture:
    """What a file of architectures/ declares.

    Attributes:
        name: The file name without its ending.
        options: Keyword-only options of its `build`.
        reshaping_type: The form of input that it wants.
        task_types: The tasks that it can do.
    """

    name: str
    options: dict[str, Option]
    reshaping_type: ReshapingType
    task_types: tuple[str, ...]


COMBINATION = "feature_combination"
"""Trains no network: see xval/combination/__init__.py for what it does and what its options mean."""

_COMBINATION = Architecture(
    name=COMBINATION,
    options={
        "models": Option("models", "tuple[str, ...]", ()),
        "layers_dropped": Option("layers_dropped", "int", 1),
        "basic_features": Option("basic_features", "bool", True),
        "classifier": Option("classifier", "Literal['svm', 'random_forest', 'logistic_regression']", "svm"),
        "pca_components": Option("pca_components", "int", 100),
    },
    reshaping_type="none",
    task_types=("classification",),
)


def architecture_names() -> tuple[str, ...]:
    """Return the names of all architectures, the files of architectures/."""
    return tuple(sorted(path.stem for path in (ROOT / "architectures").glob("*.py") if not path.stem.startswith("_")))


@cache
def find_architecture(name: str) -> Architecture:
    """Return what the file of an architecture declares; `COMBINATION` has no such file.

    Raises:
        SettingsError: There is no such architecture, or its file does not declare a proper `build`.
    """
    if name == COMBINATION:
        return _COMBINATION
    if name not in architecture_names():
        raise SettingsError(f"unknown architecture '{name}'. {suggestion(name, [*architecture_names(), COMBINATION])}")
    path = ROOT / "architectures" / f"{name}.py"
    tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    build = next((node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "build"), None)
    if build is None:
        raise SettingsError(f"{path}: no function build(input_shape, output_shape, *, ...) is defined.")
    constants = _constants(tree)
    try:
        options = {
            argument.arg: Option(argument.arg, _annotation(argument), _literal(default))
            for argument, default in zip(build.args.kwonlyargs, build.args.kw_defaults, strict=True)
        }
    except ValueError as error:
        raise SettingsError(f"{path}: options of build() need a type and a literal default ({error}).") from error
    return Architecture(
        name=name,
        options=options,
        reshaping_type=cast("ReshapingType", constants.get("reshaping_type", "none")),
        task_types=tuple(cast("Iterable[str]", constants.get("task_types", _USUAL_TASKS))),
    )


def monitors(task_type: str) -> tuple[str, ...]:
    """Return what can choose the best epoch of a task: the loss, the training metric and every validation metric."""
    followed = TRAINING_METRIC[task_type]
    if task_type == "representation":  # its metrics need the features besides
        return ("val_loss", "loss", followed, f"val_{followed}")
    return ("val_loss", "loss", followed, *(f"val_{name}" for name in metrics.metric_names(task_type)))


def loss_name(task_type: str, name: str, label_form: str = "multi_class") -> str:
    """Return the Keras name of a loss, with `auto` resolved.

    Args:
        task_type: The task.
        name: A Keras name, or `auto`.
        label_form: Of frame classification.

    Raises:
        SettingsError: The loss does not fit the task.
    """
    is_multi_label = task_type == "frame_classification" and label_form == "multi_label"
    fitting = LOSSES["frame_classification, multi_label" if is_multi_label else task_type]
    if name == "auto":
        return next(iter(fitting))
    if name not in fitting:
        raise SettingsError(f"unknown loss '{name}' for {task_type}. {suggestion(name, ['auto', *fitting])}")
    return name


def input_form(example_shape: tuple[int | None, ...], reshaping_type: str, architecture: str) -> tuple[int | None, ...]:
    """Return the shape of an example as the architecture gets it.

    Args:
        example_shape: As stored: (n_frames, n_bins), or whatever a custom script wrote; None: frames of any number.
        reshaping_type: conv, rnn, none, or auto for what the architecture wants.
        architecture: Its name.

    Returns:
        conv: (n_frames, n_bins, channels); rnn: (n_frames, n_features); none: as stored.

    Raises:
        SettingsError: The stored shape cannot be given this form.
    """
    form = find_architecture(architecture).reshaping_type if reshaping_type == "auto" else reshaping_type
    if form == "none":
        return example_shape
    if form == "conv" and len(example_shape) == _FRAME_AXES:
        return (*example_shape, 1)
    if form == "conv" and len(example_shape) == _FRAME_AXES + 1:
        return example_shape
    if form == "rnn" and len(example_shape) >= _FRAME_AXES:
        return (example_shape[0], math.prod(size or 1 for size in example_shape[1:]))
    raise SettingsError(
        f"architecture '{architecture}' with reshaping_type={form} needs examples of (frames, bins); the feature store has "
        f"{example_shape}. Choose reshaping_type=none or an architecture for such input (mlp)."
    )


def _type_of(annotation: str) -> Any:
    if annotation in _SCALAR_TYPES:
        return _SCALAR_TYPES[annotation]
    if annotation.startswith("Literal["):
        values = ast.literal_eval(f"({annotation[len('Literal[') : -1]},)")
        return Literal[values]
    raise ValueError(f"type {annotation}; allowed: {', '.join(_SCALAR_TYPES)}, Literal[...]")


def _annotation(argument: ast.arg) -> str:
    annotation = "" if argument.annotation is None else ast.unparse(argument.annotation)
    _type_of(annotation)
    return annotation


def _literal(default: ast.expr | None) -> object:
    if default is None:
        raise ValueError("an option without a default")
    return ast.literal_eval(default)


def _constants(tree: ast.Module) -> dict[str, object]:
    """Return the literal values that a module assigns at its top level."""
    found: dict[str, object] = {}
    for node in tree.body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        value = getattr(node, "value", None)
        if isinstance(target, ast.Name) and isinstance(value, ast.Constant | ast.Tuple | ast.List):
            found[target.id] = ast.literal_eval(value)
    return found
