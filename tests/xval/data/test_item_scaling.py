"""Each item is scaled by its own clips: in memory, streamed, with conditions, and never by copies."""

import numpy as np
import pandas as pd
import pytest

from preprocessing import store as plain_store
from preprocessing.store import open_store
from preprocessing.store.writer import Example, StoreWriter
from xval.base.errors import SettingsError
from xval.data import store_memory
from xval.data.fold import load_fold
from xval.data.item_scaling import enrolment_of, scale_items
from xval.folds.plan import Fold

FOLD, OTHER = Fold(1, ("a", "c"), ("b",), ("d",)), Fold(2, ("b", "d"), ("c",), ("a",))
LABELS = ["yes", "no", "no", "yes"]


def values(item):
    rng = np.random.default_rng(ord(item))
    return (rng.normal(size=(4, 3, 2)) * ord(item) + 100 * ord(item)).astype(np.float32)


@pytest.fixture
def small(tmp_path):
    return plain_store.write(
        "small", {item: values(item) for item in "abcd"}, dict.fromkeys("abcd", LABELS), data_folder=tmp_path
    )


def read(data, side):
    examples = data.sides[side]
    return examples.predictors(np.arange(len(examples)))


def by_own(item, rows=slice(None)):
    """Return the features of an item, scaled by those of some of its rows."""
    own = values(item)[rows].reshape(-1, 2).astype(np.float64)
    return (values(item) - own.mean(axis=0)) / own.std(axis=0)


def test_each_item_has_mean_0_and_deviation_1_whatever_its_side(small):
    data = load_fold(small, FOLD, in_memory=False, scaled_by_item=True)

    assert read(data, "test") == pytest.approx(by_own("d"), abs=1e-3)
    assert read(data, "training") == pytest.approx(np.concatenate([by_own("a"), by_own("c")]), abs=1e-3)
    assert np.array_equal(small.predictors("d"), values("d"))  # the store stays as it is


def test_in_memory_and_streamed_are_the_same_bits_and_folds_share_what_is_held(small):
    held = [load_fold(small, fold, in_memory=True, scaled_by_item=True) for fold in (FOLD, OTHER)]
    streamed = load_fold(small, FOLD, in_memory=False, scaled_by_item=True)

    for side in ("training", "validation", "test"):
        assert np.array_equal(read(held[0], side), read(streamed, side))
    assert held[0].training.indexed.everything is held[1].training.indexed.everything
    assert not np.array_equal(read(load_fold(small, FOLD, in_memory=True), "test"), read(streamed, "test"))
    assert len(store_memory._OF_THIS_PROCESS.folders) == 1


def test_a_condition_scales_by_the_clips_that_it_leaves(small):
    clips = small.examples.query("item == 'd'")["clip"].tolist()

    data = load_fold(small, FOLD, in_memory=False, clips={"test": clips[:2]}, scaled_by_item=True)

    assert read(data, "test") == pytest.approx(by_own("d", slice(2))[:2], abs=1e-3)
    assert read(data, "validation") == pytest.approx(by_own("b"), abs=1e-3)


def test_an_enrolment_scales_the_clips_that_count(small):
    clips = small.examples.query("item == 'd'")["clip"].tolist()
    first, others = {"test": clips[:1]}, {"test": clips[1:]}

    data = load_fold(small, FOLD, in_memory=False, clips=others, scaled_by_item=True, enrolment=first)

    assert read(data, "test") == pytest.approx(by_own("d", slice(1))[1:], abs=1e-3)
    assert read(data, "training") == pytest.approx(np.concatenate([by_own("a"), by_own("c")]), abs=1e-3)
    with pytest.raises(SettingsError, match="the first clips of d have no features"):
        load_fold(small, FOLD, in_memory=False, clips=others, scaled_by_item=True, enrolment={"test": ["lost.wav"]})


def test_the_first_clips_of_each_item_reach_the_seconds():
    items, durations_s = pd.Series(list("aabab")), pd.Series([0.1, 0.2, 1.0, 0.4, 1.0])

    assert enrolment_of(items, durations_s, 0.3).tolist() == [True, True, True, False, False]  # 0.1 + 0.2 s are 0.3 s
    with pytest.raises(SettingsError, match="the clips have no length in seconds"):
        enrolment_of(items, durations_s * np.nan, 0.3)


def test_augmented_copies_are_scaled_and_do_not_count(tmp_path):
    folder = tmp_path / "augmented"
    with StoreWriter(folder, task_type="classification", class_names=("no", "yes")) as writer:
        for item in "abcd":
            examples = [Example(f"{item}{row}", 0.0, 1.0, augmented=row > 1) for row in range(4)]
            writer.append(item, values(item), np.array([0, 1, 0, 1]), examples)
        writer.publish(index_hash="x")

    data = load_fold(open_store(folder), FOLD, in_memory=False, scaled_by_item=True)

    assert read(data, "test") == pytest.approx(by_own("d", slice(2))[:2], abs=1e-3)
    training = data.training.predictors(np.arange(4))
    assert training == pytest.approx(by_own("a", slice(2)), abs=1e-3)


def test_a_speaker_of_one_clip_is_refused_by_name(tmp_path):
    predictors = {"a": values("a"), "b": values("b")[:1]}
    small = plain_store.write("small", predictors, {"a": LABELS, "b": ["no"]}, data_folder=tmp_path)

    with pytest.raises(SettingsError, match=r": b\. At least two are needed"):
        scale_items(small)
