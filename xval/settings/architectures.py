"""Find architectures and executors by their names, without loading Keras.

Architectures are read from their source files with `ast`, so that an experiment can be checked without loading Keras.
"""

import ast
import math
from collections.abc import Collection, Iterable
from contextlib import suppress
from copy import copy
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, cast, get_args

from preprocessing.features.feature_settings import FeatureSettings
from xval.base.config_file import ROOT
from xval.base.errors import SettingsError, suggestion
from xval.base.keras_backends import BACKENDS
from xval.base.literals import parse_module, read_literal, source_of
from xval.base.synonyms import estimator_name
from xval.base.user_code import definitions
from xval.base.user_code.cells import ARCHITECTURE_CONSTANTS
from xval.base.user_code.modules import architecture_folders, cached_by_place
from xval.base.user_code.shipped_architectures import HASHES
from xval.measures.task import all_tasks
from xval.settings.classical import CLASSICAL
from xval.settings.options import Architecture, Option, ReshapingType, type_name, type_of

_FRAME_AXES = 2

COMBINATION = "feature_combination"
"""The architecture without a network that xval/training/combination/__init__.py explains."""
ENSEMBLE = "ensemble"
"""The architecture of the instances that ``xval ensemble`` makes; no script declares it."""

# What an architecture does that does not say so.
_USUAL_TASKS = tuple(name for name, task in all_tasks().items() if task.target == "clip")

# What variables of an architecture's file may be, and which of them may have several values.
_ALLOWED: dict[str, tuple[str, ...]] = {
    "reshaping_type": get_args(ReshapingType),
    "task_types": tuple(all_tasks()),
    "backends": BACKENDS,
}
_LISTS = ("task_types", "backends")

LEARNERS = ROOT / "xval" / "engine" / "learners"


@cache
def learner_architectures() -> dict[str, dict[str, Architecture]]:
    """Return the architectures that files of xval/engine/learners/ declare, by the name of the file.

    Such a file assigns a literal ARCHITECTURES: by name the ``task_types``, and ``options`` with their types and defaults.
    """
    found: dict[str, dict[str, Architecture]] = {}
    for path in sorted(LEARNERS.glob("[a-z]*.py")):
        if b"\nARCHITECTURES" not in path.read_bytes():  # parsing takes milliseconds
            continue
        declared = _constants(parse_module(path), ("ARCHITECTURES",), path)["ARCHITECTURES"]
        found[path.stem] = {
            name: Architecture(
                name=name,
                options={key: Option(key, *option) for key, option in content["options"].items()},
                reshaping_type="none",
                task_types=tuple(content["task_types"]),
                build_path="",
                file=path.relative_to(ROOT).as_posix(),
            )
            for name, content in cast("dict[str, Any]", declared).items()
        }
    return found


@cache
def _without_network() -> dict[str, Architecture]:
    """Return the architectures that train no network."""
    return {name: one for declared in learner_architectures().values() for name, one in declared.items()} | dict(CLASSICAL)


def find_learner_name(architecture: str) -> str:
    """Return the file of xval/engine/learners/ that fits an architecture: the one that declares it, else as its kind says."""
    files = (file for file, declared in learner_architectures().items() if architecture in declared)
    return next(files, "network" if trains_network(architecture) else "estimator")


def trains_network(name: str) -> bool:
    """Return whether an architecture is a network; other names stand for estimators of scikit-learn."""
    return name not in _without_network()


def may_load_weights(name: str) -> bool:
    """Return whether the build() of an architecture may take weights from elsewhere: all but those that come with xval.

    A further file of architectures/ that is not among those is looked at as one of the user's own.
    """
    return name not in HASHES and name != ENSEMBLE and trains_network(name)


def architecture_names() -> tuple[str, ...]:
    """Return the names of the files of architectures/, of the project and of the user's study; some may be no networks."""
    built_in, own = {path.stem for path in _files(ROOT / "architectures")}, own_architectures()
    if twice := sorted(path for path in own if path.stem in built_in or path.stem in _without_network()):
        raise SettingsError(f"{twice[0]}: an architecture of the project has this name. Rename the file.")
    return tuple(sorted(built_in | {path.stem for path in own}))


def own_architectures() -> list[Path]:
    """Return the files of the architectures of the user's study, and of the study that results come from."""
    files = [path for folder in reversed(architecture_folders()) for path in _files(folder)]
    return [*{path.name: path for path in files}.values()]


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.glob("*.py") if not path.stem.startswith("_")]


def known_name(name: object) -> object:
    """Return the name of an estimator, also for its name in scikit-learn (``svm`` for ``SVC``); any other value as it is."""
    meant = estimator_name(name) if isinstance(name, str) else None
    return name if meant is None or name in architecture_names() else meant


def doing(task_type: str) -> tuple[str, ...]:
    """Return the names of the architectures that support a task."""
    return tuple(name for name, architecture in _usable().items() if task_type in architecture.task_types)


def _usable() -> dict[str, Architecture]:
    """Return all architectures by name, without files that are none: helpers, and what is not finished."""
    found = {}
    for name in (*architecture_names(), *_without_network()):
        with suppress(SettingsError):  # the error of an instance that names it
            found[name] = find_architecture(name)
    return found


@cache
def executor_names() -> tuple[str, ...]:
    """Return the names of all executors, the files of xval/engine/executors/, and `auto`, which chooses one."""
    files = (ROOT / "xval" / "engine" / "executors").glob("[a-z]*.py")
    return ("auto", *sorted(path.stem for path in files))


