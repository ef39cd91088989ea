"""What an instance of architecture ``feature_combination`` may say, as far as it shows without reading any file.

Comes in: the options and sources of an instance. Goes out: its faults.
"""

from collections.abc import Mapping, Sequence
from typing import Any

# These train a network, and none is trained.
_WITHOUT_EFFECT = frozenset(
    {
        "reshaping_type", "normalization", "regularization_lambda", "generator", "num_epochs", "optimizer", "learning_rate",
        "momentum", "weight_decay", "schedule", "schedule_decay", "schedule_patience", "final_learning_rate", "clip_norm",
        "early_stopping", "patience", "tensorboard", "precision", "initial_model", "frozen_layers", "frozen",
    }
)  # fmt: skip
_FOLD = "{fold}"


def faults(options: Mapping[str, Any], sources: Mapping[str, str]) -> list[str]:
    """Return what is wrong with an instance.

    Args:
        options: models, layers_dropped, basic_features, classifier, pca_components.
        sources: Where each parameter and option came from.

    Returns:
        Sentences without the place of the instance.
    """
    found = [
        f"'{name}' belongs to the training of a network, and architecture 'feature_combination' trains none; leave it out"
        for name, source in sources.items()
        if source == "instance" and (name in _WITHOUT_EFFECT or name.startswith("augment_"))
    ]
    models = options["models"]
    if not models and not options["basic_features"]:
        found.append("nothing to combine: models is empty and basic_features is false; give one of them, or both")
    if not models and sources["layers_dropped"] == "instance":
        found.append("layers_dropped counts layers of models, and models is empty; leave it out, or give models")
    counts = {name: options[name] for name in ("layers_dropped", "pca_components")}
    found += [f"{name}: received {count}; allowed: 0 or more" for name, count in counts.items() if count < 0]
    for path in models:
        if not path.endswith(".keras"):
            found.append(f"models: received '{path}'; the path of a model.keras is wanted, as a run leaves it in fold_<k>/")
        if set("{}") & set(path.replace(_FOLD, "")):
            found.append(f"models: received '{path}'; {_FOLD} is the only thing in braces that is replaced")
    if len(set(models)) < len(models):
        found.append("models: a path comes twice; its features would count twice")
    return found


def model_paths(models: Sequence[str], fold: int) -> tuple[str, ...]:
    """Return the paths of the models of a fold."""
    return tuple(path.replace(_FOLD, str(fold)) for path in models)
