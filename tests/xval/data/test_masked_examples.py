"""padding = masked: NaN stands behind the end of each clip, counts in no statistics, and stays where it is in training."""

from importlib import import_module
from itertools import pairwise

import keras
import numpy as np
import pytest

from architectures._masked_pooling import pool_frames, split_padding
from preprocessing.features.feature_settings import FeatureSettings
from preprocessing.features.windows import few_lengths, mark_padding
from preprocessing.store import open_store
from preprocessing.store.writer import Example, StoreWriter
from xval.data.batches import Batches, group_by_length
from xval.data.examples import StoredExamples
from xval.data.item_scaling import scale_items
from xval.data.store_memory import HeldStore
from xval.folds.plan import Fold
from xval.models.predict import predict
from xval.reuse.inference.inputs import Inputs
from xval.reuse.inference.item_scaling import scaled
from xval.training.augmentation import TrainingAugmentation

RATE_HZ, HOP = 1000, 10
SAMPLES = {"a": (35, 80), "b": (79,)}  # of clips; all are padded to 80, 9 frames


def settings_with(**changes: object) -> FeatureSettings:
    small = {"sample_rate_hz": RATE_HZ, "n_fft": 20, "win_length": 20, "hop_length": HOP, "n_mels": 2, "padding": "masked"}
    return FeatureSettings(**{**small, **changes})


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("masked") / "store"
    settings = settings_with()
    with StoreWriter(
        folder, task_type="classification", class_names=("x", "y"), feature_settings=settings, clip_samples=80
    ) as writer:
        for item, sizes in SAMPLES.items():
            for take, size in enumerate(sizes):
                values = np.full((1, 9, 2), -100, np.float32)
                values[0, : 1 + size // HOP] = take + np.arange(1 + size // HOP)[:, np.newaxis]
                writer.append(item, values, [take], [Example(f"{item}{take}", 0.5, 0.5 + size / RATE_HZ, augmented=False)])
        writer.publish(index_hash="x")
    return open_store(folder)


@pytest.mark.parametrize("is_held", [True, False])
def test_frames_behind_the_end_are_marked_and_the_store_stays(store, is_held: bool) -> None:
    held = HeldStore(store) if is_held else None
    examples = StoredExamples(store, ("a", "b"), augmented=False, held=held, settings=settings_with())
    assert examples.indexed is None
    for _ in range(2):
        predictors = examples.predictors(np.array([1, 0, 2]))
        assert np.isnan(predictors[..., 0]).sum(axis=1).tolist() == [0, 5, 1]
        assert np.nanmin(predictors) == 0
    plain = StoredExamples(store, ("a", "b"), augmented=False, held=held, settings=settings_with(padding="auto"))
    assert plain.predictors(np.array([0]))[0, -1].tolist() == [-100, -100]


def test_statistics_are_those_of_the_clips_without_what_follows_them(store) -> None:
    masked = store.moments(["a", "b"], settings=settings_with())
    values = np.concatenate([np.arange(4), 1 + np.arange(9), np.arange(8)])
    assert masked.count == len(values)
    np.testing.assert_allclose(masked.mean(), values.mean())
    assert store.moments(["a", "b"], settings=settings_with(padding="auto")).count == 27
    assert store.moments(["a", "b"], ["b0"], settings=settings_with()).count == 8


def test_an_item_is_scaled_by_its_clips_without_what_follows_them(store) -> None:
    scaling = scale_items(store, Fold(1, ("a",), (), ("b",)), {"test": ()}, settings=settings_with())
    predictors = store.predictors("a")[:].copy()
    ends = store.examples.loc[store.examples["item"] == "a"]
    mark_padding(predictors, ends["start_s"].to_numpy(), ends["end_s"].to_numpy(), settings_with())
    new = [(number, Inputs(clip[np.newaxis], np.zeros(1), np.ones(1))) for number, clip in enumerate(predictors.copy())]
    scaling.apply("a", predictors)
    assert abs(np.nanmean(predictors)) < 1e-6
    answers = np.concatenate([inputs.predictors for _, inputs in scaled("a", new)])
    np.testing.assert_array_equal(answers, predictors)


def test_augmentation_leaves_the_ends_where_they_are() -> None:
    layer = TrainingAugmentation(n_time_masks=1, time_mask_frames=3, time_shift_frames=2, noise_share=0.5, seed=1)
    layer.is_masked = True
    clips = np.random.default_rng(0).normal(size=(4, 12, 3)).astype(np.float32)
    clips[1, 7:] = np.nan
    changed = keras.ops.convert_to_numpy(layer(clips, training=True))
    np.testing.assert_array_equal(np.isnan(changed), np.isnan(clips))
    assert not np.array_equal(changed[0], clips[0])


def test_features_without_frames_have_no_marks() -> None:
    with pytest.raises(ValueError, match="padding=masked needs stored frames or samples"):
        settings_with(features="waveform", frontend="logmel")


@pytest.mark.parametrize("n_examples", [0, 5, 64, 70])
def test_batches_of_like_length_hold_each_example_once_and_are_as_many_as_without(n_examples: int) -> None:
    lengths = few_lengths(np.random.default_rng(1).integers(290, 529, n_examples), 528)
    order = np.random.default_rng(2).permutation(n_examples)
    batches, again, others = (group_by_length(order, lengths, 16, np.random.default_rng(seed)) for seed in (3, 3, 4))

    assert sorted(np.concatenate([*batches, np.empty(0, int)]).tolist()) == list(range(n_examples))
    assert sorted(map(len, batches), reverse=True) == [16] * (n_examples // 16) + [n_examples % 16] * bool(n_examples % 16)
    assert [batch.tolist() for batch in batches] == [batch.tolist() for batch in again]
    if n_examples > 16:
        assert [batch.tolist() for batch in batches] != [batch.tolist() for batch in others]
        first, second = (lengths[batch].max() for batch in batches[:2])
        assert first != second  # as Keras has to see
        by_batch = sorted((lengths[batch].min(), lengths[batch].max()) for batch in batches)
        assert all(longest <= shortest for (_, longest), (shortest, _) in pairwise(by_batch))


@pytest.mark.parametrize("full", [1, 9, 16, 528])
def test_lengths_are_few_and_cut_nothing(full: int) -> None:
    lengths = np.arange(1, full + 1)
    few = few_lengths(lengths, full)

    assert len(set(few.tolist())) <= 16
    assert (few >= lengths).all()
    assert few.max() == full


def test_batches_are_cut_to_their_longest_clip_and_answers_are_those_of_full_padding(store) -> None:
    sides = {length: StoredExamples(store, ("a", "b"), augmented=False, settings=settings_with()) for length in ("cut", "full")}
    sides["full"].masked_lengths = None
    assert sides["cut"].masked_lengths.tolist() == [4, 9, 8]
    batches = Batches(sides["cut"], 1)
    assert [batches[number][0].shape[1] for number in range(3)] == [4, 8, 9]

    keras.utils.set_random_seed(1)
    network = import_module("architectures.lstm_attention").build((None, 2), (3,), n_units=4)
    answers = {length: predict(network, examples, 2) for length, examples in sides.items()}
    np.testing.assert_allclose(answers["cut"], answers["full"], atol=1e-5)


def test_training_takes_batches_of_several_lengths_and_the_same_ones_again(store) -> None:
    histories = []
    for _ in range(2):
        keras.utils.set_random_seed(1)
        inputs = keras.Input((None, 2))
        pooled = pool_frames(*split_padding(inputs), "mean")
        network = keras.Model(inputs, keras.layers.Dense(3)(pooled))
        network.compile("sgd", "mse", jit_compile=False)
        examples = StoredExamples(store, ("a", "b"), augmented=False, settings=settings_with())
        batches = Batches(examples, 1, targets=np.ones((3, 3), np.float32), shuffle_seed=5)
        histories.append(network.fit(batches, epochs=2, shuffle=False, verbose=0).history["loss"])
    assert np.isfinite(histories[0]).all()
    assert histories[0] == histories[1]
