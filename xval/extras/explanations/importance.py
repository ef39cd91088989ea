"""Permutation importance of groups of features (Breiman 2001), for any classifier that is a function of features.

Comes in: a function from features to probabilities, examples, and which columns belong together. Goes out: what the score loses
when the columns of a group are permuted between examples.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xval.base.errors import SettingsError, counted

N_PERMUTATIONS = 10  # of each group

Classify = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""From float32 (n_examples, n_features) to probabilities, or numbers, float32 (n_examples, n_outputs)."""
Score = Callable[[NDArray[Any], NDArray[np.float32]], float]


def permutation_importance(
    classify: Classify,
    features: NDArray[np.float32],
    targets: NDArray[Any],
    groups: Mapping[str, Sequence[int]],
    score: Score,
    *,
    seed: int,
) -> pd.DataFrame:
    """Return what a score loses without each group of features.

    The columns of a group are permuted together, so that features that say the same do not stand in for each other.

    Args:
        classify: Also of numbers.
        features: float32 (n_examples, n_features), of examples that did not train it.
        targets: (n_examples, ...), as the score takes them.
        groups: Columns by the name of the group.
        score: From targets and answers; more is better.
        seed: Of the permutations.

    Returns:
        group, n_features, importance (the mean loss) and deviation (over 10 permutations), the most important first.
    """
    if len(features) < 2 or not groups:
        raise SettingsError(
            f"{counted(len(features), 'example')} and {counted(len(groups), 'group')} of features; expected at least "
            "two and one."
        )
    rng = np.random.default_rng(seed)
    whole = score(targets, classify(features))
    rows = []
    for name, columns in groups.items():
        losses = []
        for _ in range(N_PERMUTATIONS):
            permuted = features.copy()
            permuted[:, columns] = features[rng.permutation(len(features))][:, columns]
            losses.append(whole - score(targets, classify(permuted)))
        rows.append((name, len(columns), float(np.mean(losses)), float(np.std(losses, ddof=1))))
    table = pd.DataFrame(rows, columns=["group", "n_features", "importance", "deviation"])
    return table.sort_values("importance", ascending=False, kind="stable", ignore_index=True)
