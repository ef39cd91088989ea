"""A store of waveforms: one for all front ends, whose moments are those of what the front end makes."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from preprocessing.audio.read import read_audio
from preprocessing.corpus import Corpus, make_corpus
from preprocessing.features.extract import extract
from preprocessing.features.feature_settings import FeatureSettings
from preprocessing.features.spectrogram import count_frames
from preprocessing.parallel import SMALLEST_PARALLEL
from preprocessing.store import FeatureStore, open_store
from preprocessing.store.make import make_store, store_folder
from preprocessing.store.waveforms import Lengths, example_lengths, example_shape, make_moments, waveform_moments, whole_length
from preprocessing.store.writer import Example, StoreWriter
from xval.base.errors import CorpusError, SettingsError

RATE_HZ = 8000
SECONDS = {"a": (0.11, 0.2, 0.05), "b": (0.13,), "c": (0.08, 0.17)}


def settings_with(**changes: object) -> FeatureSettings:
    small = {"sample_rate_hz": RATE_HZ, "n_fft": 256, "win_length": 200, "hop_length": 80, "n_mels": 20}
    return FeatureSettings(**{**small, "features": "waveform", "frontend": "logmel", **changes})


def write_clips(folder: Path, seconds: dict[str, tuple[float, ...]] = SECONDS) -> pd.DataFrame:
    """Write tones over noise that begin and end with silence, a folder per item."""
    rng, rows = np.random.default_rng(1), []
    for item, lengths in seconds.items():
        (folder / item).mkdir(parents=True, exist_ok=True)
        for take, length in enumerate(lengths):
            time_s = np.arange(round(length * RATE_HZ)) / RATE_HZ
            samples = 0.3 * np.sin(2 * np.pi * (300 + 50 * take) * time_s) + 0.01 * rng.normal(size=time_s.size)
            samples[: samples.size // 4] *= 1e-3
            soundfile.write(folder / item / f"{take}.wav", samples, RATE_HZ, subtype="FLOAT")
            rows.append({"path": f"{item}/{take}.wav", "item": item, "label": "xy"[take % 2]})
    return pd.DataFrame(rows)


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    clips = write_clips(tmp_path / "audio")
    return make_corpus(clips, tmp_path / "audio", dataset="tones", data_folder=tmp_path / "data", corpus="table")[0]


@pytest.fixture
def store(corpus: Corpus) -> FeatureStore:
    return make_store(corpus, settings_with())[0]


def samples_of(store: FeatureStore, item: str) -> list[np.ndarray]:
    of_item = store.examples[store.examples["item"] == item]
    return [store.predictors()[first:stop] for first, stop in zip(of_item["first_row"], of_item["stop_row"], strict=True)]


# what is stored


def test_clips_lie_one_behind_the_other_with_their_own_length(corpus: Corpus, store: FeatureStore) -> None:
    assert store.is_waveform
    assert store.counts == {item: len(seconds) for item, seconds in SECONDS.items()}
    assert store.example_shape == (1600,)
    for item, seconds in SECONDS.items():
        wanted = [read_audio(corpus.audio_folder / item / f"{take}.wav")[0] for take in range(len(seconds))]
        for found, samples in zip(samples_of(store, item), wanted, strict=True):
            np.testing.assert_array_equal(found, samples)
        assert store.predictors(item).shape == (sum(len(samples) for samples in wanted),)
    assert store.examples["end_s"].tolist() == pytest.approx([seconds for item in SECONDS for seconds in SECONDS[item]])


def test_trimmed_clips_know_where_they_lie_in_their_file(corpus: Corpus) -> None:
    trimmed, _ = make_store(corpus, settings_with(trim_db=20))

    examples = trimmed.examples
    lengths = (examples["stop_row"] - examples["first_row"]) / RATE_HZ
    assert (examples["start_s"] > 0).sum() == 5  # the shortest is all in reach of its loud half
    assert (examples["end_s"] - examples["start_s"]).tolist() == pytest.approx(lengths.tolist())
    whole, _ = read_audio(corpus.audio_folder / "b/0.wav")
    first = round(examples.loc[examples["item"] == "b", "start_s"].item() * RATE_HZ)
    np.testing.assert_array_equal(samples_of(trimmed, "b")[0], whole[first : first + len(samples_of(trimmed, "b")[0])])


@pytest.mark.parametrize(
    "changes",
    [
        {"frontend": "stft"},
        {"frontend": "none"},
        {"crop_s": 0.05},
        {"clip_length_s": 0.1},
        {"example_length_s": 0.1, "example_overlap": 0.2},
        {"n_mels": 10, "fmin_hz": 50, "power": 1, "db_reference": "max", "top_db": "none", "pre_emphasis": 0.9},
        {"n_fft": 512, "hop_length": 100, "win_length": 300},
    ],
    ids=lambda changes: "-".join(changes),
)
def test_all_front_ends_and_cuts_share_one_store(corpus: Corpus, changes: dict[str, object]) -> None:
    assert store_folder(corpus, settings_with(**changes)) == store_folder(corpus, settings_with())


@pytest.mark.parametrize(
    "changes", [{"sample_rate_hz": 4000}, {"channel": 0}, {"trim_db": 30}, {"features": "logmel", "frontend": "none"}]
)
def test_what_changes_the_samples_makes_another_store(corpus: Corpus, changes: dict[str, object]) -> None:
    assert store_folder(corpus, settings_with(**changes)) != store_folder(corpus, settings_with())


def writer_of(folder: Path) -> StoreWriter:
    return StoreWriter(
        folder, task_type="regression", class_names=(), feature_settings=settings_with(), clip_samples=9, is_waveform=True
    )


def test_a_ragged_store_comes_back_as_it_was_written(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    clips = [("a", 9), ("a", 2), ("b", 5), ("b", 1), ("b", 7)]
    written: dict[str, list[np.ndarray]] = {"a": [], "b": []}
    with writer_of(tmp_path / "store") as writer:
        for number, (item, length) in enumerate(clips):
            samples = rng.normal(size=(1, length)).astype(np.float32)
            written[item].append(samples[0])
            writer.append(
                item, samples, [[number, -number]], [Example(f"clip {number}", 0.5, 0.5 + length, augmented=number == 3)]
            )
        writer.publish(index_hash="abc")

    store = open_store(tmp_path / "store")

    assert store.description.item_rows == {"a": 11, "b": 13}
    assert (store.example_shape, store.target_shape) == ((9,), (2,))
    assert store.targets("b").tolist() == [[2, -2], [3, -3], [4, -4]]
    assert store.examples["clip"].tolist() == [f"clip {number}" for number in range(5)]
    assert store.examples["augmented"].tolist() == [False, False, False, True, False]
    for item, samples in written.items():
        for found, wanted in zip(samples_of(store, item), samples, strict=True):
            np.testing.assert_array_equal(found, wanted)
        everything = np.concatenate(samples).astype(np.float64)
        moments = store.moments([item])
        assert (moments.count, moments.sum[0]) == (everything.size, pytest.approx(everything.sum()))


# how long examples are


@pytest.mark.parametrize(
    ("changes", "lengths", "model_length"),
    [
        ({}, Lengths(1600, 1600, 1, None), 1600),
        ({"clip_length_s": 0.1}, Lengths(800, 800, 1, 800), 800),
        ({"clip_length_s": 0.5}, Lengths(4000, 4000, 1, 4000), 4000),
        ({"example_length_s": 0.05}, Lengths(400, 400, 1, None), 400),
        ({"crop_s": 0.1}, Lengths(800, None, 800, None), None),
        ({"crop_s": 0.1, "clip_length_s": 0.15}, Lengths(800, None, 800, 1200), None),
        ({"crop_s": 0.1, "example_length_s": 0.15}, Lengths(800, 1200, 800, None), None),
        ({"crop_s": 0.1, "example_length_s": 0.1}, Lengths(800, 800, 800, None), 800),
    ],
    ids=str,
)
def test_settings_decide_the_lengths(
    store: FeatureStore, changes: dict[str, object], lengths: Lengths, model_length: int | None
) -> None:
    settings = settings_with(**changes)

    assert example_lengths(store, settings) == lengths
    assert lengths.model_length == model_length
    n_frames = None if model_length is None else count_frames(model_length, settings)
    assert example_shape(store, settings) == (n_frames, 20)
    assert example_shape(store, settings_with(**changes, frontend="stft")) == (n_frames, 129)
    assert example_shape(store, settings_with(**changes, frontend="none")) == (model_length, 1)


def test_stored_features_keep_their_shape(corpus: Corpus) -> None:
    settings = settings_with(features="logmel", frontend="none")
    assert example_shape(make_store(corpus, settings)[0], settings) == (21, 20)


@given(st.integers(50, 10**7), st.integers(50, 10**6))
def test_whole_clips_are_continued_by_a_fifth_at_most(n_samples: int, n_shortest: int) -> None:
    length = whole_length(n_samples, n_shortest)

    assert length >= max(n_samples, n_shortest)
    assert length <= max(1.2 * n_samples, n_shortest)
    assert whole_length(n_samples + 1, n_shortest) >= length


def test_clips_of_any_length_share_few_lengths() -> None:
    lengths = {whole_length(n_samples, 8000) for n_samples in range(1, 160000, 7)}

    assert min(lengths) == 8000
    assert len(lengths) <= 4 * np.log2(160000 / 8000) + 2


# moments


def moments_of(store: FeatureStore, settings: FeatureSettings, items: str, n_processes: int = 1) -> np.ndarray:
    make_moments(store, settings, n_processes=n_processes)
    found = waveform_moments(store, settings, items)
    return np.array([found.mean(), found.variance(), np.full_like(found.sum, found.count)])


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"power": 1, "db_reference": "max"},
        {"clip_length_s": 0.1},
        {"clip_length_s": 0.3},
        {"scale": "linear"},
        {"trim_db": 20},
    ],
    ids=str,
)
@pytest.mark.parametrize("frontend", ["logmel", "stft"])
def test_moments_of_padded_clips_are_those_of_the_stored_features(
    corpus: Corpus, frontend: str, changes: dict[str, object]
) -> None:
    settings = settings_with(**changes, frontend=frontend)
    stored, _ = make_store(corpus, settings.spectral())

    found = moments_of(make_store(corpus, settings)[0], settings, "ac")

    wanted = stored.moments("ac")
    np.testing.assert_allclose(found[0], wanted.mean(), rtol=1e-4)
    np.testing.assert_allclose(found[1], wanted.variance(), rtol=1e-4)
    assert (found[2] == wanted.count).all()


@pytest.mark.parametrize("changes", [{"crop_s": 0.05}, {"example_length_s": 0.05}], ids=str)
def test_where_clips_are_cut_the_moments_are_those_of_whole_clips(store: FeatureStore, changes: dict[str, object]) -> None:
    settings = settings_with(**changes)

    found = moments_of(store, settings, "a")

    frames = np.concatenate([extract(samples, settings.spectral()) for samples in samples_of(store, "a")])
    np.testing.assert_allclose(found[0], frames.mean(axis=0), rtol=1e-4)
    assert found[2][0] == len(frames)


def files_of(store: FeatureStore) -> set[str]:
    return {path.name for path in store.folder.glob("*moments_*")}


def test_moments_are_made_once_for_each_front_end(store: FeatureStore) -> None:
    for settings in (settings_with(), settings_with(crop_s=0.05)):
        make_moments(store, settings)
    made = {path: path.stat().st_mtime_ns for path in store.folder.iterdir()}
    assert len(files_of(store)) == 2

    for changes in ({}, {"crop_s": 0.05}, {"crop_s": 0.1}, {"example_length_s": 0.1}, {"n_mfcc": 5}):
        make_moments(store, settings_with(**changes))
    assert {path: path.stat().st_mtime_ns for path in store.folder.iterdir()} == made

    for changes in ({"n_mels": 10}, {"clip_length_s": 0.1}, {"frontend": "none"}, {"frontend": "stft"}):
        make_moments(store, settings_with(**changes))
    make_moments(store, settings_with(frontend="stft", n_mels=10))
    assert len(files_of(store)) == 6


def test_moments_are_those_of_the_part_of_clips_that_is_used(store: FeatureStore) -> None:
    settings = settings_with(crop_s=0.02, clip_length_s=0.05)
    make_moments(store, settings)

    used = [samples[: round(0.05 * settings.sample_rate_hz)] for samples in samples_of(store, "a")]
    frames = np.concatenate([extract(samples, settings.spectral()) for samples in used])
    np.testing.assert_allclose(moments_of(store, settings, "a")[0], frames.mean(axis=0), rtol=1e-4)


def test_without_a_front_end_the_samples_are_counted_with_their_padding(store: FeatureStore) -> None:
    settings = settings_with(frontend="none")
    samples = samples_of(store, "a")

    found = moments_of(store, settings, "a")

    n_padded = example_lengths(store, settings).tested
    assert found[2][0] == len(samples) * n_padded
    np.testing.assert_allclose(found[0], [np.concatenate(samples).sum(dtype=np.float64) / found[2][0]], rtol=1e-4, atol=1e-9)


def test_any_number_of_processes_makes_the_same_moments(tmp_path: Path) -> None:
    clips = write_clips(tmp_path / "audio", {"a": (0.05,) * SMALLEST_PARALLEL, "b": (0.07,) * 3})
    corpus, _ = make_corpus(clips, tmp_path / "audio", dataset="tones", data_folder=tmp_path / "data", corpus="table")
    store, _ = make_store(corpus, settings_with())
    counts: list[tuple[int, int]] = []
    make_moments(store, settings_with(), progress=lambda *count: counts.append(count))
    alone = moments_of(store, settings_with(), "ab")
    for name in files_of(store):
        (store.folder / name).unlink()

    np.testing.assert_array_equal(moments_of(store, settings_with(), "ab", n_processes=2), alone)
    assert counts == [(done, SMALLEST_PARALLEL + 3) for done in range(1, SMALLEST_PARALLEL + 4)]


@pytest.mark.parametrize("size", [0, 100])
def test_damaged_moments_are_an_error_that_says_what_to_do(store: FeatureStore, size: int) -> None:
    make_moments(store, settings_with())
    (name,) = files_of(store)
    os.truncate(store.folder / name, size)

    make_moments(store, settings_with())  # what is there is left alone
    with pytest.raises(CorpusError, match=rf"{name}: missing or damaged .* Delete"):
        waveform_moments(store, settings_with(), "a")


def test_features_that_overflow_are_an_error_that_names_the_item(tmp_path: Path) -> None:
    with writer_of(tmp_path / "store") as writer:
        writer.append("loud", np.full((1, 900), 1e15), [[1.0]], [Example("c", 0.0, 1.0)])
        writer.publish(index_hash="abc")
    store = open_store(tmp_path / "store")

    with pytest.raises(SettingsError, match=r"the logmel of a clip of item 'loud' overflows\. Lower power"):
        make_moments(store, settings_with(power=8))
    assert files_of(store) == set()
