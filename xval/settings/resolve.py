"""Resolve config.ini < experiment < instance < --set into one typed, frozen instance, and say where each value came from.

Comes in: what a script declares, the chosen instance numbers, and overrides of the command line. Goes out: an `Instance` for
each number. All of them are checked before any is used, and every fault is named at once.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import PurePath
from typing import Any

from pydantic import ValidationError

from xval.config_file import APART, CONFIG_PATH, describe_missing, read_defaults
from xval.errors import SettingsError, suggestion
from xval.settings import classical_faults, combination, optimizer_arguments
from xval.settings.architectures import COMBINATION, find_architecture, trains_network
from xval.settings.options import Architecture
from xval.settings.parameters import hash_parameters, to_parameters, with_tuples
from xval.settings.schema import EXPERIMENT_KEYS, FRAME_KEYS, NUMBER_KEYS, Settings
from xval.settings.searched import space_faults

_LONGEST_SHOWN = 200
_SHARED_SOURCES = (str(CONFIG_PATH), "config.ini", "KERAS_BACKEND", "experiment", "--set")


@dataclass
class Declaration:
    """What an experiment script says.

    Attributes:
        script: The script as errors name it, such as ``experiments/exp1.py``.
        script_path: Where the script lies, for the copy of the code; empty in a notebook or a session, which has none.
        description: One sentence on what the experiment asks.
        parameters: Parameters of the experiment, over config.ini.
        instances: The parameters of each numbered instance, over those of the experiment.
    """

    script: str
    script_path: str
    description: str
    parameters: dict[str, object] = field(default_factory=dict)
    instances: dict[int, dict[str, object]] = field(default_factory=dict)


@dataclass(frozen=True)
class Instance:
    """One instance, resolved and checked.

    Attributes:
        number: Its number in the script.
        settings: Every parameter of config.ini.
        options: Every option of the architecture.
        sources: Where each parameter and option came from.
    """

    number: int
    settings: Settings
    options: dict[str, object]
    sources: dict[str, str]

    @cached_property
    def parameters(self) -> dict[str, object]:
        """Every parameter and option with its value, as JSON can hold it; all jobs of the instance share this one."""
        return to_parameters(self.settings, self.options)

    @cached_property
    def settings_hash(self) -> str:
        """Sixteen hex digits that differ when anything that can change a result differs."""
        return hash_parameters(self.parameters)


def resolve(
    declaration: Declaration, numbers: Sequence[int] | None = None, overrides: Mapping[str, object] | None = None
) -> list[Instance]:
    """Resolve and check the chosen instances.

    Args:
        declaration: What the script says.
        numbers: Instance numbers; all of them when omitted.
        overrides: Parameters of ``--set``, over everything else.

    Returns:
        The instances in the order of their numbers.

    Raises:
        SettingsError: Anything unknown, of the wrong type or out of range; all faults of all chosen instances in one message.
    """
    chosen = sorted(declaration.instances) if numbers is None else list(numbers)
    missing = [number for number in chosen if number not in declaration.instances]
    if missing:
        raise SettingsError(
            f"{declaration.script}: no instance {', '.join(map(str, missing))}. "
            f"Available: {describe_numbers(declaration.instances)}."
        )
    if not chosen:
        raise SettingsError(f"{declaration.script}: declares no instance; add one with experiment[1] = {{...}}.")
    faults: dict[str, list[int]] = {}
    instances = []
    defaults = {
        key: text for section, values in read_defaults().items() if section not in APART for key, text in values.items()
    }
    for number in chosen:
        try:
            instances.append(_resolve_one(declaration, number, defaults, dict(overrides or {})))
        except SettingsError as error:
            for fault in str(error).splitlines():
                faults.setdefault(fault.removeprefix(f"{_where(declaration, [number])}: "), []).append(number)
    if faults:
        # What is wrong in config.ini, the experiment or --set names its place itself.
        shared = tuple(_place(declaration, source) for source in _SHARED_SOURCES)
        lines = [fault if fault.startswith(shared) else f"{_where(declaration, of)}: {fault}" for fault, of in faults.items()]
        raise SettingsError("\n".join(lines))
    return instances


def resolve_values(
    declaration: Declaration, number: int, overrides: Mapping[str, object], values: Mapping[str, object]
) -> Instance:
    """Resolve an instance that is searched with values of its space in the place of the search.

    Raises:
        SettingsError: As `resolve`.
    """
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
    declaration: Declaration, number: int, defaults: Mapping[str, str], overrides: Mapping[str, object]
) -> Instance:
    where = _where(declaration, [number])
    own = declaration.instances[number]
    misplaced = [name for name in own if name in EXPERIMENT_KEYS]
    if misplaced:
        raise SettingsError(
            f"{where}: '{misplaced[0]}' belongs to the whole experiment, because its instances share folds and folders. "
            f"Set it in Experiment({misplaced[0]}=...)."
        )
    layers: dict[str, Mapping[str, object]] = {
        "config.ini": defaults,
        "KERAS_BACKEND": {"backend": os.environ["KERAS_BACKEND"]} if os.environ.get("KERAS_BACKEND") else {},
        "experiment": declaration.parameters,
        "instance": own,
        "--set": overrides,
    }
    merged: dict[str, object] = {}
    sources: dict[str, str] = {}
    for source, values in layers.items():
        merged.update({name: str(value) if isinstance(value, PurePath) else value for name, value in values.items()})
        sources.update(dict.fromkeys(values, source))
    faults = []
    architecture = _architecture(merged.get("architecture", ""))
    if of_optimizer := [name for name in merged if optimizer_arguments.is_argument(name) and name not in architecture.options]:
        given = {name: merged.pop(name) for name in of_optimizer}
        key = optimizer_arguments.SETTING
        merged[key] = optimizer_arguments.join_arguments(merged.get(key), given)
        sources[key] = sources[of_optimizer[-1]]
        sources = {name: source for name, source in sources.items() if name not in of_optimizer}
    unknown = [name for name in merged if name not in Settings.model_fields and name not in architecture.options]
    if not architecture.task_types:  # it is not known, and neither are its options
        unknown = []
    for name in unknown:
        known = [*Settings.model_fields, *architecture.options]
        near = suggestion(name, known).partition(" Did you mean")
        allowed = f"the keys of config.ini, comment_1, comment_2{_named_options(architecture, sources[name])}."
        hint = f"Did you mean{near[2]}" if near[2] else f"Allowed: {allowed}"
        faults.append(f"{_place(declaration, sources[name], where)}: unknown parameter '{name}'. {hint}")
    settings, options = None, {}
    try:
        settings = Settings.model_validate({key: value for key, value in merged.items() if key in Settings.model_fields})
    except ValidationError as error:
        faults += [_describe_fault(fault, declaration, where, sources) for fault in error.errors()]
    for name, option in architecture.options.items():
        options[name] = merged.get(name, option.default)
        if name in merged:
            try:
                options[name] = option.check(merged[name])
            except ValidationError as error:
                reason = f"received {merged[name]!r}; {_describe_option_fault(error.errors()[0])}"
                faults.append(f"{_place(declaration, sources[name], where)}: {name}: {reason}.")
            except SettingsError as error:
                faults.append(f"{_place(declaration, sources[name], where)}: {name}: {error}")
        sources.setdefault(name, architecture.source)
    if settings is not None:
        faults += [
            f"{_place(declaration, sources[name], where)}: '{name}' belongs to task_type {task_type} and has no effect on "
            f"{settings.task_type}; leave it out."
            for task_type, names in {"frame_classification": FRAME_KEYS, "regression": NUMBER_KEYS}.items()
            for name in names
            if settings.task_type != task_type and sources.get(name, "config.ini") != "config.ini"
        ]
    if settings is not None and not faults and not trains_network(architecture.name):
        if architecture.name == COMBINATION:
            found = combination.faults(combination.CombinationOptions.of(with_tuples(options)), sources)
        else:
            found = classical_faults.faults(architecture.name, with_tuples(options), settings, sources)
        faults += [f"{where}: {fault}." for fault in found]
    if settings is not None and settings.search_plan and not faults:
        found = space_faults(settings, architecture, sources, partial(resolve_values, declaration, number, overrides))
        faults += [f"{where}: {fault.replace(f'{where}: ', '')}" for fault in found]
        sources.update(dict.fromkeys(settings.search_plan.space, "search"))
    if faults or settings is None:
        raise SettingsError("\n".join(faults))
    return Instance(number, settings, with_tuples(options), sources)


def _architecture(name: object) -> Architecture:
    """Return the architecture, or one without options where the name is wrong; Settings names that fault."""
    try:
        return find_architecture(str(name))
    except SettingsError:
        return Architecture(str(name), {}, "none", (), "")


def _named_options(architecture: Architecture, source: str) -> str:
    if source != "instance":
        return ", and the options that the architectures of all instances have"
    if not architecture.options:
        return ""
    return f", and the options of {architecture.name} ({', '.join(architecture.options)})"


def _where(declaration: Declaration, numbers: Sequence[int]) -> str:
    """Return ``experiments/exp1.py, instance 3``, or ``instances 3-5``."""
    return f"{declaration.script}, instance{'s' * (len(numbers) > 1)} {describe_numbers(numbers)}"


def _place(declaration: Declaration, source: str, where: str = "") -> str:
    """Return who is named in an error about a value of a layer; `where` for one of the instance."""
    if source == "instance":
        return where
    return {"experiment": f"{declaration.script}, experiment", "--set": "command line"}.get(source, source)


def _describe_option_fault(fault: Any) -> str:
    if fault["type"] == "tuple_type":
        return f"allowed: several values, such as {(fault['input'],)!r}"
    return str(fault["msg"]).lower()


def _describe_fault(fault: Any, declaration: Declaration, where: str, sources: Mapping[str, str]) -> str:
    """Turn one error of pydantic into a line that says where, what was received and what is allowed."""
    reason = str(fault["msg"]).removeprefix("Value error, ").removeprefix("Input should be ").rstrip(".")
    reason = reason.partition(", unable to parse")[0]
    if not fault["loc"]:
        return f"{where}: {_ended(reason)}"
    name = str(fault["loc"][0])
    if fault["type"] == "missing" and len(fault["loc"]) == 1:
        return describe_missing(name, _sections_around(name))
    place = _place(declaration, sources.get(name, "instance"), where)
    received = fault["input"]
    allowed = fault.get("ctx", {}).get("expected")
    if fault["type"] == "literal_error" and allowed is not None and isinstance(received, str):
        names = [part.strip(" '") for part in str(allowed).replace(" or ", ",").split(",")]
        return f"{place}: {name}: received '{received}'. {suggestion(received, names)}"
    wanted = "allowed: " if fault["msg"].startswith("Input should be") else ""
    return f"{place}: {name}: received {received!r:.{_LONGEST_SHOWN}}; {wanted}{_ended(reason)}"


def _sections_around(missing: str) -> list[str]:
    """Return the sections of config.ini that have the neighbours of a key which it lacks, in the order of the settings."""
    of_key = {key: section for section, values in read_defaults().items() for key in values}
    names = list(Settings.model_fields)
    place = names.index(missing)
    before = [of_key[name] for name in names[:place] if name in of_key]
    after = [of_key[name] for name in names[place + 1 :] if name in of_key]
    return list(dict.fromkeys([*before[-1:], *after[:1]]))


def _ended(sentence: str) -> str:
    """Return a sentence with its full stop, if it has no other end."""
    return sentence if sentence.endswith(("?", ".")) else f"{sentence}."
