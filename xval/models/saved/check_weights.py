"""Check the weights of a saved model (model.weights.h5, unpacked) before Keras reads them, and count their numbers."""

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from xval.base.errors import UnsafeModelError, brief

if TYPE_CHECKING:
    import h5py

_MOST_OBJECTS = 100_000  # groups and datasets; a layer takes about 5
_DEEPEST = 100  # groups in each other; a layer in a model in a model takes 9. Groups that hold each other never end.
_BFLOAT16 = "bfloat16"
_EXPONENT = 0x7F80  # of a bfloat16, all ones for NaN and infinity
_SLAB_VALUES = 1 << 22


def check_weights(file: Path, path: Path) -> int:
    """Return how many numbers the weights are; refuse what is no plain number, NaN, infinite, or stored elsewhere.

    Elsewhere is another file, a link that Keras does not write, a virtual or compressed dataset, or nowhere, where a dataset
    declares more than is stored.
    """
    import h5py

    try:
        with h5py.File(file, "r") as weights:
            return _check_group(weights, path, file.stat().st_size)
    except UnsafeModelError:
        raise
    except (OSError, RuntimeError, ValueError, KeyError, TypeError) as error:  # what h5py raises for damaged files
        raise UnsafeModelError(f"{path}: not loaded, because its weights are damaged ({brief(error, 200)}).") from error


def _check_group(root: "h5py.Group", path: Path, n_bytes: int) -> int:
    """Check everything below a group, following only links of Keras's kind; return how many numbers there are."""
    import h5py

    waiting, n_objects, n_values, declared = [root], 0, 0, 0
    while waiting:
        group = waiting.pop()
        for name in group:
            where = f"{group.name.rstrip('/')}/{name}"
            n_objects += 1
            if n_objects > _MOST_OBJECTS or where.count("/") > _DEEPEST:
                raise _refused(path, where, "is one of too many groups, or of groups that hold each other")
            link = group.get(name, getlink=True)
            if not isinstance(link, h5py.HardLink):
                target = getattr(link, "filename", None) or getattr(link, "path", "")
                raise _refused(path, where, f"is a link to {target!r:.80} ({type(link).__name__})")
            member = group[name]
            if isinstance(member, h5py.Group):
                waiting.append(member)
            elif isinstance(member, h5py.Dataset):
                declared += _check_dataset(member, path, where)
                n_values += math.prod(member.shape)
            else:
                raise _refused(path, where, f"is a {type(member).__name__}; expected groups and datasets")
            if declared > n_bytes:
                raise _refused(path, where, f"and those before it declare {declared} bytes; the file has {n_bytes}")
    return n_values


def _check_dataset(dataset: "h5py.Dataset", path: Path, where: str) -> int:
    """Check one dataset; return its size in bytes."""
    if dataset.external:
        raise _refused(path, where, f"is stored in another file ({dataset.external[0][0]!r:.80})")
    if dataset.is_virtual:
        raise _refused(path, where, "is made of the datasets of other files (virtual)")
    if dataset.chunks is not None:
        raise _refused(path, where, "is stored in pieces or compressed, which Keras never does")
    is_bfloat16 = dataset.dtype.kind == "V" and dataset.attrs.get("dtype") == _BFLOAT16
    is_plain = dataset.dtype.kind in "fiub" and dataset.dtype.names is None
    if dataset.shape is None or not (is_plain or (is_bfloat16 and dataset.dtype == np.dtype("V2"))):
        raise _refused(path, where, f"holds {dataset.dtype}; expected numbers")
    n_bytes = int(math.prod(dataset.shape) * dataset.dtype.itemsize)
    stored = dataset.id.get_storage_size()
    if n_bytes > stored:
        raise _refused(path, where, f"declares {n_bytes} bytes, but stores {stored}")
    if is_bfloat16 or dataset.dtype.kind == "f":
        _check_finite(dataset, path, where)
    return n_bytes


def _check_finite(dataset: "h5py.Dataset", path: Path, where: str) -> None:
    n_rows = max(1, _SLAB_VALUES // max(1, math.prod(dataset.shape[1:])))
    slabs = [slice(start, start + n_rows) for start in range(0, dataset.shape[0], n_rows)] if dataset.shape else [()]
    for slab in slabs:
        values = np.asarray(dataset[slab])
        is_bfloat16 = values.dtype.kind == "V"  # NumPy by itself does not know the type
        is_finite = (values.view(np.uint16) & _EXPONENT) != _EXPONENT if is_bfloat16 else np.isfinite(values)
        if not is_finite.all():
            raise _refused(path, where, "holds NaN or infinite numbers: its training diverged, or the file is damaged")


def _refused(path: Path, where: str, reason: str) -> UnsafeModelError:
    return UnsafeModelError(f"{path}: not loaded, because in its weights {where:.100} {reason}.")
