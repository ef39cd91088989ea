"""Permutation importance of feature groups (Breiman 2001), for any model that is a function of features."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xval.base.errors import SettingsError, counted

N_PERMUTATIONS = 10  # for each group

Predict = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""From features, float32 (n_examples, n_features), to probabilities or numbers, float32 (n_examples, n_outputs)."""
Score = Callable[[NDArray[Any], NDArray[np.float32]], float]
"""From targets, (n_examples, ...), and predictions, float32 (n_examples, n_outputs), to a score; higher is better."""


def permutation_importance(
    predict: Predict,
    features: NDArray[np.float32],
    targets: NDArray[Any],
    groups: Mapping[str, Sequence[int]],
    score: Score,
    *,
    seed: int,
) -> pd.DataFrame:
    """Return the decrease of a score if the values of each feature group are permuted between examples.

    The columns of a group are permuted together, so that redundant features cannot replace each other.

    Args:
        predict: The model, a classifier or a regression.
        features: float32 (n_examples, n_features), of examples that the model was not trained on.
        targets: (n_examples, ...), in the form that the score expects.
        groups: Column indices by the name of the group.
        score: Returns the score of targets and predictions; higher is better.
        seed: Seed of the permutations.

    Returns:
        A row per group with the columns group, n_features, importance (the mean decrease over 10 permutations) and deviation
        (its standard deviation over the permutations), the most important group first.

    Raises:
        SettingsError: There are fewer than two examples, or no group.
    """
    if len(features) < 2 or not groups:
        raise SettingsError(
            f"{counted(len(features), 'example')} and {counted(len(groups), 'group')} of features; expected at least "
            "two and one."
        )
    rng = np.random.default_rng(seed)
    unpermuted_score = score(targets, predict(features))
    rows = []
    for name, columns in groups.items():
        decreases = []
        for _ in range(N_PERMUTATIONS):
            permuted = features.copy()
            permuted[:, columns] = features[rng.permutation(len(features))][:, columns]
            decreases.append(unpermuted_score - score(targets, predict(permuted)))
        rows.append((name, len(columns), float(np.mean(decreases)), float(np.std(decreases, ddof=1))))
    table = pd.DataFrame(rows, columns=["group", "n_features", "importance", "deviation"])
    return table.sort_values("importance", ascending=False, kind="stable", ignore_index=True)
