"""Check which settings a search may try: those whose trials can be compared by the validation score."""

from collections.abc import Callable, Mapping

from preprocessing.features.feature_settings import FeatureSettings
from xval.base.errors import SettingsError
from xval.base.setting_scope import Scope
from xval.settings.architectures import known_name, trains_network
from xval.settings.options import Architecture
from xval.settings.schema import Settings, names_of, names_of_loss
from xval.settings.space import Choice, Interval

_MOST_STORES = 24
_SCORING = (
    "monitor", "metrics", "evaluate_training", "clip_average", "train_where", "test_where", "train_fraction", "search",
    "restore_best_weights", "enrolment_s",
)  # fmt: skip


def space_faults(
    settings: Settings,
    architecture: Architecture,
    sources: Mapping[str, str],
    try_values: Callable[[Mapping[str, object]], object],
) -> list[str]:
    """Return the faults of the space of a search, a line for each.

    Values at the ends of the space are tried if there is no other fault: `try_values` resolves the instance with them.
    """
    plan = settings.search_plan
    if plan is None:
        return []
    tried = plan.space.get("architecture")
    for name in tried.options if isinstance(tried, Choice) else [settings.architecture]:
        if not trains_network(str(known_name(name))):
            return [f"search: architecture '{name}' is not a network and has its own search"]
    if settings.train_fraction < 1:
        return ["search: train_fraction selects a share that depends on the seed. Search with train_fraction=1"]
    if not settings.restore_best_weights:
        return [
            "search: restore_best_weights=false keeps the last epoch, but trials are scored by their best one. Set it to true"
        ]
    if not settings.monitor.startswith("val_"):
        return [
            (
                f"search: monitor='{settings.monitor}' is not a validation value, but trials are scored by it. Use a monitor "
                "that begins with val_"
            )
        ]
    refusals = [
        f"search: '{name}' {why}"
        for name, drawn in plan.space.items()
        if (why := _refusal(name, drawn, settings, architecture, sources))
    ]
    if refusals:
        return refusals
    if (n_stores := len(list(plan.feature_choices()))) > _MOST_STORES:
        names = ", ".join(name for name in plan.space if name in FeatureSettings.model_fields)
        why = "the features of each are computed and stored before the first trial"
        return [f"search: {names} have {n_stores} combinations, and {why}; at most {_MOST_STORES} are allowed. Remove some"]
    faults: dict[str, None] = {}
    for values in plan.corners():
        try:
            try_values(values)
        except SettingsError as error:
            faults.update(dict.fromkeys(str(error).splitlines()))
    return [f"search: {fault}" for fault in faults]


def _refusal(
    name: str, drawn: Interval | Choice, settings: Settings, architecture: Architecture, sources: Mapping[str, str]
) -> str:
    """Return why a setting cannot be searched; empty: it can."""
    if sources.get(name) == "--set":
        return "is searched, so it cannot be set for the run"
    if name == "seed":
        return "cannot be searched: the best of several seeds is no better method. Use repeats"
    if name in names_of(Scope.EXPERIMENT):
        return "applies to the whole experiment, because its instances share folds and folders"
    if name in (*names_of(Scope.LOSS), *architecture.feature_keys) and name in FeatureSettings.model_fields:
        return "defines what an example is, so it must be the same in all trials. Give each value its own instance (grid)"
    if name in FeatureSettings.model_fields and not isinstance(drawn, Choice):
        return "is a setting of features, which are computed before the first trial. List the values: choice([...])"
    if name in FeatureSettings.model_fields and settings.task_type not in ("classification", "regression"):
        return f"is a setting of features that changes the units or frames in which {settings.task_type} is scored. Use grid"
    if name in names_of(Scope.UNHASHED):
        return "changes no metric"
    if name in (*_SCORING, "initial_model", *names_of(Scope.FRAME_LOSS)):
        return "defines what is compared, so it must be the same in all trials"
    task = settings.task
    loss_names = (*names_of_loss(task), "regularization_lambda")
    if settings.monitor.removeprefix("val_") in task.loss_metrics and name in loss_names:
        return f"changes what {settings.monitor} measures. Set monitor='val_{task.main_metrics[0]}' or another metric"
    return ""
