"""How many seeds a fold is trained with: as many as the setting `repeats`, or one if the seed has no effect.

Copies of one model would look like seeds that do not differ at all.
"""

from collections.abc import Mapping

_WITHOUT_RANDOMNESS = ("constant", "svm", "logistic", "knn", "linear", "ridge", "svr")


def has_randomness(parameters: Mapping[str, object]) -> bool:
    """Return whether another seed may give another model.

    The solvers of some estimators of scikit-learn draw nothing, unless principal components are made, a search draws settings
    or the seed chooses a share of the training items.
    """
    draws = (parameters.get("pca_components"), parameters.get("search"), parameters.get("train_fraction", 1.0) != 1)
    return parameters.get("architecture") not in _WITHOUT_RANDOMNESS or any(draws)


def count_repeats(parameters: Mapping[str, object]) -> int:
    """Return the number of seeds with which each fold is trained."""
    repeats = parameters.get("repeats", 1)
    return repeats if isinstance(repeats, int) and has_randomness(parameters) else 1
