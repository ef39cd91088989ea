"""Frames of recordings: labels and samples move together, padding and disputed frames weigh nothing, nothing is lost."""

import keras
import numpy as np
import pandas as pd
import pytest

from preprocessing.store import open_store
from preprocessing.store.writer import Example, StoreWriter
from xval.backend.held_examples import HeldExamples
from xval.base.errors import FoldsError, SettingsError
from xval.data.batches import Batches
from xval.data.fold import load_fold
from xval.data.frames import FrameExamples, frame_class_names
from xval.experiment.check_instance import check_recordings
from xval.folds.plan import Fold

RATE_HZ, FRAME = 1000, 10
FRAMES = {
    "task_type": "frame_classification", "architecture": "sincnet", "features": "waveform", "frontend": "none",
    "sample_rate_hz": RATE_HZ, "label_frame_s": FRAME / RATE_HZ, "sequence_frames": 4, "random_excerpts": True,
}  # fmt: skip
FOLD = Fold(1, ("a", "b"), ("c",), ("d",))
LOUD = 10_000  # what an event adds to the samples, which count themselves
# For each recording its length in samples and its events, in frames.
RECORDINGS = {
    "a0": (235, [(3, 7, "call")]),
    "a1": (100, []),
    "b0": (70, [(0, 7, "song")]),
    "c0": (400, [(10, 12, "call"), (20, 25, "song")]),
    "d0": (155, [(2, 4, "song")]),
}


def write_store(folder, events=(), *, annotators=("",)):
    rows = [
        (clip, first * FRAME / RATE_HZ, stop * FRAME / RATE_HZ, label, annotators[0])
        for clip, (_, stretches) in RECORDINGS.items()
        for first, stop, label in stretches
    ]
    rows += [(clip, np.nan, np.nan, "", annotators[0]) for clip, (_, stretches) in RECORDINGS.items() if not stretches]
    annotations = pd.DataFrame([*rows, *events], columns=["clip", "start_s", "end_s", "label", "annotator"])
    with StoreWriter(
        folder, task_type="frame_classification", class_names=("call", "song"), is_waveform=True, annotations=annotations
    ) as writer:
        for clip, (n_samples, stretches) in RECORDINGS.items():
            samples = np.arange(n_samples, dtype=np.float32)
            for first, stop, _ in stretches:
                samples[first * FRAME : stop * FRAME] += LOUD
            writer.append(clip[0], samples[np.newaxis], [0], [Example(clip, 0.0, n_samples / RATE_HZ)])
        writer.publish(index_hash="x")
    return open_store(folder)


@pytest.fixture
def store(tmp_path):
    return write_store(tmp_path / "store")


@pytest.fixture
def load(make_settings):
    def load(store, *, in_memory=True, **changes):
        chosen = make_settings(**FRAMES | changes)
        options = {"frames": chosen.frame_settings(), "random_excerpts": chosen.random_excerpts}
        return load_fold(store, FOLD, chosen.feature_settings(), in_memory=in_memory, **options)

    return load


@pytest.fixture
def frames(make_settings):
    return lambda **changes: make_settings(**FRAMES | changes).frame_settings()


def everything(examples):
    return examples.predictors(np.arange(len(examples)))


def test_sequences_tile_a_recording_and_a_rest_shorter_than_a_frame_is_left_out(store, frames):
    found = FrameExamples(store, ("a",), frames(), RATE_HZ)

    assert found.table[["clip", "row", "start_s", "end_s"]].to_numpy().tolist() == [
        ["a0", 0, 0.0, 0.04], ["a0", 1, 0.04, 0.08], ["a0", 2, 0.08, 0.12], ["a0", 3, 0.12, 0.16], ["a0", 4, 0.16, 0.2],
        ["a0", 5, 0.2, 0.23], ["a1", 6, 0.0, 0.04], ["a1", 7, 0.04, 0.08], ["a1", 8, 0.08, 0.1],
    ]  # fmt: skip
    assert found.weights.sum() == 23 + 10
    assert found.weights[5].tolist() == [1, 1, 1, 0]
    samples = everything(found)
    assert samples.shape == (9, 4, FRAME)
    assert samples.dtype == np.float32
    assert samples[5, :3].ravel().tolist() == list(range(200, 230))
    assert not samples[5, 3].any()


