"""Set operations on half-open intervals of whole numbers: samples, or nanoseconds where no sample rate is known.

Intervals are int64 (n, 2) arrays of start and end; the end is excluded. Inputs may overlap and be in any order, and an interval
whose end is not after its start is empty. Results are sorted and neither overlap nor touch.
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
        start_s: float (n,), starts, seconds.
        end_s: float (n,), ends, seconds.
        rate_hz: Samples per second; by default intervals are in nanoseconds, which distinguish the samples of all audio sample
            rates.

    Returns:
        int64 (n, 2), each number rounded to the nearest sample.
    """
    edges = np.column_stack([np.asarray(start_s, dtype=np.float64), np.asarray(end_s, dtype=np.float64)])
    return np.rint(edges * rate_hz).astype(np.int64)


def union(intervals: Intervals) -> Intervals:
    """Return the union of the intervals: sorted, disjoint, none empty."""
    kept = intervals[intervals[:, 0] < intervals[:, 1]]
    if len(kept) == 0:
        return kept.reshape(0, 2)
    kept = kept[np.argsort(kept[:, 0], kind="stable")]
    reached = np.maximum.accumulate(kept[:, 1])
    first = np.flatnonzero(np.append(True, kept[1:, 0] > reached[:-1]))
    last = np.append(first[1:], len(kept)) - 1
    return np.column_stack([kept[first, 0], reached[last]])


def intersect(a: Intervals, b: Intervals) -> Intervals:
    """Return the intersection of two sets of intervals."""
    return _combine(a, b, np.logical_and)


def subtract(a: Intervals, b: Intervals) -> Intervals:
    """Return the first set of intervals without the second."""
    return _combine(a, b, lambda in_a, in_b: in_a & ~in_b)


def total(intervals: Intervals) -> int:
    """Return the length of the union of all intervals."""
    apart = union(intervals)
    return int(np.sum(apart[:, 1] - apart[:, 0]))


def join(sets: Iterable[Intervals]) -> Intervals:
    """Return the union of several sets of intervals."""
    return union(np.concatenate([np.empty((0, 2), dtype=np.int64), *sets]))


def covered(intervals: Intervals, edges: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the length of each segment between neighbouring edges that the intervals cover.

    Args:
        intervals: A set of intervals.
        edges: int64 (n_segments + 1,), ascending.

    Returns:
        int64 (n_segments,).
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
    """Return the segments between all edges with the requested membership in the two sets."""
    a, b = union(a), union(b)
    edges = np.unique(np.concatenate([a.ravel(), b.ravel()]))
    inside = [
        np.searchsorted(rows[:, 0], edges[:-1], side="right") > np.searchsorted(rows[:, 1], edges[:-1], side="right")
        for rows in (a, b)
    ]
    return union(np.column_stack([edges[:-1], edges[1:]])[wanted(*inside)])
