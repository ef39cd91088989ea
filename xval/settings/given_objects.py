"""Turn objects, functions and classes that a script passes as settings into the text that settings hold.

``optimizer=keras.optimizers.Adam(1e-3)``, ``callbacks=[EarlyStopping(patience=5)]`` and ``architecture=my_nets.build`` become
names, numbers and texts, which settings.json holds and every process reads. Functions and classes are named by their dotted
paths; objects of Keras by the settings with the same effect, or by `keras.saving.serialize_keras_object`. What has no name
raises an error that shows what to write.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from types import ModuleType
from typing import Any

import numpy as np

from xval.base import keras_objects
from xval.base.errors import SettingsError, suggestion
from xval.base.keras_names import OPTIMIZERS, SCHEDULES, match
from xval.base.synonyms import estimator_name
from xval.base.user_code import definitions
from xval.measures.task import all_tasks
from xval.settings.classical import CLASSICAL
from xval.settings.described_objects import describe_object
from xval.settings.part_arguments import join_arguments, setting_of

_LISTS = ("metrics", "callbacks")
_PARTS = ("architecture", "loss", "optimizer", "schedule", "fold_strategy", *_LISTS)
_OF_OPTIMIZER = {"momentum": "momentum", "weight_decay": "weight_decay", "global_clipnorm": "clip_norm"}
_USUAL_REDUCTIONS = ("sum_over_batch_size", "mean", "auto", None)

_IN_PLACE_OF = {
    "ModelCheckpoint": "remove it, because the model of each fold's best epoch is saved anyway, as 'monitor' chooses it",
    "BackupAndRestore": "remove it, because a stopped run continues from its checkpoints (checkpoint_minutes)",
    "TerminateOnNaN": "remove it, because a NaN loss ends the training anyway, and the best epoch before is kept",
    "CSVLogger": "remove it, because each fold has its history.csv",
    "History": "remove it, because each fold has its history.csv",
    "ProgbarLogger": "remove it, because the run shows its progress",
    "TensorBoard": "write tensorboard=True",
    "ReduceLROnPlateau": "write schedule='plateau', schedule_decay={factor:g}, schedule_patience={patience}",
    "LearningRateScheduler": "write schedule='my_parts.my_schedule', a function of the epoch and the rate of the settings",
    "SwapEMAWeights": "write weight_average=0.99",
}
"""What to write instead of callbacks of Keras that xval replaces."""


@dataclass(frozen=True)
class _Said:
    """The settings that an object of a script stands for.

    Attributes:
        values: By the name of the setting.
        usual: Those that are only defaults of its class, so that other parameters override them.
    """

    values: dict[str, object]
    usual: dict[str, object] = field(default_factory=dict)


def plain_parameters(parameters: Mapping[str, object], *, set_before: Collection[str] = ()) -> dict[str, object]:
    """Return parameters with text instead of objects, functions, classes and paths; others stay the same.

    An object may stand for several settings, such as an optimizer for its learning rate. Those that are only defaults of its
    class are overridden by parameters of the same layer, and by those that a script has set in a layer below.

    Args:
        parameters: Of an experiment, of an instance, or of the command line.
        set_before: Names of the parameters that a script has set in a layer below.

    Raises:
        SettingsError: Other processes cannot find an object by a name, or the object contradicts a parameter of the same
            layer; a line for each.
    """
    plain: dict[str, object] = {}
    further: dict[str, object] = {}
    faults = []
    for name, value in parameters.items():
        try:
            said = _say(name, value)
            _refuse_other_values(said.values, {**parameters, name: value, **further}, name)
        except SettingsError as error:
            faults.append(f"{name}: {error}")
            continue
        plain[name] = said.values[name]
        further |= {setting: text for setting, text in said.values.items() if setting != name}
        further |= {setting: text for setting, text in said.usual.items() if setting not in (*parameters, *set_before)}
    if faults:
        raise SettingsError("\n".join(faults))
    return plain | further


def _refuse_other_values(values: Mapping[str, object], given: Mapping[str, object], name: str) -> None:
    """Raise an error if an object contradicts a parameter that is passed with it."""
    for setting, value in values.items():
        if setting != name and setting in given and str(given[setting]) != str(value):
            raise SettingsError(f"it has {setting}={value!r}, but {setting}={given[setting]!r} is given too. Keep one of them.")


def _say(name: str, value: object) -> _Said:
    """Return the settings that the value of a parameter stands for; the parameter is always one of them."""
    if isinstance(value, PurePath):
        return _Said({name: str(value)})
    members = value if isinstance(value, list | tuple) else [value]
    if name in _LISTS and any(_is_thing(member) for member in members):
        return _say_list(name, members)
    if name not in _PARTS or not _is_thing(value):
        return _Said({name: value})
    if isinstance(value, ModuleType):
        return _Said({name: f"{value.__name__}.build" if name == "architecture" else value.__name__})
    if name == "optimizer" and keras_objects.is_keras_type(type(value)):
        return _say_optimizer(value)
    if name == "loss" and keras_objects.is_keras_type(type(value)):
        return _say_loss(value)
    return _Said({name: _name_of(name, value)})


def _say_list(name: str, values: list[object] | tuple[object, ...]) -> _Said:
    """Return the settings that the members of a list stand for: their names, joined by commas, and others."""
    texts: list[str] = []
    said, usual = dict[str, object](), dict[str, object]()
    for value in values:
        kind = value if isinstance(value, type) else type(value)
        if not _is_thing(value):
            texts.append(str(value))
        elif name == "callbacks" and keras_objects.is_of_keras(kind.__module__):
            stopping = _say_callback(value, kind.__name__)
            said, usual = said | stopping.values, usual | stopping.usual
        elif name == "metrics" and keras_objects.is_keras_type(kind):
            texts.append(_metric_text(value() if isinstance(value, type) else value))
        else:
            texts.append(_name_of(name, value))
    return _Said({name: ", ".join(texts) or None, **said}, usual)


def _say_optimizer(optimizer: Any) -> _Said:
    """Return an optimizer by its name, its learning rate and its further arguments."""
    described = describe_object("optimizer", optimizer)
    options = dict(described.options)
    options.pop("name", None)
    schedule = optimizer.get_config()["learning_rate"]
    if isinstance(schedule, Mapping):
        raise SettingsError(_describe_schedule(str(schedule["class_name"]), schedule["config"]))
    is_usual = "learning_rate" not in options
    options.pop("learning_rate", None)
    rate = {"learning_rate": float(str(np.float32(schedule)))}  # 0.001, of which a variable has made 0.0010000000475
    name = described.own_path or match(described.class_name, OPTIMIZERS) or described.class_name
    values: dict[str, object] = {"optimizer": name}
    usual: dict[str, object] = dict.fromkeys((*_OF_OPTIMIZER.values(), "weight_average", setting_of("optimizer")))
    for argument, setting in _OF_OPTIMIZER.items():
        if argument in options:
            values[setting] = options.pop(argument)
    if options.pop("use_ema", False):
        values["weight_average"] = optimizer.ema_momentum
        options.pop("ema_momentum", None)
    if options:
        values[setting_of("optimizer")] = join_arguments("optimizer", None, options)
    usual = {setting: value for setting, value in usual.items() if setting not in values}
    return _Said(values, usual | rate) if is_usual else _Said(values | rate, usual)


def _say_loss(loss: Any) -> _Said:
    """Return a loss by its name, and by its options where it has some."""
    described = describe_object("loss", loss)
    options = {name: value for name, value in described.options.items() if name != "name"}
    known = keras_objects.snake_case(described.class_name)
    if options.pop("from_logits", False):
        raise SettingsError(
            "from_logits=True: the loss gets probabilities, because xval adds softmax or sigmoid after the linear last layer "
            f"of a network. Write loss='{known}'."
        )
    reduction = options.pop("reduction", None)
    if reduction not in _USUAL_REDUCTIONS:
        raise SettingsError(f"reduction={reduction!r}: a loss is averaged over examples. Remove it.")
    said: dict[str, object] = {}
    if described.class_name == "CategoricalCrossentropy" and "label_smoothing" in options:
        said["label_smoothing"] = options.pop("label_smoothing")
    if not options and not described.own_path:
        return _Said({"loss": known, **said})
    return _Said({"loss": keras_objects.KerasObject(described.module, described.class_name, options).to_text(), **said})


def _metric_text(metric: Any) -> str:
    """Return a metric of Keras by its name, and by its options where it has some."""
    described = describe_object("metrics", metric)
    if described.own_path:
        named = keras_objects.snake_case(described.class_name)
        raise SettingsError(
            "your own metric must be a function of all targets and predictions. Write it under @metric(higher_is_better=...) "
            f"(from xval import metric) into a file next to your script, and set metrics='my_parts.{named}'."
        )
    is_named = any(match(described.class_name, task.keras_metrics) for task in all_tasks().values())
    return keras_objects.snake_case(described.class_name) if is_named and not described.options else described.to_text()


def _say_callback(callback: Any, class_name: str) -> _Said:
    """Return the settings with the same effect as a callback of Keras."""
    if class_name == "EarlyStopping":
        return _say_early_stopping(callback() if isinstance(callback, type) else callback)
    instead = _IN_PLACE_OF.get(class_name)
    if instead is None:
        raise SettingsError(
            f"{class_name}: a new callback is needed for each fold. Write a function without arguments that returns it into "
            "a file next to your script, and set callbacks='my_parts.make_callback'."
        )
    numbers = {"factor": getattr(callback, "factor", 0.1), "patience": getattr(callback, "patience", 10)}
    raise SettingsError(f"{class_name}: {instead.format(**numbers) if class_name == 'ReduceLROnPlateau' else instead}.")


def _say_early_stopping(stopping: Any) -> _Said:
    """Return the settings with the same effect as EarlyStopping."""
    without = {"baseline": (stopping.baseline, None), "mode": (stopping.mode, "auto")}
    for argument, (value, usual) in without.items():
        if value != usual:
            raise SettingsError(
                f"EarlyStopping with {argument}={value!r}: there is no such setting. Remove it; the direction of the "
                "monitored metric is known."
            )
    said: dict[str, object] = {"early_stopping": True, "patience": max(1, int(stopping.patience))}
    by_default = {"monitor": stopping.monitor, "restore_best_weights": bool(stopping.restore_best_weights)}
    counted = {"min_delta": abs(float(stopping.min_delta)), "start_from_epoch": int(stopping.start_from_epoch)}
    said |= {setting: value for setting, value in counted.items() if value}
    return _Said(said, by_default | {setting: value for setting, value in counted.items() if not value})


def _describe_schedule(class_name: str, config: Mapping[str, Any]) -> str:
    start = config.get("initial_learning_rate", config.get("learning_rate"))
    known = SCHEDULES.get(class_name)
    written = f"schedule='{known}'" if known else f"a schedule; available: {', '.join(dict.fromkeys(SCHEDULES.values()))}"
    rate = f" with learning_rate={start:g}" if isinstance(start, int | float) else ""
    return f"its learning rate is {class_name}, which counts steps. Write {written}{rate}, which counts epochs."


def _is_thing(value: object) -> bool:
    """Return whether a value is an object, a function, a class or a module, not a plain value."""
    plain = (str, bytes, bool, int, float, list, tuple, set, range, dict, type(None))
    return not isinstance(value, plain) and (callable(value) or isinstance(value, ModuleType) or _is_object(value))


def _is_object(value: object) -> bool:
    return type(value).__module__.partition(".")[0] not in ("builtins", "numpy", "pandas", "xval")


def _name_of(setting: str, value: Any) -> str:
    """Return the name of a function, a class or an estimator of scikit-learn."""
    kind = value if isinstance(value, type) else type(value)
    package = str(getattr(value, "__module__", kind.__module__)).partition(".")[0]
    class_name = str(getattr(value, "__name__", kind.__name__))
    is_object = not hasattr(value, "__qualname__")
    if package == "sklearn":
        return _name_of_sklearn(setting, class_name, is_object=is_object)
    if keras_objects.is_of_keras(package) and not is_object and setting != "architecture":
        if setting == "schedule":
            raise SettingsError(_describe_schedule(class_name, {}))
        return match(class_name, OPTIMIZERS) or keras_objects.snake_case(class_name)
    if setting == "schedule" and keras_objects.is_keras_type(kind):
        raise SettingsError(_describe_schedule(class_name, value.get_config()))
    if is_object:
        raise SettingsError(_describe_object(setting, kind))
    return definitions.path_of(value, setting)


def _name_of_sklearn(setting: str, class_name: str, *, is_object: bool) -> str:
    if setting == "metrics" and not is_object:
        return f"sklearn:{class_name}"
    if setting == "metrics":
        raise SettingsError(
            "an object has no name. Give the name of a metric or a scorer, such as metrics='sklearn:f1_weighted'."
        )
    if setting == "architecture":
        estimator = estimator_name(class_name)
        if estimator is None:
            raise SettingsError(f"{class_name} is not a supported estimator. {suggestion(class_name, CLASSICAL)}")
        if is_object:
            raise SettingsError(f"write architecture='{estimator}'; its options are separate settings (docs/baselines.md).")
        return estimator
    if setting == "fold_strategy" and not is_object:
        return f"sklearn.model_selection.{class_name}"
    raise SettingsError(
        f"an object {class_name} has no name. Write it into a file next to your script, such as my_parts.py: mine = "
        f"{class_name}(...), and set {setting}='my_parts.mine'."
    )


def _describe_object(setting: str, kind: type) -> str:
    if setting == "architecture":
        return (
            f"received a {kind.__name__}, but a new network is built for each fold. Write a function build(input_shape, "
            "output_shape) that returns it into a file next to your script, and set architecture='my_parts.build'."
        )
    if setting == "callbacks":
        return (
            f"received an object {kind.__name__}, but a new one is made for each fold. Give its class, "
            f"callbacks='{definitions.path_of(kind, setting)}', or a function without arguments that makes one."
        )
    return (
        f"an object {kind.__name__} has no name that other processes can import. Write a function or a class into a file "
        f"next to your script, such as my_parts.py, and set {setting}='my_parts.NAME'."
    )
