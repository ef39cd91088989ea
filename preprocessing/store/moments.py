"""Sums over the frames of items, by which features are normalised, and the file that holds them.

Count, sum and sum of squares are kept by item, so that the statistics of a fold are those of only its training items.
"""

import zipfile
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xval.base.errors import CorpusError, suggestion
from xval.base.operating_system import open_regular

DAMAGE = (
    OSError, ValueError, EOFError, KeyError, TypeError, SyntaxError, TokenError, OverflowError, MemoryError,
    RuntimeError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
"""What numpy raises about a .npy or .npz file that is cut off or overwritten."""


@dataclass(frozen=True)
class Moments:
    """Sums over the frames of some items.

    Attributes:
        count: Number of values in each bin.
        sum: float64 (n_bins,), sum of the values.
        sum_of_squares: float64 (n_bins,), sum of their squares.
    """

    count: int
    sum: NDArray[np.float64]
    sum_of_squares: NDArray[np.float64]

    def mean(self) -> NDArray[np.float64]:
        """Return the mean of each bin, float64 (n_bins,)."""
        return self.sum / self.count

    def variance(self) -> NDArray[np.float64]:
        """Return the variance of each bin (divided by the count), float64 (n_bins,), 0 or more."""
        return np.maximum(self.sum_of_squares / self.count - self.mean() ** 2, 0)

    def scaling(self, normalization: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the mean and the variance that features are scaled by, each float64 (n_bins,).

        Args:
            normalization: ``per_bin``: those of each bin; ``global``: those of all bins together.
        """
        mean, variance = self.mean(), self.variance()
        if normalization == "global":
            overall = mean.mean()
            variance = np.full_like(variance, np.mean(variance + (mean - overall) ** 2))
            mean = np.full_like(mean, overall)
        return mean, variance


class ItemSums:
    """Sums of one item that grow clip by clip."""

    def __init__(self, n_bins: int) -> None:
        self.count = 0
        self.sum = np.zeros(n_bins)
        self.sum_of_squares = np.zeros(n_bins)

    def add(self, values: NDArray[np.floating]) -> bool:
        """Add values (..., n_bins) and return True; if one of them is NaN or infinite, add nothing and return False."""
        frames = values.reshape(-1, values.shape[-1]).astype(np.float64)
        squares = np.einsum("ij,ij->j", frames, frames)
        if not np.isfinite(squares).all():
            return False
        self.count += len(frames)
        self.sum += frames.sum(axis=0)
        self.sum_of_squares += squares
        return True

    def moments(self) -> Moments:
        """Return the sums so far."""
        return Moments(self.count, self.sum, self.sum_of_squares)

    def merge(self, other: "ItemSums") -> None:
        """Add the sums of other values."""
        self.count += other.count
        self.sum += other.sum
        self.sum_of_squares += other.sum_of_squares


def write_moments(path: Path, sums: Sequence[ItemSums]) -> None:
    """Write the sums of all items, in the order of the store's items.

    Raises:
        OSError: The disk is full or not writable.
    """
    with path.open("wb") as file:
        np.savez(
            file,
            count=np.array([item.count for item in sums], dtype=np.int64),
            sum=np.stack([item.sum for item in sums]),
            sum_of_squares=np.stack([item.sum_of_squares for item in sums]),
        )


def read_moments(path: Path, all_items: Sequence[str], items: Iterable[str], *, n_bins: int) -> Moments:
    """Return the sums over some items, added in their sorted order."""
    chosen = sorted(set(items))
    if not chosen:
        raise CorpusError(f"{path}: moments were requested for no items.")
    position = {item: index for index, item in enumerate(all_items)}
    for item in chosen:
        if item not in position:
            raise CorpusError(f"{path.parent}: the feature store has no item '{item}'. {suggestion(item, all_items)}")
    rows = [position[item] for item in chosen]
    count, total, squares = _read_sums(path, len(all_items), n_bins)
    return Moments(int(count[rows].sum()), np.add.reduce(total[rows], axis=0), np.add.reduce(squares[rows], axis=0))


def read_moments_by_item(path: Path, all_items: Sequence[str], *, n_bins: int) -> dict[str, Moments]:
    """Return the sums over each item."""
    sums = zip(all_items, *_read_sums(path, len(all_items), n_bins), strict=True)
    return {item: Moments(int(count), total, squares) for item, count, total, squares in sums}


def _read_sums(path: Path, n_items: int, n_bins: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return count, sum and sum of squares, a row for each item."""
    remedy = f"Delete the folder {path.parent}; the next run makes it again (arrays from a script: run the script again)."
    try:
        with open_regular(path) as file, np.load(file, allow_pickle=False) as arrays:
            count, total, squares = arrays["count"], arrays["sum"], arrays["sum_of_squares"]
    except DAMAGE as error:
        raise CorpusError(f"{path}: missing or damaged ({' '.join(str(error).split())}). {remedy}") from error
    if any(array.dtype.kind not in "iuf" or not np.isfinite(array).all() for array in (count, total, squares)):
        raise CorpusError(f"{path}: damaged (it has NaN or infinite numbers). {remedy}")
    if count.shape != (n_items,) or total.shape != (n_items, n_bins) or squares.shape != total.shape:
        raise CorpusError(f"{path}: damaged (shapes {count.shape}, {total.shape}, {squares.shape}). {remedy}")
    return count, total, squares