@cached_by_place
def find_architecture(name: str) -> Architecture:
    """Return what the file of an architecture declares; estimators and ensembles, which train no network, have no file.

    Args:
        name: A file of architectures/, or the dotted path of a module with `build`, or of a function or class in its place.

    Raises:
        SettingsError: There is no such architecture, or its file does not declare a proper `build`.
    """
    if not trains_network(name):
        return _without_network()[name]
    if definitions.is_dotted(name):
        definition = definitions.find_definition(f"{name}.build" if definitions.has_module(name) else name)
    elif name in architecture_names():
        definition = definitions.find_definition(f"architectures.{name}.build")
    else:
        known = suggestion(name, _usable())
        raise SettingsError(f"unknown architecture '{name}'. {known} {definitions.HOW_TO_NAME}")
    path, build = definition.module.file, _function_of(definition.node)
    if build is None:
        raise SettingsError(
            f"{path}: no function build(input_shape, output_shape, *, ...) is defined, and no class whose __init__ takes these."
        )
    replace(definition, node=build).check_signature(2, "build(input_shape, output_shape, *, option=default)")
    declared = _declared(definition.module)
    task_types = cast("tuple[str, ...]", declared.get("task_types", _USUAL_TASKS))
    # Only the activation differs, which is not its own.
    alike = [name for name, task in all_tasks().items() if task.built_like in task_types and name not in task_types]
    task_types = (*task_types, *alike)
    options = {
        argument.arg: _option(argument, default, path)
        for argument, default in zip(build.args.kwonlyargs, build.args.kw_defaults, strict=True)
        if default is not None  # the signature is checked
    }
    return Architecture(
        name=name,
        options={key: option for key, option in options.items() if key not in FeatureSettings.model_fields},
        reshaping_type=cast("ReshapingType", declared.get("reshaping_type", "none")),
        task_types=task_types,
        build_path=definition.path,
        features=cast("str | None", declared.get("features")),
        backends=cast("tuple[str, ...]", declared.get("backends", ())),
        defaults=cast("dict[str, object]", declared.get("defaults", {})),
        feature_keys=tuple(key for key in options if key in FeatureSettings.model_fields),
    )


def _function_of(node: ast.FunctionDef | ast.ClassDef | None) -> ast.FunctionDef | None:
    """Return the function that builds a network; of a class its __init__ without self."""
    if not isinstance(node, ast.ClassDef):
        return node
    made = next((part for part in node.body if isinstance(part, ast.FunctionDef) and part.name == "__init__"), None)
    if made is not None:
        made = copy(made)
        made.args = copy(made.args)
        made.args.args = made.args.args[1:]
    return made


def input_form(example_shape: tuple[int | None, ...], reshaping_type: str, architecture: str) -> tuple[int | None, ...]:
    """Return the shape of an example as the architecture gets it.

    Args:
        example_shape: As stored: (n_frames, n_bins), or whatever a custom script wrote; None: frames of any number.
        reshaping_type: conv, rnn, none, or auto for what the architecture wants.
        architecture: Its name.

    Returns:
        conv: (n_frames, n_bins, channels); rnn: (n_frames, n_features); none: as stored.
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
        f"architecture '{architecture}' with reshaping_type={form} needs examples of shape (frames, bins); the feature store "
        f"has {example_shape}. Set reshaping_type=none, or choose an architecture for such input (mlp)."
    )


def _option(argument: ast.arg, default: ast.expr, path: Path) -> Option:
    """Return an option of build(); without an annotation it has the type of its default."""
    try:
        value = read_literal(default)
        annotation = type_name(value) if argument.annotation is None else source_of(argument.annotation)
        type_of(annotation)
    except ValueError as error:
        raise SettingsError(
            f"{path}: option {argument.arg} of build() needs a type and a literal default ({error})."
        ) from error
    return Option(argument.arg, annotation, value)


def _declared(module: definitions.Module) -> dict[str, object]:
    """Return the values of `ARCHITECTURE_CONSTANTS` that a module assigns at its top level; of several names, a tuple.

    Raises:
        SettingsError: A value is none of the allowed ones.
    """
    declared = _constants(module.tree, ARCHITECTURE_CONSTANTS, module.file)
    for name, allowed in _ALLOWED.items():
        if name not in declared:
            continue
        value = declared[name]
        is_list = name in _LISTS and isinstance(value, list | tuple | set)
        values: tuple[object, ...] = tuple(cast("Iterable[object]", value)) if is_list else (value,)
        if wrong := [one for one in values if one not in allowed]:
            raise SettingsError(f"{module.file}: {name}: received {wrong[0]!r:.60}; allowed: {', '.join(allowed)}.")
        declared[name] = values if name in _LISTS else value
    if not isinstance(defaults := declared.get("defaults", {}), dict):
        raise SettingsError(f"{module.file}: defaults: received {defaults!r:.60}; expected a dict of settings.")
    return declared


def _constants(tree: ast.Module, names: Collection[str], file: Path) -> dict[str, object]:
    """Return the literals that a file assigns to some names at its top level."""
    declared: dict[str, object] = {}
    for node in tree.body:
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target if isinstance(node, ast.AnnAssign) else None
        if isinstance(target, ast.Name) and target.id in names and (value := getattr(node, "value", None)):
            try:
                declared[target.id] = read_literal(value)
            except ValueError as error:
                place = f"{file}, line {node.lineno}: {source_of(node)}"
                raise SettingsError(
                    f"{place}: expected a literal value, because the file is read without running it."
                ) from error
    return declared
