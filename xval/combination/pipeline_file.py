"""Read the classifier of a combination from model.skops, which may come from elsewhere.

Comes in: the path of a .skops file. Goes out: a Pipeline of scikit-learn. The archive and the arrays in it are checked before
skops reads them. skops builds nothing but classes of scikit-learn and NumPy that are known to be harmless. The trees of a
forest are checked here, because skops does not look whether the nodes that they point at exist.
"""

import io
import re
from pathlib import Path
from typing import Any

import numpy as np

from xval.errors import ResultsError, UnsafeModelError
from xval.saved_models.archive import open_archive, read_member
from xval.saved_models.array_header import check_array_header

_TREE = "sklearn.tree._tree.Tree"
_ARRAY_NAME = re.compile(r"[0-9]+\.npy")
_LARGEST_ARRAY_BYTES = 4 << 30  # the support vectors of a million examples of 1000 features
_LARGEST_FILE_BYTES = 8 << 30
_LARGEST_SCHEMA_BYTES = 256 << 20  # names and settings of the parts: 21 kB for each tree of a forest


def load_pipeline(path: Path) -> Any:
    """Load a pipeline of known classes alone.

    Raises:
        ResultsError: The file is missing or damaged, or holds something else.
        UnsafeModelError: Its archive is refused; see `xval.saved_models.archive.open_archive`.
    """
    from sklearn.pipeline import Pipeline
    from skops.io import loads
    from skops.io.exceptions import UntrustedTypesFoundException

    try:
        if path.stat().st_size > _LARGEST_FILE_BYTES:
            raise UnsafeModelError(f"{path}: refused, it is larger than {_LARGEST_FILE_BYTES} bytes.")
        content = path.read_bytes()
        _check_archive(content, path)
        found = loads(content, trusted=[_TREE])
    except UntrustedTypesFoundException as error:
        raise ResultsError(f"{path}: refused, it holds what no classifier of xval holds ({error!s:.200}).") from error
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ResultsError(f"{path}: missing or damaged ({' '.join(str(error).split())[:200]}).") from error
    if not isinstance(found, Pipeline):
        raise ResultsError(f"{path}: holds a {type(found).__name__}, a Pipeline is wanted.")
    for estimator in getattr(found[-1], "estimators_", ()):
        _check_tree(estimator.tree_, path)
    return found


def _check_archive(content: bytes, path: Path) -> None:
    """Refuse an archive with other members than skops writes, and arrays that announce more than they hold."""
    with open_archive(io.BytesIO(content), path, _largest_member) as archive:
        for name in archive.namelist():
            if _ARRAY_NAME.fullmatch(name):
                array = read_member(archive, name, path)
                check_array_header(io.BytesIO(array), len(array))


def _largest_member(name: str) -> int | None:
    """Return the most bytes that a member of a .skops file may have; None where it has none of that name."""
    if name == "schema.json":
        return _LARGEST_SCHEMA_BYTES
    return _LARGEST_ARRAY_BYTES if _ARRAY_NAME.fullmatch(name) else None


def _check_tree(tree: Any, path: Path) -> None:
    """Refuse a tree whose nodes point at no node or no feature, because scikit-learn would follow them."""
    left, right, node = tree.children_left, tree.children_right, np.arange(tree.node_count)
    is_leaf = left == -1
    inner = ~is_leaf
    is_sound = (
        np.array_equal(is_leaf, right == -1)
        and all(((child > node) & (child < tree.node_count))[inner].all() for child in (left, right))
        and ((tree.feature >= 0) & (tree.feature < tree.n_features))[inner].all()
    )
    if not is_sound:
        raise ResultsError(f"{path}: damaged, a tree of its forest points at nodes or features that do not exist.")
