"""Resolve config.ini < recipe < experiment < instance < --set into checked instances, with the source of each value.

All chosen instances are checked before any is used, and one error names all faults.
"""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

from pydantic import ValidationError

from xval.base.config_file import CONFIG_PATH
from xval.base.errors import SettingsError
from xval.base.keras_backends import AUTO, BACKENDS, installed_or_default
from xval.base.user_code.identity import hash_definitions
from xval.base.user_code.modules import looking_in
from xval.settings import classical_faults, combination, part_arguments, value_faults
from xval.settings.architectures import COMBINATION, find_architecture, known_name, trains_network
from xval.settings.contradictions import checked_settings
from xval.settings.given_objects import plain_parameters
from xval.settings.options import Architecture
from xval.settings.parameters import hash_parameters, to_parameters, with_tuples
from xval.settings.recipes import recipe_settings
from xval.settings.schema import EXPERIMENT_KEYS, FRAME_KEYS, NUMBER_KEYS, Settings, default_settings
from xval.settings.searched import space_faults

_SHARED_SOURCES = (str(CONFIG_PATH), "config.ini", "KERAS_BACKEND", "experiment", "--set")
DEFAULT_SOURCES = ("config.ini", "recipe")
"""The sources of settings that were not set one by one."""


@dataclass
class Declaration:
    """What an experiment script declares.

    Attributes:
        script: The script as errors name it, such as ``experiments/exp1.py``.
        script_path: The path of the script, for the copy of the code; empty in a notebook or a session, which has none.
        description: One sentence on the question of the experiment.
        parameters: Parameters of the experiment, over config.ini.
        instances: The parameters of each numbered instance, over those of the experiment.
        backends: The backend that instances with results ran on; `auto` takes it as long as it is installed.
        n_fold_repeats: The number that fold_repeats = auto stands for.
    """

    script: str
    script_path: str
    description: str
    parameters: dict[str, object] = field(default_factory=dict)
    instances: dict[int, dict[str, object]] = field(default_factory=dict)
    backends: Mapping[int, str] = field(default_factory=dict)
    n_fold_repeats: int = 1

    def place(self, *numbers: int) -> str:
        """Return the name of instances in errors: ``experiments/exp1.py, instance 3``, or ``instances 3-5``."""
        return f"{self.script}, instance{'s' * (len(numbers) > 1)} {describe_numbers(numbers)}"


@dataclass(frozen=True)
class Instance:
    """One instance, resolved and checked.

    Attributes:
        number: Its number in the script.
        settings: Every setting.
        options: Every option of the architecture.
        sources: Where each parameter and option came from.
        own_folders: Folders of the user's modules, for an instance that is read back; other modules are found as Python does.
    """

    number: int
    settings: Settings
    options: dict[str, object]
    sources: dict[str, str]
    own_folders: tuple[str, ...] = ()

    @cached_property
    def parameters(self) -> dict[str, object]:
        """Every parameter and option with its value, as JSON can hold it; all jobs of the instance share this one."""
        return to_parameters(self.settings, self.options)

    @cached_property
    def settings_hash(self) -> str:
        """Sixteen hex digits that differ when anything that can change a result differs."""
        return hash_parameters(self.parameters)

    @cached_property
    def own_code(self) -> dict[str, str]:
        """The hashes of the user's code that the instance names, as `hash_definitions` returns them."""
        with looking_in(self.own_folders):
            return hash_definitions(self.settings.own_parts())


