"""The sums by which features are normalised: those of the chosen items, whatever the others hold."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from preprocessing.store.moments import ItemSums, Moments, read_moments, write_moments
from xval.base.errors import CorpusError

ITEMS = ("a", "b", "c")
VALUES = {item: np.random.default_rng(number).normal(number, 1 + number, (5, 4, 3)) for number, item in enumerate(ITEMS)}


def sums_of(values: np.ndarray) -> ItemSums:
    sums = ItemSums(values.shape[-1])
    for clip in values:
        assert sums.add(clip)
    return sums


def write(folder: Path, values: dict[str, np.ndarray]) -> Path:
    path = folder / "moments.npz"
    write_moments(path, [sums_of(values[item]) for item in ITEMS])
    return path


def read(path: Path, items: str, n_bins: int = 3) -> Moments:
    return read_moments(path, ITEMS, items, n_bins=n_bins)


def test_mean_and_variance_are_those_of_all_frames(tmp_path: Path) -> None:
    moments = read(write(tmp_path, VALUES), "ac")

    frames = np.concatenate([VALUES["a"], VALUES["c"]]).reshape(-1, 3)
    assert moments.count == len(frames)
    np.testing.assert_allclose(moments.mean(), frames.mean(axis=0))
    np.testing.assert_allclose(moments.variance(), frames.var(axis=0))


def test_they_do_not_depend_on_the_values_of_other_items_nor_on_order(tmp_path: Path) -> None:
    before = read(write(tmp_path, VALUES), "ac")
    after = read(write(tmp_path, VALUES | {"b": 1e6 * VALUES["b"][:2]}), "ca")

    assert before.count == after.count
    np.testing.assert_array_equal(before.sum, after.sum)
    np.testing.assert_array_equal(before.sum_of_squares, after.sum_of_squares)


@given(st.lists(st.integers(1, 6), min_size=1, max_size=6))
def test_merged_sums_are_those_of_everything(sizes: list[int]) -> None:
    rng = np.random.default_rng(1)
    parts = [rng.normal(size=(size, 2)) for size in sizes]
    merged = ItemSums(2)
    for part in parts:
        merged.merge(sums_of(part[np.newaxis]))

    everything = np.concatenate(parts)
    assert merged.count == len(everything)
    np.testing.assert_allclose(merged.sum, everything.sum(axis=0), atol=1e-12)
    np.testing.assert_allclose(merged.sum_of_squares, (everything**2).sum(axis=0))


def test_a_constant_bin_has_no_negative_variance(tmp_path: Path) -> None:
    constant = {item: np.full((5, 4, 3), 1e4 + 0.1) for item in ITEMS}
    assert (read(write(tmp_path, constant), "abc").variance() >= 0).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e200])
def test_values_whose_squares_are_not_finite_are_left_out_whole(value: float) -> None:
    sums = sums_of(VALUES["a"])
    before = sums.sum.copy()
    with np.errstate(over="ignore"):
        assert not sums.add(np.array([[1.0, 2.0, value]]))
    assert sums.count == 20
    np.testing.assert_array_equal(sums.sum, before)


def test_no_items_and_unknown_items_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, VALUES)
    with pytest.raises(CorpusError, match="moments were requested for no items"):
        read(path, "")
    with pytest.raises(CorpusError, match=r"has no item 'd'\. Available: a, b, c"):
        read(path, "ad")


def test_a_missing_or_damaged_file_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(
        CorpusError, match=r"moments\.npz: missing or damaged .* Delete the folder .*; the next run makes it again"
    ):
        read(tmp_path / "moments.npz", "a")
    path = write(tmp_path, VALUES)
    content = path.read_bytes()
    entry = content.index(b"PK\x01\x02") + 10  # of the first array in the directory: how it is compressed
    other_method = content[:entry] + b"\xff" + content[entry + 1 :]
    for damaged in (b"", content[:100], content[:-50], b"x" * 300, other_method):
        path.write_bytes(damaged)
        with pytest.raises(CorpusError, match="missing or damaged"):
            read(path, "a")
    np.savez(path, count=np.zeros(3))
    with pytest.raises(CorpusError, match="missing or damaged"):
        read(path, "a")


def test_sums_of_another_store_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, VALUES)
    with pytest.raises(CorpusError, match=r"damaged \(shapes \(3,\), \(3, 3\), \(3, 3\)\)"):
        read(path, "a", n_bins=4)
    with pytest.raises(CorpusError, match="damaged"):
        read_moments(path, (*ITEMS, "d"), "a", n_bins=3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"count": None}, "missing or damaged"),
        ({"sum": np.full((3, 3), np.nan)}, "NaN or infinite numbers"),
        ({"sum_of_squares": np.full((3, 3), "x")}, "NaN or infinite numbers"),
    ],
)
def test_sums_that_were_edited_are_refused(tmp_path: Path, change: dict[str, object], message: str) -> None:
    path = write(tmp_path, VALUES)
    with np.load(path) as arrays:
        changed = {name: array for name, array in ({**arrays} | change).items() if array is not None}
    np.savez(path, **changed)

    with pytest.raises(CorpusError, match=rf"moments\.npz: .*{message}"):
        read(path, "a")
