"""Set operations on half-open intervals of whole numbers: samples, or nanoseconds where no sample rate is known.

Intervals are int64 (n, 2) arrays of begin and end; the end does not belong to its interval. Inputs may overlap and be in any
order, and an interval that ends where or before it begins is empty. Results are sorted and neither overlap nor touch.
"""

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray

Intervals = NDArray[np.int64]
Membership = NDArray[np.bool_]
NS_PER_S = 1_000_000_000


def from_seconds(start_s: ArrayLike, end_s: ArrayLike, rate_hz: int = NS_PER_S) -> Intervals:
    """Return intervals in samples.

    Args:
        start_s: Begins, float (n,), s.
        end_s: Ends, float (n,), s.
        rate_hz: Samples per second; as it stands, the intervals are in nanoseconds, which tell the samples of every rate of
            audio apart.

    Returns:
        int64 (n, 2), each number rounded to the nearest sample.
    """
    edges = np.column_stack([np.asarray(start_s, dtype=np.float64), np.asarray(end_s, dtype=np.float64)])
    return np.rint(edges * rate_hz).astype(np.int64)


def union(intervals: Intervals) -> Intervals:
    """Return what is in any of the intervals: sorted, apart from each other, none empty."""
    kept = intervals[intervals[:, 0] < intervals[:, 1]]
    if len(kept) == 0:
        return kept.reshape(0, 2)
    kept = kept[np.argsort(kept[:, 0], kind="stable")]
    reached = np.maximum.accumulate(kept[:, 1])
    first = np.flatnonzero(np.append(True, kept[1:, 0] > reached[:-1]))
    last = np.append(first[1:], len(kept)) - 1
    return np.column_stack([kept[first, 0], reached[last]])


def intersect(a: Intervals, b: Intervals) -> Intervals:
    """Return what is in both sets."""
    return _combine(a, b, np.logical_and)


def subtract(a: Intervals, b: Intervals) -> Intervals:
    """Return what is in the first set but not in the second."""
    return _combine(a, b, lambda in_a, in_b: in_a & ~in_b)


def total(intervals: Intervals) -> int:
    """Return the length of all intervals together; what is in several counts once."""
    apart = union(intervals)
    return int(np.sum(apart[:, 1] - apart[:, 0]))


def join(sets: Iterable[Intervals]) -> Intervals:
    """Return what is in any of several sets."""
    return union(np.concatenate([np.empty((0, 2), dtype=np.int64), *sets]))


def covered(intervals: Intervals, edges: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how much of each segment between neighbouring edges is in the intervals.

    Args:
        intervals: Any set.
        edges: int64 (n_stretches + 1,), rising.

    Returns:
        int64 (n_stretches,).
    """
    apart = union(intervals)
    if len(apart) == 0:
        return np.zeros(len(edges) - 1, dtype=np.int64)
    before = np.append(0, np.cumsum(apart[:, 1] - apart[:, 0]))
    n_begun = np.searchsorted(apart[:, 0], edges, side="right")
    # Of the interval that began last, what lies behind the edge does not count yet.
    behind = np.maximum(apart[np.maximum(n_begun, 1) - 1, 1] - edges, 0)
    return np.diff(before[n_begun] - np.where(n_begun > 0, behind, 0))


def _combine(a: Intervals, b: Intervals, wanted: Callable[[Membership, Membership], Membership]) -> Intervals:
    """Return the segments between all edges whose membership of the two sets is wanted."""
    a, b = union(a), union(b)
    edges = np.unique(np.concatenate([a.ravel(), b.ravel()]))
    inside = [
        np.searchsorted(rows[:, 0], edges[:-1], side="right") > np.searchsorted(rows[:, 1], edges[:-1], side="right")
        for rows in (a, b)
    ]
    return union(np.column_stack([edges[:-1], edges[1:]])[wanted(*inside)])