@pytest.mark.parametrize("in_memory", [True, False])
def test_random_excerpts_take_their_labels_with_them(store, in_memory, load):
    data = load(store, in_memory=in_memory)
    batches = Batches(data.training, 3, targets=data.training.targets, weights=data.training.weights, shuffle_seed=1)
    starts = set()
    for epoch in range(20):
        batches.set_epoch(epoch)
        batches.on_epoch_begin()
        for index in range(batches.num_batches):
            samples, targets, weights = batches[index]
            is_loud = samples.max(axis=2) >= LOUD
            assert ((targets > 0) == is_loud).all()
            assert weights[targets > 0].all()
            starts |= set(samples[:, 0, 0] % LOUD)
    assert starts > {0.0, 10.0, 20.0, 130.0}
    assert max(starts) == 190  # the last sequence of a0 that is whole


def test_the_same_seed_draws_the_same_excerpts_and_another_one_others(store, load):
    def first_epoch(seed):
        data = load(store)
        batches = Batches(data.training, 99, targets=data.training.targets, shuffle_seed=seed)
        batches.on_epoch_begin()
        return batches[0][0]

    assert np.array_equal(first_epoch(1), first_epoch(1))
    assert not np.array_equal(first_epoch(1), first_epoch(2))


def test_a_device_with_the_array_puts_the_same_sequences_together(store, load):
    training = load(store).training
    batches = Batches(training, 3, targets=training.targets, weights=training.weights, shuffle_seed=1)
    indexed = training.indexed
    held = HeldExamples(keras.ops.convert_to_tensor(indexed.everything), indexed.shape)

    for epoch in range(3):
        batches.set_epoch(epoch)
        batches.on_epoch_begin()
        for index in range(batches.num_batches):
            (places,), *labels = batches.by_places(index, indexed)
            for found, wanted in zip([held.examples([places]), *labels], batches[index], strict=True):
                np.testing.assert_array_equal(found, wanted)
    assert load(store, in_memory=False).training.indexed is None


def test_evaluated_sides_stay_where_they_are(store, load):
    data = load(store)
    before = everything(data.sides["test"])
    data.sides["test"].begin_epoch(np.random.default_rng(1))
    assert np.array_equal(everything(data.sides["test"]), before)
    assert data.training is not data.sides["training"]
    assert load(store, random_excerpts=False).training.targets.tolist() == data.sides["training"].targets.tolist()


def test_several_labels_at_once_need_no_background(store, load):
    data = load(store, label_form="multi_label")

    assert data.class_names == ("call", "song")
    assert load(store).class_names == ("background", "call", "song")
    assert data.sides["validation"].targets.shape == (10, 4, 2)
    assert data.sides["validation"].targets.reshape(40, 2)[[9, 10, 11, 12, 20, 24, 25]].tolist() == [
        [0, 0], [1, 0], [1, 0], [0, 0], [0, 1], [0, 1], [0, 0],
    ]  # fmt: skip


def test_events_called_background_are_background(tmp_path):
    store = write_store(tmp_path / "store")
    named = type("Named", (), {"class_names": ("background", "call")})
    assert frame_class_names(named, "multi_class") == ("background", "call")
    assert frame_class_names(named, "multi_label") == ("call",)
    assert frame_class_names(store, "multi_class") == ("background", "call", "song")