def resolve(
    declaration: Declaration, numbers: Sequence[int] | None = None, overrides: Mapping[str, object] | None = None
) -> list[Instance]:
    """Resolve and check the chosen instances (default: all); return them in the order of their numbers.

    The overrides are those of ``--set``, over everything else.

    Raises:
        SettingsError: Anything unknown, of the wrong type or out of range; all faults of all chosen instances in one message.
    """
    chosen = sorted(declaration.instances) if numbers is None else list(numbers)
    missing = [number for number in chosen if number not in declaration.instances]
    if missing:
        raise SettingsError(
            f"{declaration.script}: there is no instance {', '.join(map(str, missing))}. Available: "
            f"{describe_numbers(declaration.instances)}."
        )
    if not chosen:
        raise SettingsError(f"{declaration.script}: the script declares no instance. Add one with experiment[1] = {{...}}.")
    faults: dict[str, list[int]] = {}
    instances = []
    defaults = default_settings()
    for number in chosen:
        try:
            instances.append(_resolve_one(declaration, number, defaults, dict(overrides or {})))
        except SettingsError as error:
            for fault in str(error).splitlines():
                faults.setdefault(fault.removeprefix(f"{declaration.place(number)}: "), []).append(number)
    if faults:
        # What is wrong in config.ini, the experiment or --set names its place itself.
        shared = tuple(_place(declaration, source) for source in _SHARED_SOURCES)
        lines = [
            fault if fault.startswith(shared) else f"{declaration.place(*instance_numbers)}: {fault}"
            for fault, instance_numbers in faults.items()
        ]
        raise SettingsError("\n".join(lines))
    return instances


def resolve_values(
    declaration: Declaration, number: int, overrides: Mapping[str, object], values: Mapping[str, object]
) -> Instance:
    """Resolve an instance with values of its search space instead of the search."""
    own = {**declaration.instances[number], **values, "search": None}
    others = {name: value for name, value in overrides.items() if name != "search"}
    return resolve(replace(declaration, instances={number: own}), [number], others)[0]


