"""padding = masked: NaN stands behind the end of each clip, counts in no statistics, and stays where it is in training."""

import keras
import numpy as np
import pytest

from preprocessing.features.settings import FeatureSettings
from preprocessing.features.windows import mark_padding
from preprocessing.store import open_store
from preprocessing.store.writer import Example, StoreWriter
from xval.base.config_file import read_section
from xval.data.examples import StoredExamples
from xval.data.item_scaling import scale_items
from xval.data.store_memory import HeldStore
from xval.folds.plan import Fold
from xval.reuse.inference.inputs import Inputs
from xval.reuse.inference.item_scaling import scaled
from xval.training.augmentation import TrainingAugmentation

RATE_HZ, HOP = 1000, 10
SAMPLES = {"a": (35, 80), "b": (79,)}  # of clips; all are padded to 80, 9 frames


def settings_with(**changes: object) -> FeatureSettings:
    small = {"sample_rate_hz": RATE_HZ, "n_fft": 20, "win_length": 20, "hop_length": HOP, "n_mels": 2, "padding": "masked"}
    return FeatureSettings(**{**read_section("features"), **small, **changes})


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
    with pytest.raises(ValueError, match="padding=masked marks the ends"):
        settings_with(features="waveform", frontend="logmel")
