"""The table of the page that shows how each instance was trained: each relevant setting, its values, and their instances.

No setting is named here: what belongs to the features, the architecture and the task in use is shown, unless it is off.
"""

from collections.abc import Iterator, Sequence

from preprocessing.corpus import CUSTOM
from preprocessing.features.feature_settings import FeatureSettings
from xval.base.setting_scope import Scope
from xval.report.score_columns import parameter_text
from xval.results.instance import InstanceResults
from xval.settings.architectures import ENSEMBLE, trains_network
from xval.settings.resolve import describe_numbers
from xval.settings.schema import Settings, scope_of

HEADER = ("setting", "value", "instances")
NOTE = "Settings that are off, automatic (auto) or without effect on training are not listed; the workbook has all settings."
_FIRST = "architecture"
_OFF = ("0", "0.0", "none", "False", "auto", "")


def training_rows(instances: Sequence[InstanceResults]) -> list[tuple[str, str, str]]:
    """Return a row of `HEADER` for each value of each setting, those of the architecture first."""
    values: dict[str, dict[str, list[int]]] = {}
    for instance in instances:
        for name in _names_in_use(instance):
            values.setdefault(name, {}).setdefault(parameter_text(instance, name), []).append(instance.number)
    rows = []
    for name in sorted(values, key=_place):
        for text, numbers in values[name].items():
            rows.append((name, text, "all" if len(numbers) == len(instances) else describe_numbers(numbers)))
    return rows


def _names_in_use(instance: InstanceResults) -> Iterator[str]:
    """Yield the settings and options that an instance was trained with."""
    settings, off = instance.settings, set[str]()
    for name in sorted(instance.parameters, key=_place):
        if name not in Settings.model_fields or name == _FIRST:
            yield name
        elif parameter_text(instance, name) in _OFF:
            off.add(f"{name}_")
        elif name.startswith(tuple(off)) and instance.written.sources.get(name) == "config.ini":
            pass  # a default of what is off, as schedule_decay is of schedule
        elif settings.architecture != ENSEMBLE and _belongs(name, instance):
            yield name


def _belongs(name: str, instance: InstanceResults) -> bool:
    """Return whether a setting is of the features, the architecture or the task of an instance."""
    settings, scope = instance.settings, scope_of(name)
    if name in FeatureSettings.model_fields:
        is_custom = any(record.get("store") == CUSTOM for record in instance.folds.values())
        return not is_custom and name in settings.in_use()
    if scope & (Scope.EXPERIMENT | Scope.UNHASHED | Scope.DISPLAY_ONLY):
        return False
    if Scope.FRAMES in scope:
        return settings.frames is not None
    if Scope.NUMBERS in scope:
        return settings.task.draws_numbers
    return Scope.NETWORK not in scope or trains_network(settings.architecture)


def _place(name: str) -> tuple[int, str | int]:
    """Return where a setting is: the architecture, its options, then the order of config.ini."""
    if name == _FIRST:
        return 0, ""
    return (2, _ORDER.index(name)) if name in Settings.model_fields else (1, name)


_ORDER = tuple(Settings.model_fields)