def describe_numbers(numbers: Iterable[int]) -> str:
    """Return numbers as text with ranges: ``1-4, 7``; ``none`` where there are none."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs) or "none"


def _resolve_one(
    declaration: Declaration, number: int, defaults: Mapping[str, object], overrides: Mapping[str, object]
) -> Instance:
    where = declaration.place(number)
    merged, sources = _merge_layers(declaration, number, defaults, overrides)
    if is_any_backend := merged.get("backend") == AUTO:
        merged["backend"] = installed_or_default(declaration.backends.get(number, ""))
    if merged.get("fold_repeats") == AUTO:
        merged["fold_repeats"] = declaration.n_fold_repeats
    architecture = _architecture(merged.get("architecture", ""))
    for name, value in architecture.defaults.items():
        if sources.get(name) in DEFAULT_SOURCES:
            merged[name], sources[name] = value, architecture.source
    _join_arguments(merged, sources, architecture)

    def place(name: str) -> str:
        return _place(declaration, sources.get(name, "instance"), where)

    faults = []
    for name in merged:
        # Of an architecture that is not known, the options are not known either.
        if name not in Settings.model_fields and name not in architecture.options and architecture.task_types:
            unknown = value_faults.describe_unknown(name, architecture, sources[name] == "instance")
            faults.append(f"{place(name)}: {unknown}")
    settings, options = None, {}
    try:
        settings = checked_settings({key: value for key, value in merged.items() if key in Settings.model_fields})
    except ValidationError as error:
        faults += [value_faults.describe_setting(fault, where, place) for fault in error.errors()]
    for name, option in architecture.options.items():
        try:
            options[name] = option.check(merged[name]) if name in merged else option.default
        except (ValidationError, SettingsError) as error:
            faults.append(f"{place(name)}: {name}: {value_faults.describe_option(option, merged[name], error)}")
        sources.setdefault(name, architecture.source)
    if settings is None:
        raise SettingsError("\n".join(_name_recipe(fault, merged.get("recipe"), sources) for fault in faults))
    if is_any_backend and not settings.uses_keras:
        settings = settings.model_copy(update={"backend": BACKENDS[0]})  # the same settings whatever is installed later
    faults += [f"{place(name)}: {fault}" for name, fault in _find_other_tasks(settings, sources).items()]
    options = with_tuples(options)
    if not faults and not trains_network(architecture.name):
        if architecture.name == COMBINATION:
            part_faults = combination.faults(combination.CombinationOptions.of(options), sources)
        else:
            part_faults = classical_faults.faults(architecture.name, options, settings, sources)
        faults += [f"{where}: {fault}." for fault in part_faults]
    if not faults and settings.search_plan:
        part_faults = space_faults(settings, architecture, sources, partial(resolve_values, declaration, number, overrides))
        faults += [f"{where}: {fault.replace(f'{where}: ', '')}" for fault in part_faults]
        sources.update(dict.fromkeys(settings.search_plan.space, "search"))
    if faults:
        raise SettingsError("\n".join(faults))
    return Instance(number, settings, options, sources)


def _name_recipe(fault: str, recipe: object, sources: Mapping[str, str]) -> str:
    """Return a fault with the name of the recipe that has set the settings in it."""
    by_recipe = [name for name, source in sources.items() if source == "recipe" and re.search(rf"\b{name}\b", fault)]
    if not by_recipe:
        return fault
    return (
        f"{fault.removesuffix('.')}. recipe='{recipe}' sets {' and '.join(by_recipe)}; a value set in the instance overrides "
        "it."
    )


def _merge_layers(
    declaration: Declaration, number: int, defaults: Mapping[str, object], overrides: Mapping[str, object]
) -> tuple[dict[str, object], dict[str, str]]:
    """Return the value of every parameter that a layer sets, and the layer that set it last."""
    own = declaration.instances[number]
    if misplaced := next((name for name in own if name in EXPERIMENT_KEYS), None):
        raise SettingsError(
            f"{declaration.place(number)}: '{misplaced}' applies to the whole experiment, because its instances share folds "
            f"and folders. Set it in Experiment({misplaced}=...)."
        )
    layers: dict[str, Mapping[str, object]] = {
        "config.ini": defaults,
        "KERAS_BACKEND": {"backend": os.environ["KERAS_BACKEND"]} if os.environ.get("KERAS_BACKEND") else {},
        "experiment": declaration.parameters,
        "instance": own,
        "--set": overrides,
    }
    recipe, task_type = (
        next((values[name] for values in reversed(layers.values()) if name in values), None) for name in ("recipe", "task_type")
    )
    layers = {"config.ini": defaults, "recipe": recipe_settings(recipe, task_type)} | layers
    merged: dict[str, object] = {}
    sources: dict[str, str] = {}
    for source, values in layers.items():
        try:
            plain = plain_parameters(values, set_before=[name for name, of in sources.items() if of not in DEFAULT_SOURCES])
        except SettingsError as error:
            place = _place(declaration, source, declaration.place(number))
            raise SettingsError("\n".join(f"{place}: {fault}" for fault in str(error).splitlines())) from error
        merged.update(plain)
        sources.update(dict.fromkeys(plain, source))
    return merged, sources


def _join_arguments(merged: dict[str, object], sources: dict[str, str], architecture: Architecture) -> None:
    """Put all arguments of the optimizer, and all of the schedule, into the one setting that holds them."""
    others = {*Settings.model_fields, *architecture.options}
    for part in part_arguments.PARTS:
        names = [name for name in merged if part_arguments.is_argument(name, part) and name not in others]
        if names:
            key = part_arguments.setting_of(part)
            given = {name: merged.pop(name) for name in names}
            merged[key] = part_arguments.join_arguments(part, merged.get(key), given)
            sources[key] = [sources.pop(name) for name in names][-1]


def _find_other_tasks(settings: Settings, sources: Mapping[str, str]) -> dict[str, str]:
    """Return the fault of each setting that belongs to another task and was not set in config.ini."""
    others = {} if settings.task.target == "frame" else dict.fromkeys(FRAME_KEYS, "frame_classification")
    others |= {} if settings.task.scaled_losses else dict.fromkeys(NUMBER_KEYS, "regression")
    return {
        name: f"'{name}' belongs to task_type {task_type} and has no effect on {settings.task_type}. Remove it."
        for name, task_type in others.items()
        if sources.get(name, "config.ini") not in DEFAULT_SOURCES
    }


def _architecture(name: object) -> Architecture:
    """Return the architecture, or one without options if the name is wrong; `Settings` raises the error."""
    try:
        return find_architecture(str(known_name(name)))
    except SettingsError:
        return Architecture(str(name), {}, "none", (), "")


def _place(declaration: Declaration, source: str, where: str = "") -> str:
    """Return the place of a value in errors: that of its layer, or `where` for a value of the instance."""
    if source == "instance":
        return where
    return {"experiment": f"{declaration.script}, experiment", "--set": "command line"}.get(source, source)
