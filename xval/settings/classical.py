"""The estimators of scikit-learn: their names, and their options with the default grids.

scikit-learn is not loaded here; xval/training/classical/__init__.py explains the options.
"""

from collections.abc import Mapping
from typing import Any, Literal, get_args

from xval.measures.tasks.classification import TASK as CLASSIFICATION
from xval.measures.tasks.regression import TASK as REGRESSION
from xval.settings.options import Architecture, Option

Statistic = Literal["mean", "deviation", "minimum", "maximum", "median", "delta_mean", "delta_deviation"]
"""The statistics that `pooling` may name; delta_: of the differences of neighbouring frames."""
STATISTICS: tuple[str, ...] = get_args(Statistic)

FIT_ON = "fit_on"
NEUTRAL_OPTIONS: Mapping[str, object] = {FIT_ON: "training"}
"""Options that older results lack, at the value those results were made with. They are no part of the hash there."""
_SHARED = (
    Option("pooling", "tuple[str, ...]", ("mean", "deviation")),
    Option("time_parts", "int", 1),
    Option("pca_components", "int", 0),
    Option(FIT_ON, "Literal['all', 'training']", "all"),
)
_KERNEL = (
    Option("kernel", "Literal['rbf', 'linear']", "rbf"),
    Option("gamma", "tuple[str, ...]", ("scale", "0.01", "0.001")),
)
_TREES = Option("n_trees", "int", 100)
_CLASSES, _NUMBERS = CLASSIFICATION.name, REGRESSION.name


def _estimator(name: str, task_types: tuple[str, ...], *options: Option) -> Architecture:
    declared = {option.name: option for option in (*_SHARED, *options)}
    return Architecture(name, declared, "none", task_types, build_path="", file="xval/settings/classical.py")


# The first of equally good settings is taken, so the simpler ones come first.
CLASSICAL: Mapping[str, Architecture] = {
    architecture.name: architecture
    for architecture in (
        _estimator("constant", (_CLASSES, _NUMBERS)),
        _estimator("svm", (_CLASSES,), Option("C", "tuple[float, ...]", (0.1, 1.0, 10.0, 100.0)), *_KERNEL),
        _estimator("logistic", (_CLASSES,), Option("C", "tuple[float, ...]", (0.001, 0.01, 0.1, 1.0, 10.0))),
        _estimator(
            "forest",
            (_CLASSES, _NUMBERS),
            _TREES,
            Option("max_features", "tuple[str, ...]", ("sqrt",)),
            Option("min_samples_leaf", "tuple[int, ...]", (5, 2, 1)),
        ),
        _estimator(
            "boosting",
            (_CLASSES, _NUMBERS),
            _TREES,
            Option("shrinkage", "tuple[float, ...]", (0.1,)),
            Option("max_leaf_nodes", "tuple[int, ...]", (3, 7)),
            Option("min_samples_leaf", "tuple[int, ...]", (10,)),
        ),
        _estimator(
            "knn",
            (_CLASSES, _NUMBERS),
            Option("n_neighbors", "tuple[int, ...]", (15, 9, 5, 3, 1)),
            Option("weights", "Literal['uniform', 'distance']", "distance"),
        ),
        _estimator("linear", (_NUMBERS,)),
        _estimator("ridge", (_NUMBERS,), Option("alpha", "tuple[float, ...]", (1000.0, 100.0, 10.0, 1.0, 0.1, 0.01))),
        _estimator(
            "svr",
            (_NUMBERS,),
            Option("C", "tuple[float, ...]", (0.1, 1.0, 10.0)),
            Option("epsilon", "tuple[float, ...]", (0.1,)),
            *_KERNEL,
        ),
    )
}
WORDS: Mapping[str, tuple[str, ...]] = {"gamma": ("scale",), "max_features": ("sqrt", "log2")}
"""Words of scikit-learn for values of options that are otherwise numbers."""


def fits_validation(options: Mapping[str, Any]) -> bool:
    """Return whether an instance with these options also fits its estimator to the validation items."""
    return options.get(FIT_ON) == "all"


def single_values(options: Mapping[str, Any]) -> str:
    """Return a value for each option that is searched, as an instance would set it: ``C = 1.0, gamma = "scale"``."""
    chosen = {name: values[(len(values) - 1) // 2] for name, values in grid_of(options).items() if len(values) > 1}
    chosen |= {name: words[0] for name, words in WORDS.items() if name in chosen and words[0] in options[name]}
    return ", ".join(
        f'{name} = "{value}"' if isinstance(value, str) else f"{name} = {value:g}" for name, value in chosen.items()
    )


def grid_of(options: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return the grid that is searched: the values of each option that may have several, as scikit-learn writes them."""
    searched = {name: list(values) for name, values in options.items() if isinstance(values, tuple) and name != "pooling"}
    for name, words in WORDS.items():
        if name in searched:
            searched[name] = [value if value in words else float(value) for value in searched[name]]
    if options.get("kernel") == "linear":
        searched["gamma"] = ["scale"]  # it has no effect
    return searched
