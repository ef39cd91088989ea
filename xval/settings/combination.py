"""What an instance of architecture ``feature_combination`` may say, as far as it shows without reading any file.

Comes in: the options and sources of an instance. Goes out: its faults.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from xval.settings.classical_faults import network_faults, value_faults

_FOLD = "{fold}"


@dataclass(frozen=True)
class CombinationOptions:
    """The options of architecture ``feature_combination``; xval/training/combination/__init__.py says what they mean."""

    models: tuple[str, ...]
    layers_dropped: int
    basic_features: bool
    classifier: Literal["svm", "random_forest", "logistic_regression"]
    pca_components: int

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Self:
        """Return the options of an instance or a job."""
        return cls(**options)

    def model_paths(self, fold: int) -> tuple[str, ...]:
        """Return the paths of the models of a fold."""
        return tuple(path.replace(_FOLD, str(fold)) for path in self.models)


def faults(options: CombinationOptions, sources: Mapping[str, str]) -> list[str]:
    """Return what is wrong with an instance, as sentences without its place."""
    lines = network_faults("feature_combination", sources)
    models = options.models
    if not models and not options.basic_features:
        lines.append("nothing to combine: models is empty and basic_features is false; give one of them, or both")
    if not models and sources["layers_dropped"] == "instance":
        lines.append("layers_dropped counts layers of models, and models is empty; leave it out, or give models")
    lines += value_faults("layers_dropped", options.layers_dropped) + value_faults("pca_components", options.pca_components)
    for path in models:
        if not path.endswith(".keras"):
            lines.append(f"models: received '{path}'; expected the path of a model.keras, as a run leaves it in fold_<k>/")
        if set("{}") & set(path.replace(_FOLD, "")):
            lines.append(f"models: received '{path}'; {_FOLD} is the only thing in braces that is replaced")
    if len(set(models)) < len(models):
        lines.append("models: a path appears twice; its features would count twice")
    return lines
