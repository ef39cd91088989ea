"""Support vector machines with kernels from matrix products, which are faster than libsvm's pairs of examples.

The kernels rbf and linear are functions of inner products, which no setting changes: |x - y|^2 = x.x + y.y - 2 x.y. What libsvm
computes itself is the same but for the order in which a sum is taken.
"""

from copy import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import Pipeline
from sklearn.svm import SVC, SVR

FLOAT_BYTES = 8
_AT_ONCE_BYTES = 1 << 26  # of a kernel, where a fitted machine decides

KernelMachine = SVC | SVR


class SplitKernels:
    """The inner products of a split's examples, and the last kernel that was made of them.

    Args:
        fitted: float (n_fitted, n_features), the examples to fit.
        held: float (n_held, n_features), the examples to score.
    """

    def __init__(self, fitted: NDArray[np.floating], held: NDArray[np.floating]) -> None:
        known, unknown = fitted.astype(np.float64), held.astype(np.float64)
        variance = known.var()
        self._gamma_scale = 1 / (known.shape[1] * variance) if variance else 1.0  # as scikit-learn has it
        self._products = known @ known.T, unknown @ known.T
        self._squares = np.diagonal(self._products[0]), _squares(unknown)
        self._gamma: str | float | None = None
        self._kernels = self._products

    def of(self, machine: BaseEstimator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the kernel of the fitted examples, float64 (n_fitted, n_fitted), and of the scored ones."""
        if machine.kernel == "linear":
            return self._products
        if self._gamma != machine.gamma:
            self._kernels = self._products  # the last one is freed before the next is made
            gamma = self._gamma_scale if machine.gamma == "scale" else float(machine.gamma)
            fitted, held = (
                _rbf(products.copy(), squares, self._squares[0], gamma)
                for products, squares in zip(self._products, self._squares, strict=True)
            )
            self._gamma, self._kernels = machine.gamma, (fitted, held)
        return self._kernels


def decide(pipeline: Pipeline, features: NDArray[np.floating], method: str) -> NDArray[Any]:
    """Return the decision values or predictions of a fitted pipeline.

    Args:
        pipeline: Scaler and estimator.
        features: float (n_examples, n_features).
        method: decision_function or predict.
    """
    has_several = isinstance(pipeline[-1], MultiOutputRegressor)
    machines = pipeline[-1].estimators_ if has_several else [pipeline[-1]]
    if not all(isinstance(machine, KernelMachine) and len(machine.support_vectors_) for machine in machines):
        return np.asarray(getattr(pipeline, method)(features))
    scaled = pipeline[:-1].transform(features).astype(np.float64)
    decisions = [_decide_by_kernel(machine, scaled, method) for machine in machines]
    return np.stack(decisions, axis=1) if has_several else decisions[0]


def _decide_by_kernel(machine: BaseEstimator, scaled: NDArray[np.float64], method: str) -> NDArray[Any]:
    """Return the output of a fitted machine, from a copy that reads the kernel between examples and support vectors."""
    vectors = machine.support_vectors_
    squares, n_vectors = _squares(vectors), len(vectors)
    reader = copy(machine)
    reader.kernel = "precomputed"
    reader.support_ = np.arange(n_vectors, dtype=np.int32)  # the columns of the kernel
    reader.n_features_in_, reader.shape_fit_ = n_vectors, (n_vectors, n_vectors)
    decisions = []
    at_once = max(1, _AT_ONCE_BYTES // (FLOAT_BYTES * n_vectors))
    for first in range(0, len(scaled), at_once):
        examples = scaled[first : first + at_once]
        kernel = examples @ vectors.T
        if machine.kernel == "rbf":
            kernel = _rbf(kernel, _squares(examples), squares, machine._gamma)
        decisions.append(getattr(reader, method)(kernel))
    return np.concatenate(decisions)


def _rbf(
    products: NDArray[np.float64], left: NDArray[np.float64], right: NDArray[np.float64], gamma: float
) -> NDArray[np.float64]:
    """Replace the inner products x.y by exp(-gamma |x - y|^2) and return them.

    Args:
        products: float64 (n_left, n_right), overwritten.
        left: float64 (n_left,), x.x of each.
        right: float64 (n_right,), y.y of each.
        gamma: Above 0.
    """
    products *= 2
    products -= left[:, None]
    products -= right
    products *= gamma
    return np.asarray(np.exp(products, out=products))


def _squares(examples: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.einsum("ef,ef->e", examples, examples))
