"""Read a fitted scikit-learn pipeline from an untrusted model.skops.

The archive and its arrays are checked before skops reads them. skops only builds harmless classes of scikit-learn and NumPy.
This module also checks indices that compiled code follows without a check: that the nodes of trees exist, and that the arrays
of an SVM match.
"""

import importlib
import io
import re
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from sklearn.ensemble._hist_gradient_boosting.common import PREDICTOR_RECORD_DTYPE
from sklearn.pipeline import Pipeline

from xval.base.errors import ResultsError, UnsafeModelError, brief
from xval.base.hidden_modules import hidden
from xval.base.operating_system import open_regular
from xval.base.size_limits import LARGEST_MODEL_BYTES, LARGEST_TEXT_BYTES, IrregularFileError
from xval.models.saved.archive import open_archive, read_member
from xval.models.saved.array_header import check_array_header

_TREE = "sklearn.tree._tree.Tree"
_BOOSTED_TREE = "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"
_ESTIMATORS = {
    "SVC", "SVR", "LogisticRegression", "RandomForestClassifier", "RandomForestRegressor", "HistGradientBoostingClassifier",
    "HistGradientBoostingRegressor", "KNeighborsClassifier", "KNeighborsRegressor", "LinearRegression", "Ridge",
    "MultiOutputRegressor", "DummyClassifier", "DummyRegressor",
}  # fmt: skip
_STEPS = ("StandardScaler", "PCA")
_ARRAY_NAME = re.compile(r"[0-9]+\.npy")
_ENOUGH_TO_DESCRIBE = 1 << 16  # bytes of what is no archive


def import_skops() -> ModuleType:
    """Import skops.io, which searches all modules of scikit-learn, without the one that would load torch for seconds."""
    with hidden(["sklearn.externals.array_api_compat.torch"]):
        return importlib.import_module("skops.io")


def load_pipeline(path: Path) -> Any:
    """Load a pipeline of only known classes.

    Raises:
        ResultsError: The file is missing or damaged, or holds something else.
        UnsafeModelError: Its archive is not safe; see `xval.models.saved.archive.open_archive`.
    """
    skops_io = import_skops()
    from skops.io.exceptions import UntrustedTypesFoundException

    try:
        with open_regular(path, LARGEST_MODEL_BYTES) as file:
            is_archive = zipfile.is_zipfile(file)
            file.seek(0)
            content = file.read(-1 if is_archive else _ENOUGH_TO_DESCRIBE)
        _check_archive(content, path)
        pipeline = skops_io.loads(content, trusted=[_TREE, _BOOSTED_TREE])
    except UntrustedTypesFoundException as error:
        raise ResultsError(
            f"{path}: not loaded, because it has parts that no classifier of xval has ({error!s:.200})."
        ) from error
    except IrregularFileError as error:
        raise UnsafeModelError(f"{path}: not loaded, because it is {error.strerror}.") from error
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ResultsError(f"{path}: missing or damaged ({brief(error, 200)}).") from error
    if not isinstance(pipeline, Pipeline):
        raise ResultsError(f"{path}: has a {type(pipeline).__name__}; expected a Pipeline.")
    try:
        _check_pipeline(pipeline, path)
    except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
        raise ResultsError(f"{path}: damaged ({brief(error, 200)}).") from error
    return pipeline


def _check_pipeline(pipeline: Any, path: Path) -> None:
    """Raise an error for unknown steps, and for fitted arrays with indices out of bounds."""
    *before, last = (step for _, step in pipeline.steps)
    if wrong := [step for step in before if type(step).__name__ not in _STEPS]:
        raise ResultsError(f"{path}: not loaded, because {type(wrong[0]).__name__} is not a step of an xval estimator.")
    _check_estimator(last, path)


def _check_estimator(estimator: Any, path: Path) -> None:
    """Check a fitted estimator, or each of several that predict one number each."""
    name, width = type(estimator).__name__, estimator.n_features_in_  # scikit-learn refuses inputs of another width
    if name not in _ESTIMATORS:
        raise ResultsError(f"{path}: not loaded, because {name} is not an estimator of xval.")
    if name.startswith("RandomForest"):
        for part in estimator.estimators_:
            _check_tree(part.tree_, width, path)
    elif name == "MultiOutputRegressor":
        for part in estimator.estimators_:
            _check_estimator(part, path)
    elif name.startswith("HistGradientBoosting"):
        _check_boosting(estimator, width, path)
    elif name in ("SVC", "SVR"):
        _check_support_vectors(estimator, width, path)


