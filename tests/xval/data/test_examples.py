"""Examples cut from waveforms: every sample of a batch is traced back to where it lies in its clip."""

import os
import resource
from pathlib import Path

import keras
import numpy as np
import pytest

from preprocessing import store as plain_store
from preprocessing.features.feature_settings import FeatureSettings
from preprocessing.store import open_store
from preprocessing.store.waveforms import make_moments, whole_length
from preprocessing.store.writer import Example, StoreWriter
from xval.backend.gpu_readings import describe_now
from xval.backend.held_examples import HeldExamples
from xval.base.errors import FoldsError
from xval.data.batches import Batches
from xval.data.fold import load_fold
from xval.folds.plan import Fold
from xval.models.build import build_model
from xval.models.predict import predict
from xval.training.compiled import compile_model
from xval.training.evaluation.fold import evaluate_model
from xval.training.fit import train_model

RATE_HZ = 1000
FOLD = Fold(1, ("a", "b"), ("c",), ("d",))
LENGTHS = {"a": (50, 130, 80), "b": (400,), "c": (95, 30, 250, 99), "d": (170, 100, 100)}
CROP = {"crop_s": 0.1}
WINDOWS = {"example_length_s": 0.1, "example_overlap": 0.5}


def settings_with(**changes):
    small = {"sample_rate_hz": RATE_HZ, "n_fft": 32, "win_length": 32, "hop_length": 8, "n_mels": 8}
    return FeatureSettings(**{**small, "features": "waveform", "frontend": "logmel", **changes})


def write_store(folder, lengths=LENGTHS, *, n_augmented=1):
    """Write clips whose samples are all different: 1000 times the clip's number, plus their place in it.

    Behind the clips of each item come augmented ones, of 120 samples.
    """
    number = 0
    with StoreWriter(
        folder, task_type="classification", class_names=("x", "y"), feature_settings=settings_with(), clip_samples=410,
        is_waveform=True,
    ) as writer:  # fmt: skip
        for item, sizes in lengths.items():
            for take, size in enumerate((*sizes, *(120,) * n_augmented)):
                number += 1
                samples = (1000 * number + np.arange(size, dtype=np.float32))[np.newaxis]
                # The clip begins half a second into its file.
                about = Example(f"{item}{take}", 0.5, 0.5 + size / RATE_HZ, augmented=take >= len(sizes))
                writer.append(item, samples, [number % 2], [about])
        writer.publish(index_hash="x")
    return open_store(folder)


@pytest.fixture
def waveforms(tmp_path):
    return write_store(tmp_path / "waveforms")


def load(waveforms, *, in_memory=True, fold=FOLD, **changes):
    return load_fold(waveforms, fold, settings_with(**changes), in_memory=in_memory)


def clip_samples(waveforms, clip):
    row = waveforms.examples.set_index("clip").loc[clip]
    return np.array(waveforms.predictors()[row["first_row"] : row["stop_row"]])


def read_all(examples):
    """Return the predictors of every example, in their order."""
    return [examples.predictors(np.array([position]))[0] for position in range(len(examples))]


def epochs_of(data, n_epochs, *, seed=5, batch_size=2, **options):
    batches = Batches(data.training, batch_size, shuffle_seed=seed, **options)
    epochs = []
    for epoch in range(n_epochs):
        batches.set_epoch(epoch)
        batches.on_epoch_begin()
        epochs.append([batches[index] for index in range(batches.num_batches)])
    return epochs


@pytest.mark.parametrize(
    "changes", [{}, CROP, {"example_length_s": 0.01}, {"clip_length_s": 0.01}, {**CROP, "example_length_s": 0.01}]
)
def test_examples_that_train_have_one_length_so_that_classes_may_be_drawn_equally_often(waveforms, changes):
    data = load(waveforms, **changes)

    (epoch,) = epochs_of(data, 1, targets=data.training.targets, balanced=data.training.targets)

    counts = np.bincount(np.concatenate([targets for _, targets in epoch]))
    assert counts.max() - counts.min() <= 1


# crops


@pytest.mark.parametrize("in_memory", [True, False])
def test_crops_are_stretches_of_their_clips_and_short_clips_are_continued(waveforms, in_memory):
    data = load(waveforms, in_memory=in_memory, **CROP)

    for _ in range(5):
        data.training.begin_epoch(np.random.default_rng())
        for clip, found in zip(data.training.table["clip"], read_all(data.training), strict=True):
            samples = clip_samples(waveforms, clip)
            assert found.shape == (100,)
            if len(samples) <= 100:
                np.testing.assert_array_equal(found, np.tile(samples, 2)[:100])
            else:
                start = int(found[0] - samples[0])
                np.testing.assert_array_equal(found, samples[start : start + 100])


