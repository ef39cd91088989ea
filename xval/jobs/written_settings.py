"""Read the parameters of an instance that a run has written, without the script.

An `Instance` that is read back is checked in the same way as a new one. Written parameters are also compared with those of a
run.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from xval.base.errors import ResultsError, SettingsError
from xval.base.file_forms import describe_faults
from xval.base.setting_scope import Scope
from xval.base.user_code.modules import looking_in
from xval.results.folder import ExperimentFolder
from xval.results.read import own_folders_in
from xval.settings.architectures import ENSEMBLE, find_architecture, trains_network
from xval.settings.classical import CLASSICAL, NEUTRAL_OPTIONS
from xval.settings.parameters import from_parameters, that_change_results, with_tuples
from xval.settings.resolve import Instance, describe_numbers
from xval.settings.schema import NEUTRAL, names_of

_OF_NETWORKS = ("batch_size", "deterministic", "backend")  # further settings that no estimator reads


def restore_instance(folder: ExperimentFolder, number: int) -> Instance:
    """Return an instance from its settings.json; raise an error for an ensemble, which has no settings.

    Also raises an error for a file that was edited, that a version with other parameters wrote, or that names missing user
    code. User modules are searched in their former folders, or in the copies of the code if a folder is gone.
    """
    written = folder.settings(number)
    path = folder.instance_folder(number) / "settings.json"
    if written is None:
        raise ResultsError(f"{folder.path}: no instance {number}. Available: {describe_numbers(folder.instances())}.")
    own_folders = own_folders_in(written, folder)
    are_there = all(Path(place).is_dir() for place in own_folders)
    places = own_folders if are_there else [*own_folders, *_code_copies(folder, number)]
    try:
        parameters = dict(written["parameters"])
        if parameters.get("architecture") == ENSEMBLE:
            members = ", ".join(map(str, parameters.get("members", ())))
            raise SettingsError(f"instance {number}: an ensemble is not trained. Give one of its members ({members}).")
        with looking_in(places):
            settings, options = from_parameters(parameters, together=True)
        instance = Instance(number, settings, options, sources=dict(written["sources"]), own_folders=tuple(places))
        is_whole = instance.settings_hash == written["settings_hash"]
    except ValidationError as error:
        remedy = f"put them back ({', '.join(own_folders)})" if own_folders else "run this in their folder"
        raise ResultsError(
            f"{path}: not settings of this version ({describe_faults(error, 'parameters')}). If your own modules are missing: "
            f"{remedy}, or add their folder to PYTHONPATH. If an older version wrote it, run it again (--overwrite)."
        ) from error
    except (KeyError, TypeError, ValueError) as error:
        raise ResultsError(f"{path}: damaged ({type(error).__name__}: {error}). Run the instance again.") from error
    if not is_whole:
        raise ResultsError(f"{path}: does not match its settings_hash, so it was edited. Run the instance again (--overwrite).")
    return instance


def other_backends(folder: ExperimentFolder, instances: Iterable[Instance]) -> dict[int, str]:
    """Return the backends of results of instances, by number, if they differ from those of the instances."""
    backends = {}
    for instance in instances:
        parameters = (folder.settings(instance.number) or {}).get("parameters")
        ran_on = parameters.get("backend") if isinstance(parameters, Mapping) else None
        if ran_on not in (None, instance.settings.backend):
            backends[instance.number] = str(ran_on)
    return backends


def _code_copies(folder: ExperimentFolder, number: int) -> list[str]:
    """Return the copies of the code on which the finished jobs of an instance ran."""
    records = (folder.record(*key) or {} for key in folder.jobs(number))
    return [str(folder.path / "code" / code) for code in sorted({str(record.get("code_hash")) for record in records})]


def with_written_unused(folder: ExperimentFolder, instance: Instance) -> Instance:
    """Return an instance without a network, with the settings that only networks use as in its results.

    ``--set num_epochs=3`` does not change the results of an estimator. An instance that differs in other settings is returned
    unchanged.
    """
    written: Mapping[str, object] = {}
    with suppress(ResultsError):  # a damaged file is named by those who need it
        written = folder.settings(instance.number) or {}
    known = written.get("parameters")
    if trains_network(instance.settings.architecture) or not isinstance(known, Mapping):
        return instance
    unused = {*names_of(Scope.NETWORK), *(_OF_NETWORKS if instance.settings.architecture in CLASSICAL else ())}
    unused -= {"normalization"} if "per_item" in (instance.settings.normalization, known.get("normalization")) else set()
    unused -= {"backend"} if instance.settings.uses_keras else set()
    values = {name: known.get(name, NEUTRAL.get(name, instance.parameters[name])) for name in unused}
    try:
        settings, options = from_parameters({**instance.parameters, **values}, tuple(instance.options))
    except ValidationError:  # of a file that was edited
        return instance
    as_written = replace(instance, settings=settings, options=options)
    return as_written if as_written.settings_hash == written.get("settings_hash") else instance


def with_values(instance: Instance, values: Mapping[str, object]) -> Instance:
    """Return an instance with values of its search space instead of the search.

    Options that are not set have the defaults of the architecture, which may be searched as well.
    """
    try:
        settings, _ = from_parameters({**instance.parameters, "search": None, **values}, together=True)
    except ValidationError as error:
        raise SettingsError(f"instance {instance.number}: {describe_faults(error, 'parameters')}") from error
    default = find_architecture(instance.settings.architecture).source
    given = {name: value for name, value in instance.options.items() if instance.sources[name] != default}
    known = find_architecture(settings.architecture).options
    options = {name: option.check({**given, **values}.get(name, option.default)) for name, option in known.items()}
    return replace(instance, settings=settings, options=with_tuples(options))


def differences(before: Mapping[str, object], now: Mapping[str, object]) -> list[str]:
    """Return a text for each parameter that differs between two instances and can change a result."""
    before, now = that_change_results(before), that_change_results(now)
    return [
        f"{name} was {_value(before, name)}, now {_value(now, name)}"
        for name in sorted({*before, *now})
        if before.get(name) != now.get(name)
    ]


def _value(parameters: Mapping[str, object], name: str) -> str:
    """Return a parameter as text; parameters that do not affect results may be missing."""
    neutral = {**NEUTRAL, **NEUTRAL_OPTIONS}
    return repr(parameters[name]) if name in parameters else repr(neutral[name]) if name in neutral else "not there"