def _check_archive(content: bytes, path: Path) -> None:
    """Raise an error for an archive with unknown members, and for arrays that declare more data than they have."""
    with open_archive(io.BytesIO(content), path, _largest_member) as archive:
        for name in archive.namelist():
            if _ARRAY_NAME.fullmatch(name):
                array = read_member(archive, name, path)
                check_array_header(io.BytesIO(array), len(array))


def _largest_member(name: str) -> int | None:
    """Return the largest size of a member of a .skops file in bytes; None if no member has this name."""
    if name == "schema.json":
        return LARGEST_TEXT_BYTES
    return LARGEST_MODEL_BYTES if _ARRAY_NAME.fullmatch(name) else None


def _check_tree(tree: Any, width: int, path: Path) -> None:
    """Raise an error for a tree whose nodes refer to a missing node or feature, because scikit-learn would follow them."""
    left, right, node = tree.children_left, tree.children_right, np.arange(tree.node_count)
    is_leaf = left == -1
    inner = ~is_leaf
    is_sound = (
        np.array_equal(is_leaf, right == -1)
        and all(((child > node) & (child < tree.node_count))[inner].all() for child in (left, right))
        and ((tree.feature >= 0) & (tree.feature < min(tree.n_features, width)))[inner].all()
    )
    if not is_sound:
        raise ResultsError(f"{path}: damaged, a tree of its forest points at nodes or features that do not exist.")


def _check_boosting(estimator: Any, width: int, path: Path) -> None:
    """Check boosted trees like `_check_tree`, and raise an error for categories, which no tree of xval has."""
    per_round = estimator.n_trees_per_iteration_
    is_sound = estimator.is_categorical_ is None or not np.any(estimator.is_categorical_)
    is_sound &= estimator._preprocessor is None
    is_sound &= np.shape(estimator._baseline_prediction) in ((1, per_round), (1, 1))
    for trees in estimator._predictors:
        is_sound &= len(trees) == per_round
        for tree in trees:
            nodes = tree.nodes
            if nodes.dtype != PREDICTOR_RECORD_DTYPE or nodes.ndim != 1 or not len(nodes):
                raise ResultsError(f"{path}: damaged, a tree of its boosting has no nodes of scikit-learn.")
            inner, number = nodes["is_leaf"] == 0, np.arange(len(nodes))
            for child in (nodes["left"], nodes["right"]):
                is_sound &= bool(((child > number) & (child < len(nodes)))[inner].all())
            features = nodes["feature_idx"][inner]
            is_sound &= bool(((features >= 0) & (features < width)).all()) and not nodes["is_categorical"].any()
    if not is_sound:
        raise ResultsError(f"{path}: damaged, a tree of its boosting points at nodes or features that do not exist.")


def _check_support_vectors(estimator: Any, width: int, path: Path) -> None:
    """Raise an error for an SVM whose arrays do not match, because libsvm would read beyond them."""
    vectors, counts = estimator.support_vectors_, np.asarray(estimator._n_support)
    n_classes = len(estimator.classes_) if hasattr(estimator, "classes_") else 2
    n_pairs = n_classes * (n_classes - 1) // 2
    numbers = (vectors, estimator._dual_coef_, estimator._intercept_)
    is_sound = (
        all(isinstance(array, np.ndarray) and array.dtype == np.float64 for array in numbers)
        and vectors.ndim == 2
        and vectors.shape[1] == width
        and counts.dtype == np.int32
        and counts.min() >= 0
        and (counts.sum() == len(vectors) or type(estimator).__name__ == "SVR")
        and estimator._dual_coef_.shape == (n_classes - 1, len(vectors))
        and estimator._intercept_.shape == (n_pairs,)
        and estimator.support_.shape == (len(vectors),)
        and estimator._sparse is False
        and estimator.kernel in ("rbf", "linear")
    )
    if not is_sound:
        raise ResultsError(f"{path}: damaged, the arrays of its SVM do not fit each other.")
