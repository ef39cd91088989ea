"""Check the settings of an instance whose architecture is an estimator of scikit-learn, without reading any file."""

from collections.abc import Mapping, Sequence
from typing import Any

from xval.base.findings import Finding, Rule
from xval.base.setting_scope import Scope
from xval.settings.classical import STATISTICS, WORDS
from xval.settings.contradictions import Contradiction
from xval.settings.schema import Settings, names_of

_LEAST = {
    "time_parts": 1, "pca_components": 0, "n_trees": 1, "min_samples_leaf": 1, "max_leaf_nodes": 2, "n_neighbors": 1,
    "alpha": 0, "epsilon": 0, "layers_dropped": 0,
}  # fmt: skip
_POSITIVE = ("C", "shrinkage")

CONTRADICTIONS = (
    Contradiction(
        "stored-features-needed",
        "architecture '{architecture}' reads stored features, but features=waveform stores samples",
        "Set features to logmel, mfcc or stft",
        lambda s: s.features == "waveform",
    ),
    Contradiction(
        "weights-not-supported",
        "class_weights='{class_weights}' has no effect on {architecture}, which does not support class weights",
        "Set class_weights=none",
        lambda s: s.architecture in ("constant", "knn") and s.class_weights != "none",
    ),
)
"""Of estimators; all that are found are named."""

_NETWORKS_ONLY = Finding(
    "'{setting}' applies only to networks, and architecture '{architecture}' is none", "Remove it", "networks-only"
)
NETWORKS_ONLY = Rule(0, _NETWORKS_ONLY)


def faults(name: str, options: Mapping[str, Any], settings: Settings, sources: Mapping[str, str]) -> list[str]:
    """Return the faults of an instance as sentences without its place; `sources`: where each setting was set."""
    network_sources = {key: source for key, source in sources.items() if key != "normalization" or not settings.scales_items}
    lines = network_faults(name, network_sources)
    lines += filter(None, (rule.describe(settings) for rule in CONTRADICTIONS))
    if unknown := [statistic for statistic in options["pooling"] if statistic not in STATISTICS]:
        lines.append(f"pooling: received '{unknown[0]}'; allowed: {', '.join(STATISTICS)}")
    for option, value in options.items():
        lines += value_faults(option, value)
    return lines


def network_faults(name: str, sources: Mapping[str, str]) -> list[str]:
    """Return which settings of an instance belong only to networks."""
    return [
        _NETWORKS_ONLY.fill(setting=setting, architecture=name).caution
        for setting, source in sources.items()
        if source == "instance" and setting in names_of(Scope.NETWORK)
    ]


def value_faults(option: str, value: Any) -> list[str]:
    """Return the faults in the values of an option: no value, a value twice, or one out of range."""
    values: Sequence[Any] = value if isinstance(value, tuple) else (value,)
    if not values:
        return [f"{option}: is empty; expected at least one value"]
    if len(set(values)) < len(values):
        return [f"{option}: received {value}; a value appears twice"]
    least = _LEAST.get(option)
    if least is not None and min(values) < least:
        return [f"{option}: received {min(values):.9g}; expected {least} or more"]
    if option in _POSITIVE and min(values) <= 0:
        return [f"{option}: received {min(values):g}; expected a number above 0"]
    if option in WORDS:
        most = 1.0 if option == "max_features" else float("inf")
        wrong = [text for text in values if text not in WORDS[option] and not 0 < _number(text) <= most]
        allowed = f"{', '.join(WORDS[option])}, or a number above 0{' and at most 1' * (most == 1)}"
        return [f"{option}: received '{wrong[0]}'; allowed: {allowed}"] if wrong else []
    return []


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