def test_crops_begin_everywhere_alike(waveforms):
    training = load(waveforms, **CROP).training
    clips = training.table["clip"].tolist()
    starts, rng = [], np.random.default_rng(1)
    for _ in range(600):
        training.begin_epoch(rng)
        starts.append(training.predictors(np.array([clips.index("a1")]))[0, 0] - clip_samples(waveforms, "a1")[0])

    counts = np.bincount(np.array(starts, int))
    assert len(counts) == 31  # of 130 samples 100 are cut: 0 to 30
    assert counts.min() > 5
    assert counts.max() < 45


def test_the_table_of_what_trains_has_one_row_per_clip_augmented_ones_included(waveforms):
    training = load(waveforms, **CROP).training

    assert training.table["clip"].tolist() == ["a0", "a1", "a2", "a3", "b0", "b1"]
    assert training.table["augmented"].tolist() == [False, False, False, True, False, True]
    assert training.targets.tolist() == [1, 0, 1, 0, 1, 0]
    assert training.lengths is None


def test_crops_differ_between_epochs_and_follow_the_seed(waveforms):
    def crops(seed):
        return [np.concatenate([batch[0] for batch in epoch]) for epoch in epochs_of(load(waveforms, **CROP), 2, seed=seed)]

    one, again, other = crops(5), crops(5), crops(6)
    for first, second in zip(one, again, strict=True):
        np.testing.assert_array_equal(first, second)
    ordered = [epoch[epoch[:, 0].argsort()] for epoch in one]
    assert not np.array_equal(*ordered)
    assert not np.array_equal(one[0], other[0])


def test_an_epoch_has_its_order_crops_and_mixtures_whatever_was_read_before(waveforms):
    def last_of(epochs):
        examples = load(waveforms, **CROP).training
        targets = np.eye(2, dtype=np.float32)[examples.targets]
        batches = Batches(examples, 4, targets=targets, shuffle_seed=5, mixup=0.4)
        for epoch in epochs:
            batches.set_epoch(epoch)
            batches.on_epoch_begin()
            found = [np.concatenate(parts) for parts in zip(*map(batches.__getitem__, range(batches.num_batches)), strict=True)]
        return found

    for all_of_them, alone in zip(last_of(range(4)), last_of([3]), strict=True):
        np.testing.assert_array_equal(all_of_them, alone)


@pytest.mark.parametrize(
    "changes", [{}, CROP, WINDOWS, {**CROP, **WINDOWS}], ids=["whole", "crops", "windows", "crops, windows"]
)
def test_streamed_and_loaded_batches_are_the_same_over_epochs(waveforms, changes):
    data = [load(waveforms, in_memory=in_memory, **changes) for in_memory in (True, False)]

    options = {"targets": data[0].training.targets, "weights": data[0].class_weights()}
    loaded, streamed = ([batch for epoch in epochs_of(each, 3, **options) for batch in epoch] for each in data)
    for one, other in zip(loaded, streamed, strict=True):
        assert all(np.array_equal(mine, theirs) for mine, theirs in zip(one, other, strict=True))
    for side in FOLD.__dataclass_fields__.keys() - {"number"}:
        one, other = (each.sides[side] for each in data)
        assert one.table.equals(other.table)
        assert all(np.array_equal(mine, theirs) for mine, theirs in zip(read_all(one), read_all(other), strict=True))


@pytest.mark.parametrize(
    "changes", [CROP, {"clip_length_s": 0.1}, WINDOWS], ids=["crops, continued", "whole, zeros behind", "windows"]
)
def test_a_device_with_the_array_puts_the_same_batches_together(waveforms, changes):
    data = load(waveforms, **changes)
    one_hot = np.eye(2, dtype=np.float32)[data.training.targets]
    batches = Batches(data.training, 4, targets=one_hot, weights=data.class_weights(), shuffle_seed=1, mixup=0.4, constant=True)
    indexed = data.training.indexed
    held = HeldExamples(keras.ops.convert_to_tensor(indexed.everything), indexed.shape)

    for epoch in range(3):
        batches.set_epoch(epoch)
        batches.on_epoch_begin()
        for index in range(batches.num_batches):
            given, *labels = batches.by_places(index, indexed)
            examples = held.examples([keras.ops.convert_to_tensor(each) for each in given])
            for found, wanted in zip([examples, *labels], batches[index], strict=True):
                np.testing.assert_array_equal(found, wanted)


def test_streamed_examples_and_those_of_different_lengths_are_no_places_in_an_array(waveforms):
    assert load(waveforms, in_memory=False, **CROP).training.indexed is None
    assert load(waveforms, **CROP).sides["validation"].indexed is None


# what is evaluated


