"""Compute once what the settings of a grid share in one split of the search: inner products, or features in fewer dimensions.

An estimator predicts the same from them, in a fraction of the time where features are many.

A support vector machine reads kernels, which are made of inner products (kernels.py). A linear model with an L2 penalty has its
weights in the space that its training examples span. With n examples of p > n features it is therefore the same in n
dimensions, those of the rows of R where X = R Q and the rows of Q are orthonormal (Hastie and Tibshirani 2004, "Efficient
quadratic regularization for expression arrays", Biostatistics 5). Ridge regression is left as it is: scikit-learn solves it by
such inner products itself, in less time than this takes.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import qr
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.multioutput import MultiOutputRegressor

from xval.training.classical.kernels import FLOAT_BYTES, KernelMachine, SplitKernels

_LARGEST_KERNEL_BYTES = 1 << 29  # of 8,192 examples; inner products and one kernel are held at a time


class SharedInputs:
    """The examples of one split, as the estimators of a grid read them.

    Args:
        estimator: Not fitted, with any setting of the grid.
        fitted: float (n_fitted, n_features), what is fitted to.
        held: float (n_held, n_features), what is scored.
    """

    def __init__(self, estimator: BaseEstimator, fitted: NDArray[np.floating], held: NDArray[np.floating]) -> None:
        self._fitted, self._held = fitted, held
        self._kernels: SplitKernels | None = None
        n_fitted, n_features = fitted.shape
        if isinstance(_single_output_estimator(estimator), KernelMachine):
            if max(n_fitted, len(held)) * n_fitted * FLOAT_BYTES <= _LARGEST_KERNEL_BYTES:
                self._kernels = SplitKernels(fitted, held)
        elif isinstance(estimator, LogisticRegression) and n_features > n_fitted:
            directions, coordinates = qr(fitted.T.astype(np.float64), mode="economic", overwrite_a=True, check_finite=False)
            self._fitted, self._held = coordinates.T, held @ directions

    def fit_and_predict(self, estimator: BaseEstimator, targets: NDArray[Any]) -> NDArray[Any]:
        """Return what an estimator predicts of what is scored.

        Args:
            estimator: Not fitted, with the setting that is tried; of no use afterwards.
            targets: (n_fitted, ...), of what is fitted to.
        """
        fitted, held = self._fitted, self._held
        if self._kernels is not None:
            machine = _single_output_estimator(estimator)
            fitted, held = self._kernels.of(machine)
            machine.set_params(kernel="precomputed")
        return np.asarray(estimator.fit(fitted, targets).predict(held))


def _single_output_estimator(estimator: BaseEstimator) -> BaseEstimator:
    """Return the estimator of each number, where several are predicted by one each."""
    return estimator.estimator if isinstance(estimator, MultiOutputRegressor) else estimator
