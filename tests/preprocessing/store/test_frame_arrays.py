"""Sequences of labelled frames become a store for frame_classification, whose frames get the labels that were given."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from preprocessing.annotations.labels import frame_labels
from preprocessing.corpus import open_corpus
from preprocessing.store import FeatureStore, open_store, write
from xval.base.errors import CorpusError

RNG = np.random.default_rng(0)
X = {"a": RNG.normal(size=(2, 5, 4)), "b": [RNG.normal(size=(3, 4))]}
TEXT = {"a": [["x", "x", "background", "y", "x"], ["background"] * 5], "b": [["y", "y", "x"]]}
HOT = {"a": RNG.integers(0, 2, (2, 5, 2)), "b": [[[0, 1], [1, 1], [0, 0]]]}


def make(folder: Path, targets: Any = TEXT, predictors: Any = X, **options: Any) -> FeatureStore:
    return write("mine", predictors, targets, data_folder=folder, **{"task_type": "frame_classification", **options})


@pytest.mark.parametrize("frame_s", [1.0, 0.01])
@pytest.mark.parametrize("form", ["multi_class", "multi_label"])
def test_each_frame_has_the_label_that_was_given(tmp_path: Path, frame_s: float, form: Any) -> None:
    hot = form == "multi_label"
    store = make(tmp_path, HOT if hot else TEXT, frame_s=frame_s, class_names=["y", "x"] if hot else ["y", "background", "x"])

    assert (store.class_names, store.is_waveform) == (("y", "x"), True)
    np.testing.assert_array_equal(store.predictors("a"), np.asarray(X["a"], np.float32).ravel())
    names = store.class_names if hot else ("background", *store.class_names)
    given = HOT if hot else {item: [[names.index(label) for label in labels] for labels in of] for item, of in TEXT.items()}
    for item, sequences in given.items():
        for row, labels in enumerate(sequences):
            events = store.annotations[store.annotations["clip"] == f"{item}#{row}"].dropna()
            made = frame_labels(
                events, events[:0], names, n_frames=len(labels), frame_samples=4, sample_rate_hz=round(4 / frame_s), form=form
            )
            np.testing.assert_array_equal(made.targets, labels)
    corpus = open_corpus("mine", tmp_path)
    assert corpus.compute_hash() == corpus.index_hash == store.description.index_hash
    assert corpus.index["duration_s"].tolist() == pytest.approx([5 * frame_s, 5 * frame_s, 3 * frame_s])
    if not hot:
        assert corpus.index["label"].tolist() == ["x+y", "background", "x+y"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"targets": {**TEXT, "b": [["y", "y"]]}}, r"Item 'b', sequence 0: received 3 frames and labels of shape \(2,\)"),
        ({"targets": {**TEXT, "b": []}}, "Item 'b': received 1 sequences and 0 label sequences; expected as many of both"),
        ({"targets": {**TEXT, "c": [["y"]]}}, "different items: only one of them has 'c'"),
        ({"predictors": {**X, "b": np.zeros((1, 3, 5))}}, r"received float64 \(3, 5\); expected numbers \(n_frames, 4\)"),
        ({"predictors": {"a": np.zeros((2, 5)), "b": [1.0]}}, r"'a', sequence 0: received float64 \(5,\); expected numbers"),
        ({"predictors": {**X, "a": []}}, "Item 'a': received 0 sequences and 2 label sequences; expected as many of both"),
        ({"predictors": {**X, "b": np.full((1, 3, 4), np.nan)}}, "NaN or infinite"),
        ({"targets": HOT}, "0 class_names; expected 0 and 1"),
        (
            {"targets": {**HOT, "b": [[2, 0], [0, 0], [0, 0]]}, "class_names": ["x", "y"]},
            "Item 'b': received 1 sequences and 3",
        ),
        ({"targets": {**HOT, "b": [[[2, 0]] * 3]}, "class_names": ["x", "y"]}, "Sequence 'b#0': received labels int64"),
        ({"class_names": ["x", "background"]}, "Item 'a#0': received the target 'y', which is not a class"),
        ({"frame_s": 0.3}, "frame_s=0.3: with 4 values per frame this is not a whole number of values per second"),
        ({"frame_s": 0.5, "task_type": "classification"}, "frame_s=0.5: examples of classification have no labelled frames"),
        ({"targets": None}, "Targets are missing for frame_classification"),
    ],
)
def test_what_does_not_fit_is_refused_and_what_was_there_stays(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    before = make(tmp_path)

    with pytest.raises(CorpusError, match=message):
        make(tmp_path, **changes)

    assert open_store(before.folder).description == before.description