def test_whole_clips_are_tested_each_continued_to_one_of_few_lengths(waveforms):
    sides = load(waveforms, **CROP).sides

    assert sides["validation"].lengths.tolist() == [100, 100, whole_length(250, 100), 100]
    for side, examples in sides.items():
        assert not examples.table["augmented"].any(), side
        for clip, found, length in zip(examples.table["clip"], read_all(examples), examples.lengths, strict=True):
            samples = clip_samples(waveforms, clip)
            assert len(found) == length >= len(samples)
            np.testing.assert_array_equal(found, np.resize(samples, length))
    assert sides["test"].table["start_s"].tolist() == [0.5] * 3
    assert sides["test"].table["end_s"].tolist() == pytest.approx([0.67, 0.6, 0.6])


def test_examples_of_different_lengths_are_refused_in_one_batch(waveforms):
    with pytest.raises(ValueError, match="too many values"):
        load(waveforms, **CROP).sides["validation"].predictors(np.array([0, 2]))


@pytest.mark.parametrize("changes", [WINDOWS, {**CROP, **WINDOWS}], ids=["windows", "crops, windows"])
def test_windows_cover_a_clip_and_end_with_it(waveforms, changes):
    test = load(waveforms, **changes).sides["validation"]

    assert test.table["clip"].tolist() == ["c0", "c1", "c2", "c2", "c2", "c2", "c3"]
    assert test.table["row"].tolist() == list(range(7))
    assert test.table["start_s"].tolist() == pytest.approx([0.5, 0.5, 0.5, 0.55, 0.6, 0.65, 0.5])
    assert test.table["end_s"].tolist() == pytest.approx([0.595, 0.53, 0.6, 0.65, 0.7, 0.75, 0.599])
    assert test.targets.tolist() == [waveforms.targets("c")[int(clip[1])] for clip in test.table["clip"]]
    for clip, start_s, found in zip(test.table["clip"], test.table["start_s"], read_all(test), strict=True):
        samples = clip_samples(waveforms, clip)
        first = round((start_s - 0.5) * RATE_HZ)
        wanted = samples[first : first + 100]
        # Where there are crops short clips are continued, otherwise padded with silence.
        wanted = np.resize(wanted, 100) if "crop_s" in changes else np.pad(wanted, (0, 100 - len(wanted)))
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("length", [100, 101, 149, 151, 199, 200])
def test_the_last_window_ends_with_the_clip(tmp_path, length):
    waveforms = write_store(tmp_path / "store", {"a": (10,), "b": (10,), "c": (10,), "d": (length,)})
    test = load(waveforms, **WINDOWS).sides["test"]

    starts = np.round((test.table["start_s"] - 0.5) * RATE_HZ).astype(int).tolist()
    assert (starts[0], starts[-1]) == (0, length - 100)
    assert np.diff(starts).max(initial=0) <= 50
    assert test.table["end_s"].iloc[-1] == pytest.approx(0.5 + length / RATE_HZ)


def test_without_crops_every_side_is_padded_to_the_longest_clip(waveforms):
    data = load(waveforms)

    for examples in (data.training, *data.sides.values()):
        for clip, found in zip(examples.table["clip"], read_all(examples), strict=True):
            samples = clip_samples(waveforms, clip)
            np.testing.assert_array_equal(found, np.pad(samples, (0, 410 - len(samples))))
    assert data.training.table["augmented"].sum() == 2


def test_a_clip_length_cuts_every_side(waveforms):
    cropped, padded = load(waveforms, clip_length_s=0.12, **CROP), load(waveforms, clip_length_s=0.12)

    test = cropped.sides["test"]
    assert test.table["end_s"].tolist() == pytest.approx([0.62, 0.6, 0.6])
    assert read_all(test)[0].max() == clip_samples(waveforms, "d0")[119]
    for _ in range(20):
        cropped.training.begin_epoch(np.random.default_rng())
        highest = cropped.training.predictors(np.arange(6)).max(axis=1) % 1000
        assert highest.max() <= 119
    assert {len(found) for found in read_all(padded.sides["test"])} == {120}


def test_nothing_about_evaluated_examples_depends_on_epochs(waveforms):
    test = load(waveforms, **CROP).sides["test"]
    before = read_all(test)

    test.begin_epoch(np.random.default_rng(1))

    assert all(np.array_equal(one, other) for one, other in zip(before, read_all(test), strict=True))


# batches of different lengths


def test_examples_of_one_length_share_batches_and_every_one_comes_once(waveforms):
    examples = load(waveforms, **CROP).sides["validation"]

    batches = Batches(examples, 2)

    sizes = [examples.lengths[batches.positions(index)] for index in range(batches.num_batches)]
    assert all(len(set(lengths)) == 1 for lengths in sizes)
    assert [len(lengths) for lengths in sizes] == [2, 1, 1]
    everything = np.concatenate([batches.positions(index) for index in range(batches.num_batches)])
    assert sorted(everything) == [0, 1, 2, 3]
    assert len(set(map(tuple, sizes[:2]))) == 2  # Keras takes shapes for fixed that the first two batches share