def test_predictions_are_joined_to_recordings_without_padding(store, frames):
    found = FrameExamples(store, ("a", "b"), frames(), RATE_HZ)
    of_frames = np.arange(len(found) * 4, dtype=np.float32).reshape(len(found), 4, 1)

    joined = found.join(of_frames)

    assert [len(each) for each in joined] == [23, 10, 7]
    assert joined[1].ravel().tolist() == list(range(24, 34))
    apart = found.split(np.concatenate(joined))
    assert [each.tolist() for each in found.join(apart)] == [each.tolist() for each in joined]


def test_disputed_frames_weigh_nothing(tmp_path, frames):
    second = [("a0", 0.03, 0.05, "call", "two"), ("a1", np.nan, np.nan, "", "two")]
    store = write_store(tmp_path / "store", second, annotators=("one",))

    found = FrameExamples(store, ("a",), frames(annotation_policy="ignore_disagreement"), RATE_HZ)

    weights = np.concatenate([recording.weights for recording in found.recordings])
    assert np.flatnonzero(weights == 0).tolist() == [5, 6]
    assert found.weights.sum() == 23 + 10 - 2
    believed = FrameExamples(store, ("a", "b"), frames(annotation_policy="two"), RATE_HZ)
    assert [recording.clip for recording in believed.recordings] == ["a0", "a1"]
    assert np.flatnonzero(believed.recordings[0].targets).tolist() == [3, 4]


def test_what_cannot_be_labelled_is_refused(store, frames):
    with pytest.raises(SettingsError, match=r"recording 'a0' has 0\.235 s, less than a frame of label_frame_s=0\.3"):
        FrameExamples(store, ("a",), frames(label_frame_s=0.3), RATE_HZ)
    with pytest.raises(SettingsError, match="nobody"):
        FrameExamples(store, ("a",), frames(annotation_policy="nobody"), RATE_HZ)


@pytest.mark.parametrize("in_memory", [True, False])
def test_the_weights_of_a_batch_have_the_mean_1_so_that_the_loss_is_that_of_the_frames_that_count(store, in_memory, load):
    data = load(store, in_memory=in_memory, sequence_frames=50)
    validation = data.sides["validation"]
    batches = Batches(validation, 9, targets=validation.targets, weights=validation.weights)

    assert validation.weights.sum() == 40
    assert batches[0][2].mean() == 1
    assert (batches[0][2] > 0).tolist() == (validation.weights > 0).tolist()
    training = Batches(data.training, 9, targets=data.training.targets, weights=data.training.weights, shuffle_seed=1)
    training.on_epoch_begin()
    assert training[0][2].mean() == pytest.approx(1)


def test_a_side_without_a_frame_that_counts_is_refused(tmp_path, load):
    second = [("a0", 0.03, 0.05, "call", "two")]
    store = write_store(tmp_path / "store", second, annotators=("one",))

    with pytest.raises(FoldsError, match=r"fold 1: no frame of the validation items can be used.*annotation_policy"):
        load(store, annotation_policy="two")


@pytest.mark.parametrize(("changes", "message"), [
    ({"annotation_policy": "nobody"}, "unknown annotation policy 'nobody'"),
    ({"label_frame_s": 0.3}, r"recording 'b0' has 0\.07 s, less than a frame of label_frame_s=0\.3"),
    ({"sequence_frames": 41}, "sequence_frames=41 is more than the 40 frames of the longest recording"),
])  # fmt: skip
def test_policy_and_frames_are_checked_before_features_are_made(changes, message, frames):
    annotations = pd.DataFrame({"clip": ["a0", "b0"], "start_s": [0.0, 0.0], "end_s": 0.05, "label": "call", "annotator": ""})
    index = pd.DataFrame({"clip": ["b0", "c0", "a0"], "duration_s": [0.07, 0.001, 0.4]})
    corpus = type("Corpus", (), {"annotations": lambda _: annotations, "index": index})()

    check_recordings(corpus, frames(), RATE_HZ)
    with pytest.raises(SettingsError, match=message):
        check_recordings(corpus, frames(**changes), RATE_HZ)
