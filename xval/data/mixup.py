"""Mix the training examples of a batch with each other (mixup); shapes stay the same."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def mixup_batch(
    predictors: NDArray[np.float32],
    targets: NDArray[np.float32],
    weights: NDArray[np.float32] | None,
    rng: np.random.Generator,
    alpha: float,
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32] | None]:
    """Mix each example with a partner from the same batch: share * own + (1 - share) * partner's.

    The share is drawn from Beta(alpha, alpha) for each example, as in the paper (Zhang et al., mixup: beyond empirical risk
    minimization, ICLR 2018, eq. 1); the code of its authors draws one per batch, which makes noisier steps. Partners are a
    random permutation of the batch, as in that code. Predictors, targets and weights are mixed with the same share. With masked
    padding, only the longer of the two clips continues after the end of the shorter one.

    Args:
        predictors: float32 (n_examples, ...).
        targets: float32, one-hot (n_examples, n_classes) or numbers (n_examples, n_outputs).
        weights: float32 (n_examples,), or None for equal weights.
        rng: Generator of partners and shares.
        alpha: Parameter of the beta distribution, above 0. With small values most examples hardly change; 1: all shares are
            equally likely.

    Returns:
        Predictors, targets and weights as new arrays of the same shapes and types.
    """
    partners, shares = draw_pairs(len(predictors), rng, alpha)
    mixture = mixed(predictors, partners, shares)
    if np.isnan(mixture).any():
        others = predictors[partners]
        mixture = np.where(np.isnan(others), predictors, np.where(np.isnan(predictors), others, mixture))
    return mixture, *mixed_labels(targets, weights, partners, shares)


def draw_pairs(n_examples: int, rng: np.random.Generator, alpha: float) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the partner of each example, int64 (n_examples,), and the partner's share, float32 (n_examples,)."""
    partners = rng.permutation(n_examples)
    return partners, 1 - rng.beta(alpha, alpha, size=n_examples).astype(np.float32)


def mixed_labels(
    targets: NDArray[np.float32],
    weights: NDArray[np.float32] | None,
    partners: NDArray[np.int64],
    shares: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """Return mixed targets and weights, if there are any."""
    if not np.issubdtype(targets.dtype, np.floating):
        raise TypeError(f"mixup needs one-hot targets or numbers as floats; received {targets.dtype} {targets.shape}.")
    return mixed(targets, partners, shares), None if weights is None else mixed(weights, partners, shares)


def mixed(values: NDArray[Any], partners: NDArray[np.int64], shares: NDArray[np.float32]) -> NDArray[Any]:
    """Return values (n_examples, ...), each mixed with a share of its partner's."""
    mixture: NDArray[Any] = values[partners] - values
    mixture *= shares.reshape(-1, *(1,) * (values.ndim - 1))
    mixture += values
    return mixture
