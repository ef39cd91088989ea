"""The scikit-learn estimators: each as an unfitted Pipeline, with the search grid of its settings.

Random validation examples of scikit-learn are switched off, because they would be clips, not items (boosting). Neighbours are
found by brute force, because a tree could not be checked when it is loaded.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from sklearn.base import BaseEstimator
from sklearn.decomposition import PCA
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.multioutput import MultiOutputRegressor
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR

from xval.settings.classical import grid_of

ClassWeight: TypeAlias = Mapping[int, float] | str | None
"""Class weights in scikit-learn's form: by class number, ``balanced``, or None for equal weights."""
_N_TREES = 100

# Of feature_combination. The ranges for the SVM are those of deep_audio_features (Giannakopoulos), a little narrower; "scale"
# is 1 / (number of features x their variance).
_COMBINED: dict[str, tuple[str, dict[str, Sequence[Any]]]] = {
    "svm": ("svm", {"C": (0.1, 1.0, 10.0, 100.0, 1000.0), "gamma": ("scale", 1e-2, 1e-3, 1e-4)}),
    "random_forest": ("forest", {"max_features": ("sqrt", 0.3), "min_samples_leaf": (5, 2, 1)}),
    "logistic_regression": ("logistic", {"C": (1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0)}),
}
_AS_SCIKIT_LEARN = {"shrinkage": "learning_rate"}


@dataclass(frozen=True)
class EstimatorSpec:
    """The specification of an estimator.

    Attributes:
        name: constant, svm, logistic, forest, boosting, knn, linear, ridge or svr.
        grid: The values of each searched setting.
        n_trees: Number of trees of a forest, or of rounds of boosting.
        kernel: Kernel of an SVM.
        weights: Weights of neighbours.
        n_components: Largest number of principal components; 0: none.
    """

    name: str
    grid: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    n_trees: int = _N_TREES
    kernel: str = "rbf"
    weights: str = "distance"
    n_components: int = 0

    @classmethod
    def of(cls, name: str, options: Mapping[str, Any]) -> "EstimatorSpec":
        """Return the estimator of an architecture with its options."""
        fixed = {key: options[key] for key in ("n_trees", "kernel", "weights") if key in options}
        return cls(name, grid_of(options), n_components=options["pca_components"], **fixed)

    @classmethod
    def for_combination(cls, classifier: str, pca_components: int) -> "EstimatorSpec":
        """Return the classifier of a combination of features."""
        name, grid = _COMBINED[classifier]
        return cls(name, grid, _N_TREES, n_components=pca_components)

    def make(self, *, has_classes: bool, n_components: int, class_weight: ClassWeight = None, seed: int) -> Pipeline:
        """Return an unfitted pipeline of scaler, principal components (if requested) and estimator.

        Args:
            has_classes: Whether it predicts classes; otherwise it predicts numbers.
            n_components: Number of principal components.
            class_weight: Class weights in scikit-learn's form.
            seed: Random seed.
        """
        estimator = self._classifier(seed, class_weight) if has_classes else self._regressor(seed)
        components = [("pca", PCA(n_components, random_state=seed))] if n_components else []
        return Pipeline([("scaler", StandardScaler()), *components, ("classifier", estimator)])

    def parameters(self, settings: Mapping[str, Any], estimator: BaseEstimator) -> dict[str, Any]:
        """Return one setting of the grid under scikit-learn's names for the estimator."""
        prefix = "estimator__" if isinstance(estimator, MultiOutputRegressor) else ""
        return {prefix + _AS_SCIKIT_LEARN.get(name, name): value for name, value in settings.items()}

    def _classifier(self, seed: int, weight: ClassWeight) -> BaseEstimator:
        match self.name:
            case "constant":
                return DummyClassifier(strategy="prior")
            case "svm":
                return SVC(kernel=self.kernel, break_ties=True, class_weight=weight)
            case "logistic":
                return LogisticRegression(max_iter=2000, class_weight=weight)
            case "forest":
                return RandomForestClassifier(self.n_trees, class_weight=weight, random_state=seed)
            case "boosting":
                return HistGradientBoostingClassifier(
                    max_iter=self.n_trees, early_stopping=False, class_weight=weight, random_state=seed
                )
            case "knn":
                return KNeighborsClassifier(weights=self.weights, algorithm="brute")
        raise ValueError(f"{self.name} is not a classifier")

    def _regressor(self, seed: int) -> BaseEstimator:
        match self.name:
            case "constant":
                return DummyRegressor(strategy="mean")
            case "linear":
                return LinearRegression()
            case "ridge":
                return Ridge()
            case "svr":
                return MultiOutputRegressor(SVR(kernel=self.kernel))
            case "forest":
                return RandomForestRegressor(self.n_trees, random_state=seed)
            case "boosting":
                made = HistGradientBoostingRegressor(max_iter=self.n_trees, early_stopping=False, random_state=seed)
                return MultiOutputRegressor(made)
            case "knn":
                return KNeighborsRegressor(weights=self.weights, algorithm="brute")
        raise ValueError(f"{self.name} does not predict numbers")
