"""Check the options of an instance whose architecture is ``feature_combination``, without reading any file."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from xval.base.errors import SettingsError
from xval.base.findings import Finding, Rule
from xval.settings.classical_faults import network_faults, value_faults
from xval.settings.model_address import is_address, parse_address

_FOLD = "{fold}"
_OF_INSTANCE = re.compile(r"instance_(?P<number>[0-9]+)[/\\]fold_\{fold\}(_repeat_[0-9]+)?(?=[/\\]model\.keras$)")


@dataclass(frozen=True)
class CombinationOptions:
    """The options of architecture ``feature_combination``; xval/training/combination/__init__.py explains them."""

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
        """Return the paths (or addresses) of the models of a fold; of fold 0, which has all items, `final_paths`."""
        return tuple(path.replace(_FOLD, str(fold)) for path in self.models) if fold else self.final_paths()

    def final_paths(self) -> tuple[str, ...]:
        """Return the models of a final model: those of a fold are replaced by the final model of their instance."""
        for path in self.models:
            if _FOLD in path and not _OF_INSTANCE.search(path):
                raise SettingsError(
                    f"models: received '{path}', a different model in each fold, but the final model has no fold. Give the "
                    "folds of an instance: results/<dataset>/experiment_<n>/instance_<i>/fold_{fold}/model.keras"
                )
        paths = tuple(_OF_INSTANCE.sub(r"instance_\g<number>/refit", path) for path in self.models)
        if len(set(paths)) < len(paths):
            raise SettingsError(
                "models: two of them are seeds of one instance, which has only one final model. Combine different instances"
            )
        return paths

    def instances_read(self) -> list[tuple[str, int]]:
        """Return the instances whose folds the models come from: the folder of their experiment, and their number."""
        found = ((path, _OF_INSTANCE.search(path)) for path in self.models)
        return [(path[: match.start()] or ".", int(match["number"])) for path, match in found if match]


_NOTHING = Finding(
    "nothing to combine: models is empty and basic_features is false", "Set one of them, or both", "nothing-to-combine"
)
_NO_MODELS = Finding("layers_dropped needs models, but models is empty", "Remove it, or set models", "models-needed")
CONTRADICTIONS = Rule(0, _NOTHING), Rule(0, _NO_MODELS)


def faults(options: CombinationOptions, sources: Mapping[str, str]) -> list[str]:
    """Return the faults of an instance as sentences without its place."""
    lines = network_faults("feature_combination", sources)
    models = options.models
    if not models and not options.basic_features:
        lines.append(_NOTHING.caution)
    if not models and sources["layers_dropped"] == "instance":
        lines.append(_NO_MODELS.caution)
    lines += value_faults("layers_dropped", options.layers_dropped) + value_faults("pca_components", options.pca_components)
    for path in models:
        if is_address(path):
            try:
                parse_address(path, "models")
            except SettingsError as error:
                lines.append(str(error))
            continue
        if not path.endswith(".keras"):
            lines.append(
                f"models: received '{path}'; expected the path of a model.keras, as saved by a run in fold_<k>/, or an address"
            )
        if set("{}") & set(path.replace(_FOLD, "")):
            lines.append(f"models: received '{path}'; in braces only {_FOLD} is replaced")
    if len(set(models)) < len(models):
        lines.append("models: a path appears twice, so its features would count twice. Remove one")
    return lines