def mean_model(n_samples=None):
    """Return a model that answers with the means of two halves of a clip, so that answers tell clips apart."""
    inputs = keras.Input((n_samples,))
    averaged = keras.layers.GlobalAveragePooling1D()(keras.layers.Reshape((-1, 1))(inputs))
    model = keras.Model(inputs, keras.layers.Concatenate()([averaged, -averaged]))
    model.compile(jit_compile=False)
    return model


@pytest.mark.parametrize("batch_size", [1, 2, 32])
def test_predictions_come_back_in_the_order_of_the_examples(waveforms, batch_size):
    examples = load(waveforms, **CROP).sides["validation"]

    found = predict(mean_model(), examples, batch_size)

    assert found[:, 0] == pytest.approx([samples.mean() for samples in read_all(examples)])


def test_a_model_trains_on_crops_and_is_tested_on_whole_clips_many_of_one_length(tmp_path, make_settings, make_options):
    lengths = {"a": (150,) * 4, "b": (150,), "c": (*(130,) * 6, 300), "d": (200, 120)}
    waveforms = write_store(tmp_path / "store", lengths)
    settings = settings_with(**CROP)
    make_moments(waveforms, settings)
    data = load_fold(waveforms, FOLD, settings, in_memory=True)
    own = {"architecture": "rnn_small", "batch_size": 2, "num_epochs": 2, "learning_rate": 0.01} | settings.model_dump()
    chosen = make_settings(**own)
    model = build_model(chosen, make_options(**own), waveforms, data.training_items)

    history = train_model(compile_model(model, chosen, seed=1), data, chosen, seed=1)
    found = evaluate_model(model, data, chosen)

    assert model.input_shape == (None, None)
    assert len(history.epochs) == 2
    assert 0 < describe_now("0")["data_share"] < 1
    assert found.predictions["clip"].tolist() == [*(f"c{take}" for take in range(7)), "d0", "d1"]
    assert found.figures["n_examples"] == {"training": 5, "validation": 7, "test": 2}
    assert found.figures["n_training_examples"] == 7


# sides and files


@pytest.mark.parametrize(
    "changes", [{}, CROP, WINDOWS, {**CROP, **WINDOWS}], ids=["whole", "crops", "windows", "crops, windows"]
)
@pytest.mark.parametrize("side", ["training", "validation", "test"])
def test_an_empty_side_is_refused(waveforms, changes, side):
    fold = Fold(1, *(("gone",) if name == side else getattr(FOLD, name) for name in ("training", "validation", "test")))

    with pytest.raises(FoldsError, match=rf"fold 1: no {side} example is left in .*left_out\.csv"):
        load(waveforms, fold=fold, **changes)


def test_a_side_of_augmented_clips_alone_is_refused(tmp_path):
    waveforms = write_store(tmp_path / "store", LENGTHS | {"d": ()})

    with pytest.raises(FoldsError, match="no test example is left"):
        load(waveforms, **CROP)


def test_waveforms_cannot_be_read_without_knowing_how_they_are_cut(waveforms):
    with pytest.raises(ValueError, match="needs the feature settings"):
        load_fold(waveforms, FOLD, in_memory=True)


@pytest.mark.parametrize("in_memory", [True, False])
@pytest.mark.parametrize("kind", ["features", "waveforms"])
def test_a_corpus_may_have_more_items_than_a_process_may_have_open_files(tmp_path, kind, in_memory):
    items = [f"i{number}" for number in range(100, 360)]
    if kind == "features":
        predictors = {item: np.full((1, 2, 2), number, np.float32) for number, item in enumerate(items)}
        store = plain_store.write("many", predictors, {item: ["x"] for item in items}, data_folder=tmp_path)
    else:
        store = write_store(tmp_path / "many", dict.fromkeys(items, (9,)), n_augmented=0)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with Path(os.devnull).open() as file:
        n_open = file.fileno()
    resource.setrlimit(resource.RLIMIT_NOFILE, (n_open + 150, hard))
    try:
        data = load(store, in_memory=in_memory, fold=Fold(1, tuple(items[2:]), (items[0],), (items[1],)))
        read = data.training.predictors(np.arange(len(data.training)))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    order = [items.index(item) for item in data.training.table["item"]]
    assert sorted(order) == list(range(2, 260))
    wanted = order if kind == "features" else [1000 * (number + 1) for number in order]
    assert read.reshape(len(order), -1)[:, 0].tolist() == wanted
