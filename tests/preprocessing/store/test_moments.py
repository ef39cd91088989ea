"""The sums by which features are normalised: those of the chosen items, whatever the others hold."""

from pathlib import Path

import numpy as np
import pytest

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


def test_they_do_not_depend_on_the_values_of_other_items_nor_on_order(tmp_path: Path) -> None:
    before = read(write(tmp_path, VALUES), "ac")
    after = read(write(tmp_path, VALUES | {"b": 1e6 * VALUES["b"][:2]}), "ca")

    assert before.count == after.count
    np.testing.assert_array_equal(before.sum, after.sum)
    np.testing.assert_array_equal(before.sum_of_squares, after.sum_of_squares)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e200])
def test_values_whose_squares_are_not_finite_are_left_out_whole(value: float) -> None:
    sums = sums_of(VALUES["a"])
    before = sums.sum.copy()
    with np.errstate(over="ignore"):
        assert not sums.add(np.array([[1.0, 2.0, value]]))
    assert sums.count == 20
    np.testing.assert_array_equal(sums.sum, before)


def test_an_archive_that_is_damaged_in_any_part_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, VALUES)
    content = path.read_bytes()
    entry = content.index(b"PK\x01\x02") + 10  # of the first array in the directory: how it is compressed
    other_method = content[:entry] + b"\xff" + content[entry + 1 :]
    for damaged in (b"", content[:100], content[:-50], b"x" * 300, other_method):
        path.write_bytes(damaged)
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
