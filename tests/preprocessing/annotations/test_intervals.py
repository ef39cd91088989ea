"""Sets of intervals against sets of whole numbers."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from preprocessing.annotations.intervals import covered, from_seconds, intersect, join, subtract, total, union

any_set = st.lists(st.tuples(st.integers(-8, 30), st.integers(-8, 30)), max_size=8).map(
    lambda pairs: np.array(pairs, dtype=np.int64).reshape(-1, 2)
)


def points(intervals):
    return {point for start, end in intervals for point in range(start, end)}


def assert_plain(intervals):
    assert intervals.dtype == np.int64
    assert intervals.shape[1:] == (2,)
    assert np.all(np.diff(intervals.ravel()) > 0)  # rising, not empty, not touching


@given(any_set, any_set)
def test_they_are_sets_of_points(a, b):
    for found, wanted in (
        (union(a), points(a)),
        (join([a, b]), points(a) | points(b)),
        (intersect(a, b), points(a) & points(b)),
        (subtract(a, b), points(a) - points(b)),
    ):
        assert_plain(found)
        assert points(found) == wanted
        assert total(found) == len(wanted)
    assert total(a) == len(points(a))


@given(any_set, st.lists(st.integers(-10, 32), min_size=2, unique=True).map(sorted))
def test_what_is_covered_between_edges(intervals, edges):
    found = covered(intervals, np.array(edges))
    assert found.tolist() == [len(points(intervals) & set(range(first, stop))) for first, stop in pairwise(edges)]


def test_touching_intervals_are_one_and_empty_ones_none():
    assert union(np.array([[5, 9], [0, 5], [12, 12], [20, 15]])).tolist() == [[0, 9]]
    assert join([]).shape == (0, 2)


@pytest.mark.parametrize("rate_hz", [8000, 11025, 16000, 44100, 192000, 250000])
def test_seconds_of_samples_become_these_samples_again_by_way_of_nanoseconds(rate_hz):
    samples = np.random.default_rng(rate_hz).integers(0, 3600 * rate_hz, (2000, 2))
    assert np.array_equal(from_seconds(*(samples / rate_hz).T, rate_hz=rate_hz), samples)
    nanoseconds = from_seconds(*(samples / rate_hz).T)
    assert np.array_equal(from_seconds(*(nanoseconds / 1e9).T, rate_hz=rate_hz), samples)
