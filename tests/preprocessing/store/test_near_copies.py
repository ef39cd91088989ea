"""Arrays that are copies but for noise are found, and alike ones are not; where it cannot be told, nothing is said."""

import numpy as np
import pytest

from preprocessing import store
from preprocessing.clips.near_pairs import read_across_items
from preprocessing.corpus import open_corpus
from preprocessing.features.feature_settings import FeatureSettings
from preprocessing.quality.cautions import find_cautions
from preprocessing.store.near_copies import Sketches, find_near_copies


def with_copies(values: np.ndarray, noise: float) -> tuple[np.ndarray, list[str]]:
    """Return examples of one item, and copies of the first 40 under another."""
    rng = np.random.default_rng(1)
    copies = values[:40] + noise * values.std() * rng.normal(size=values[:40].shape)
    items = [*(f"item {row % 6}" for row in range(len(values))), *["copies"] * 40]
    return np.concatenate([values, copies]).astype(np.float32), items


def sketches_of(values: np.ndarray) -> np.ndarray:
    sketches = Sketches()
    for first in range(0, len(values), 50):
        sketches.add(values[first : first + 50])
    return sketches.values()


@pytest.mark.parametrize("shape", [(8,), (12, 8), (40, 40)], ids=["few values", "frames", "more than are compared"])
@pytest.mark.parametrize("noise", [0.001, 0.01])
def test_copies_with_noise_are_found_and_nothing_else(shape: tuple[int, ...], noise: float) -> None:
    rng = np.random.default_rng(0)
    values, items = with_copies(rng.normal(size=(200, *shape)), noise)

    found = find_near_copies(sketches_of(values), items)

    assert [(first, second) for first, second, _ in found] == [(row, 200 + row) for row in range(40)]
    assert all(0.8 < likeness < 1 for _, _, likeness in found)


def test_examples_of_classes_and_speakers_are_no_copies() -> None:
    rng = np.random.default_rng(0)
    speakers, classes = rng.normal(size=(6, 1, 1, 96)), rng.normal(size=(1, 3, 1, 96))
    values = (2 * speakers + 2 * classes + 0.5 * rng.normal(size=(6, 3, 15, 96))).reshape(270, 96)

    assert find_near_copies(values.astype(np.float32), [f"item {row // 45}" for row in range(270)]) == []


def test_where_copies_cannot_be_told_nothing_is_claimed() -> None:
    rng = np.random.default_rng(0)
    for values in (rng.normal(size=(200, 2)), rng.normal(size=(10, 50)), np.ones((30, 4))):
        assert find_near_copies(values.astype(np.float32), [f"item {row % 5}" for row in range(len(values))]) is None


def test_a_dataset_of_arrays_is_searched_when_it_is_written(tmp_path) -> None:
    values, items = with_copies(np.random.default_rng(0).normal(size=(60, 6, 4)), 0.01)
    predictors = {item: values[[other == item for other in items]] for item in dict.fromkeys(items)}
    targets = {item: ["x", "y"] * (len(rows) // 2) for item, rows in predictors.items()}

    store.write("copied", predictors, targets, data_folder=tmp_path)

    corpus = open_corpus("copied", tmp_path)
    pairs = read_across_items(corpus.folder, corpus.index_hash)
    assert len(pairs) == 40
    assert set(pairs["item"]) | set(pairs["other_item"]) >= {"copies"}

    (caution,) = [text for text in find_cautions(corpus, FeatureSettings()) if "nearly" in text]
    assert caution.startswith("40 pairs of clips of different items have nearly the same values, such as ")
