"""Arrays of a script become a store when they fit each other, and are refused with the reason when they do not."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from preprocessing.corpus import open_corpus
from preprocessing.store import FeatureStore, open_store, write
from preprocessing.store.writer import StoreWriter
from xval.base.errors import CorpusError

X = {"a": np.arange(12.0).reshape(3, 4), "b": np.arange(8.0).reshape(2, 4) - 3}
TEXT = {"a": ["x", "y", "x"], "b": ["y", "x"]}


def make(folder: Path, predictors: Mapping[str, Any] = X, targets: Mapping[str, Any] = TEXT, **options: Any) -> FeatureStore:
    return write("mine", predictors, targets, data_folder=folder, **options)


@pytest.mark.parametrize(
    ("targets", "class_names", "names", "codes"),
    [
        ({"a": ["x", "y", "x"], "b": ["y", "x"]}, None, ("x", "y"), [0, 1, 0, 1, 0]),
        ({"a": ["x", "y", "x"], "b": ["y", "x"]}, ["y", "z", "x"], ("y", "z", "x"), [2, 0, 2, 0, 2]),
        ({"a": [10, 9, 10], "b": [9, 10]}, None, ("9", "10"), [1, 0, 1, 0, 1]),
        ({"a": [2, 0, 2], "b": [0, 2]}, ["no", "maybe", "yes"], ("no", "maybe", "yes"), [2, 0, 2, 0, 2]),
        ({"a": np.array(["x", "y", "x"], object), "b": np.array(["y", "x"])}, None, ("x", "y"), [0, 1, 0, 1, 0]),
        ({"a": np.array([1, 2, 1], np.uint8), "b": np.array([2, 1])}, None, ("1", "2"), [0, 1, 0, 1, 0]),
    ],
)
def test_text_and_integers_become_classes(
    tmp_path: Path, targets: dict[str, Any], class_names: list[str] | None, names: tuple[str, ...], codes: list[int]
) -> None:
    store = make(tmp_path, targets=targets, class_names=class_names)
    assert store.class_names == names
    assert [*store.targets("a"), *store.targets("b")] == codes
    assert list(open_corpus("mine", tmp_path).index["label"]) == [names[code] for code in codes]


def test_numbers_become_regression_targets(tmp_path: Path) -> None:
    store = make(tmp_path, targets={"a": [1, 2, 3], "b": [0.5, 0.25]}, task_type="regression")
    assert (store.target_shape, store.class_names) == ((1,), ())
    assert store.targets("a").dtype == np.float32
    assert store.targets("b").tolist() == [[0.5], [0.25]]
    assert list(open_corpus("mine", tmp_path).index["label"]) == [1, 2, 3, 0.5, 0.25]


def test_several_outputs_are_kept_and_the_index_has_their_mean(tmp_path: Path) -> None:
    store = make(tmp_path, targets={"a": [[1, 3], [2, 2], [0, 1]], "b": [[5, 6], [7, 8]]}, task_type="regression")
    assert store.targets("b").tolist() == [[5, 6], [7, 8]]
    assert list(open_corpus("mine", tmp_path).index["label"]) == [2, 2, 0.5, 5.5, 7.5]


def test_many_examples_are_written_in_blocks(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(1000, 5))
    store = make(tmp_path, {"a": x}, {"a": np.arange(1000) % 3})
    np.testing.assert_array_equal(store.predictors("a"), x.astype(np.float32))
    assert store.targets("a").tolist() == [row % 3 for row in range(1000)]
    assert list(store.examples["clip"]) == [f"a#{row}" for row in range(1000)]
    assert open_corpus("mine", tmp_path).index["audio_hash"].nunique() == 1000


def test_equal_examples_have_equal_hashes(tmp_path: Path) -> None:
    make(tmp_path, {"a": X["a"], "b": X["a"][:2]})
    hashes = open_corpus("mine", tmp_path).index["audio_hash"]
    assert list(hashes[:2]) == list(hashes[3:])
    assert hashes.nunique() == 3


def test_writing_again_replaces_the_corpus_and_its_store(tmp_path: Path) -> None:
    make(tmp_path)
    store = make(tmp_path, {"c": np.ones((1, 2))}, {"c": ["z"]})
    assert store.items == ("c",)
    corpus = open_corpus("mine", tmp_path)
    assert list(corpus.index["item"]) == ["c"]
    assert corpus.index_hash == store.description.index_hash


def test_of_two_scripts_at_once_without_locks_the_index_is_that_of_the_store_that_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish, others = StoreWriter.publish, [np.zeros((4, 3))]

    def interrupted(writer: StoreWriter, **arguments: Any) -> None:
        if others:
            with ThreadPoolExecutor() as pool:
                pool.submit(write, "x", {"a": others.pop()}, {"a": ["no"] * 4}, data_folder=tmp_path).result()
        publish(writer, **arguments)

    monkeypatch.setattr("filelock._unix.fcntl.flock", lambda *_: None)
    monkeypatch.setattr(StoreWriter, "publish", interrupted)
    store = write("x", {"a": np.ones((2, 3))}, {"a": ["yes"] * 2}, data_folder=tmp_path)

    assert (store.counts, open_corpus("x", tmp_path).index_hash) == ({"a": 2}, store.description.index_hash)


def test_what_is_refused_leaves_the_old_corpus(tmp_path: Path) -> None:
    make(tmp_path)
    with pytest.raises(CorpusError, match="NaN or infinite"):
        make(tmp_path, {"a": X["a"], "b": X["b"] * 1e300})
    assert open_store(tmp_path / "mine" / "features" / "custom").counts == {"a": 3, "b": 2}
    assert list(open_corpus("mine", tmp_path).index["item"]) == ["a"] * 3 + ["b"] * 2


def with_nan() -> np.ndarray:
    values = X["b"].copy()
    values[1, 2] = np.nan
    return values


@pytest.mark.parametrize(
    ("predictors", "message"),
    [
        ({}, "received no keys; expected at least one item"),
        ({"a": X["a"], " ": X["b"]}, r"received the key ' ' \(str\); expected items, each non-empty text"),
        ({"a": X["a"], 7: X["b"]}, "different items: only one of them has '7', 'b'"),
        ({"a": X["a"]}, "different items: only one of them has 'b'"),
        (
            {"a": X["a"], "b": X["b"][:1]},
            r"Item 'b': received 1 predictors and targets of shape \(2,\); expected 1 targets",
        ),
        ({"a": X["a"], "b": X["b"][:, :3]}, r"Item 'b': received examples of shape \(3,\) .* expected \(4,\)"),
        (
            {"a": X["a"], "b": np.zeros((0, 4))},
            r"Item 'b': received predictors float64 \(0, 4\); expected numbers .* at least one",
        ),
        (
            {"a": X["a"], "b": np.zeros(2)},
            r"Item 'b': received predictors float64 \(2,\); expected numbers \(n_examples, ...\)",
        ),
        ({"a": X["a"], "b": np.array([["p", "q"]] * 2)}, "Item 'b': received predictors <U1"),
        ({"a": X["a"], "b": X["b"] + 1j}, "Item 'b': received predictors complex128"),
        ({"a": X["a"], "b": [[1, 2], [3]]}, "predictors of item 'b' cannot be made an array"),
        ({"a": X["a"], "b": with_nan()}, "Item 'b', row 1: the predictors are NaN or infinite"),
    ],
)
def test_predictors_that_do_not_fit_are_refused(tmp_path: Path, predictors: dict[str, Any], message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        make(tmp_path, predictors)
    assert not (tmp_path / "mine").exists()


@pytest.mark.parametrize(
    ("targets", "options", "message"),
    [
        (
            {"a": TEXT["a"], "b": [1, 2]},
            {},
            r"Received targets <U1 1-D, int64 1-D; expected text .* integers",
        ),
        ({"a": [0.5, 1, 2], "b": [1.0, 2]}, {}, "Received targets float64 .* set task_type='regression'"),
        ({"a": [True] * 3, "b": ["x"] * 2}, {}, "Received targets <U1 1-D, bool 1-D"),
        ({"a": [[1], [2], [3]], "b": [[1], [2]]}, {}, "Received targets int64 2-D"),
        ({"a": [1, 2, 3], "b": 5}, {}, r"Item 'b': received 2 predictors and targets of shape \(\)"),
        (TEXT, {"class_names": ["xx", "y"]}, "Item 'a': received the target 'x', which is not a class. Available: xx, y"),
        ({"a": [0, 1, 2], "b": [0, 1]}, {"class_names": ["p", "q"]}, "Item 'a': received the target '2', which is not a class"),
        (
            {"a": [0, 1, -1], "b": [0, 1]},
            {"class_names": ["p", "q"]},
            "Item 'a': received the target '-1', which is not a class",
        ),
        (TEXT, {"class_names": ["x", "y", "x"]}, "class_names has a name twice: x, y, x"),
        (TEXT, {"task_type": "clasification"}, "Did you mean 'classification'"),
        (TEXT, {"task_type": "regression"}, "Item 'a': received targets <U1; expected finite numbers"),
        ({"a": [1, 2, np.inf], "b": [1, 2]}, {"task_type": "regression"}, "Item 'a', row 2: .* expected finite numbers"),
        ({"a": [1, 2, 3], "b": [1, 2]}, {"task_type": "regression", "class_names": ["p"]}, "regression has no classes"),
        (
            {"a": [[1, 2]] * 3, "b": [[1]] * 2},
            {"task_type": "regression"},
            r"Item 'b': .* targets of shape \(1,\); expected .* \(2,\)",
        ),
    ],
)
def test_targets_that_do_not_fit_are_refused(
    tmp_path: Path, targets: dict[str, Any], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(CorpusError, match=message):
        make(tmp_path, targets=targets, **options)
    assert not (tmp_path / "mine").exists()
