"""Match annotated with found events; each event is in at most one pair."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from preprocessing.annotations.intervals import Intervals


def fitting_pairs(reference: Intervals, estimated: Intervals, collar_ns: int, offset_share: float) -> NDArray[np.intp]:
    """Return the pairs of events that begin and end near each other.

    Args:
        reference: Annotated events, int64 (n, 2), ns.
        estimated: Found events, int64 (n, 2), ns.
        collar_ns: Largest distance between the starts, ns.
        offset_share: The ends may differ by the collar, or by this share of the annotated event's length.

    Returns:
        intp (n_pairs, 2): numbers of an annotated and a found event.
    """
    by_begin = np.argsort(estimated[:, 0], kind="stable")
    begins = estimated[by_begin, 0]
    first = np.searchsorted(begins, reference[:, 0] - collar_ns, side="left")
    stop = np.searchsorted(begins, reference[:, 0] + collar_ns, side="right")
    pairs = [
        (reference_number, estimated_number)
        for reference_number, (low, high) in enumerate(zip(first, stop, strict=True))
        for estimated_number in by_begin[low:high]
    ]
    near_pairs = np.array(pairs, dtype=np.intp).reshape(-1, 2)
    lengths = np.diff(reference, axis=1)[near_pairs[:, 0], 0]
    end_distances_ns = np.abs(reference[near_pairs[:, 0], 1] - estimated[near_pairs[:, 1], 1])
    chosen: NDArray[np.intp] = near_pairs[end_distances_ns <= np.maximum(collar_ns, offset_share * lengths)]
    return chosen


def match_pairs(pairs: NDArray[np.intp], is_same: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Choose pairs so that each event is in at most one: first as many pairs of equal labels as possible, then as many others.

    Groups of events without connecting pairs are matched separately, so a long recording takes no more time than its parts.

    Args:
        pairs: intp (n_pairs, 2), the result of `fitting_pairs`.
        is_same: bool (n_pairs,), whether both events have the same label.

    Returns:
        The chosen pairs, intp (n_chosen, 2).
    """
    from scipy.optimize import linear_sum_assignment
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    if len(pairs) == 0:
        return pairs
    n_reference, n_estimated = pairs.max(axis=0) + 1
    n_nodes = n_reference + n_estimated
    graph = coo_matrix((np.ones(len(pairs)), (pairs[:, 0], n_reference + pairs[:, 1])), shape=(n_nodes, n_nodes))
    _, group = connected_components(graph, directed=False)
    chosen: list[NDArray[Any]] = []
    order = np.argsort(group[pairs[:, 0]], kind="stable")
    borders = np.flatnonzero(np.diff(group[pairs[order, 0]])) + 1
    for members in np.split(order, borders):
        rows, row = np.unique(pairs[members, 0], return_inverse=True)
        columns, column = np.unique(pairs[members, 1], return_inverse=True)
        gain = np.zeros((len(rows), len(columns)))
        # One more correct pair outweighs all substitutions that it may cost.
        gain[row, column] = np.where(is_same[members], min(gain.shape) + 1, 1)
        found_rows, found_columns = linear_sum_assignment(gain, maximize=True)
        is_pair = gain[found_rows, found_columns] > 0
        chosen.append(np.column_stack([rows[found_rows[is_pair]], columns[found_columns[is_pair]]]))
    return np.concatenate(chosen)
