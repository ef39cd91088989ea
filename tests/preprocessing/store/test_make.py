"""Audio files on disk become a feature store: the same one by any number of processes, and built once."""

import math
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from preprocessing.audio.read import read_audio
from preprocessing.corpus import Corpus, make_corpus, open_corpus
from preprocessing.features.extract import extract
from preprocessing.features.feature_settings import FeatureSettings
from preprocessing.parallel import SMALLEST_PARALLEL
from preprocessing.store import FeatureStore, write
from preprocessing.store.make import make_store, store_folder
from xval.base.errors import CorpusError, SettingsError

ROOT = Path(__file__).resolve().parents[3]
RATE_HZ = 8000
FEW = ("s1", "s2", "S3")


def settings_with(**changes: object) -> FeatureSettings:
    small = {"sample_rate_hz": RATE_HZ, "n_fft": 256, "win_length": 200, "hop_length": 80, "n_mels": 20}
    return FeatureSettings(**{**small, **changes})


def write_tone(path: Path, frequency_hz: float, duration_s: float, rate_hz: int = RATE_HZ) -> None:
    rng = np.random.default_rng(int(frequency_hz))
    time_s = np.arange(round(duration_s * rate_hz)) / rate_hz
    samples = 0.3 * np.sin(2 * np.pi * frequency_hz * time_s) + 0.01 * rng.normal(size=time_s.size)
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate_hz)


def make_audio(folder: Path, items: Sequence[str] = FEW, n_takes: int = 3) -> pd.DataFrame:
    """Write wav files of two classes, a folder per item; every take is longer than the one before."""
    rows = []
    for number, item in enumerate(items):
        for take in range(n_takes):
            path = f"{number}/{take}.wav"
            write_tone(folder / path, 300 + 40 * number + take, 0.1 + 0.05 * (take % 4))
            rows.append({"path": path, "item": item, "label": ("low", "high")[take % 2]})
    return pd.DataFrame(rows)


def corpus_of(clips: pd.DataFrame, folder: Path, task_type: str = "classification") -> Corpus:
    corpus, left_out = make_corpus(
        clips, folder / "audio", dataset="tones", data_folder=folder / "data", corpus="table", task_type=task_type
    )
    assert left_out.empty
    return corpus


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    return corpus_of(make_audio(tmp_path / "audio"), tmp_path)


def test_every_clip_becomes_an_example_of_its_item(corpus: Corpus) -> None:
    counts: list[tuple[int, int]] = []
    store, left_out = make_store(corpus, settings_with(), progress=lambda *count: counts.append(count))
    assert left_out.empty
    assert list(left_out.columns) == ["path", "item", "reason"]
    assert counts == [(done, 9) for done in range(1, 10)]
    assert store.items == tuple(sorted(FEW))
    assert store.example_shape == (21, 20)  # the longest clip has 0.2 s
    assert list(store.examples["clip"]) == list(corpus.index["clip"])
    for item in store.items:
        clips = corpus.index[corpus.index["item"] == item]
        assert [store.class_names[code] for code in store.targets(item)] == list(clips["label"])
        for path, stored in zip(clips["path"], store.predictors(item), strict=True):
            samples, _ = read_audio(corpus.audio_folder / path)
            np.testing.assert_array_equal(stored, extract(samples, settings_with(), n_samples=1600))


def test_the_store_says_what_it_was_made_of(corpus: Corpus) -> None:
    store, _ = make_store(corpus, settings_with())
    description = store.description
    assert description.feature_settings == settings_with().stored()
    assert (description.sample_rate_hz, description.clip_samples) == (RATE_HZ, 1600)
    assert description.index_hash == corpus.index_hash
    assert store.folder == store_folder(corpus, settings_with()) == corpus.folder / "features" / store.key
    assert len(store.key) == 16
    int(store.key, 16)


def test_other_settings_or_another_index_get_another_store(tmp_path: Path, corpus: Corpus) -> None:
    one, _ = make_store(corpus, settings_with())
    other, _ = make_store(corpus, settings_with(n_mels=10))
    assert other.example_shape == (21, 10)
    clips = make_audio(tmp_path / "audio").iloc[:8]
    third, _ = make_store(corpus_of(clips, tmp_path), settings_with())
    assert len({one.key, other.key, third.key}) == 3
    assert sum(third.counts.values()) == 8


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.stat().st_mtime_ns, path.stat().st_ino) for path in folder.rglob("*")}


def test_a_complete_store_is_opened_and_not_touched(corpus: Corpus) -> None:
    store, _ = make_store(corpus, settings_with())
    before = snapshot(store.folder.parent)
    for path in corpus.audio_folder.rglob("*.wav"):
        path.unlink()  # it is not needed any more
    again, _ = make_store(open_corpus("tones", corpus.folder.parent), settings_with())
    assert snapshot(store.folder.parent) == before
    np.testing.assert_array_equal(again.predictors("s1"), store.predictors("s1"))


def content(store: FeatureStore) -> dict[str, bytes]:
    """Every file's bytes; of moments.npz, which holds the time, its arrays."""
    files = {str(path.relative_to(store.folder)): path.read_bytes() for path in store.folder.rglob("*") if path.is_file()}
    moments = store.moments(store.items)
    files["moments.npz"] = moments.sum.tobytes() + moments.sum_of_squares.tobytes()
    return files


def test_any_number_of_processes_makes_the_same_store(tmp_path: Path) -> None:
    clips = make_audio(tmp_path / "audio", items=("a", "b", "c", "d"), n_takes=SMALLEST_PARALLEL // 4 + 3)
    contents = []
    for n_processes in (1, 2, 3):
        folder = tmp_path / str(n_processes)
        folder.mkdir()
        (folder / "audio").symlink_to(tmp_path / "audio")
        store, _ = make_store(corpus_of(clips, folder), settings_with(), n_processes=n_processes)
        contents.append(content(store))
    assert contents[0] == contents[1] == contents[2]
    assert len(contents[0]) == 7


def test_stretches_of_a_file_are_clips(tmp_path: Path) -> None:
    write_tone(tmp_path / "audio" / "long.wav", 440, 1.0)
    clips = pd.DataFrame(
        {"path": "long.wav", "item": ["a", "b"], "label": ["x", "y"], "start_s": [0.1, 0.5], "end_s": [0.3, math.nan]}
    )
    store, _ = make_store(corpus_of(clips, tmp_path), settings_with())
    whole, _ = read_audio(tmp_path / "audio" / "long.wav")
    np.testing.assert_array_equal(store.predictors("a")[0], extract(whole[800:2400], settings_with(), n_samples=4000))
    assert list(store.examples["start_s"]) == [0.1, 0.5]
    assert list(store.examples["end_s"]) == pytest.approx([0.3, 1.0])


def test_windows_are_examples_with_their_place_in_the_file(tmp_path: Path) -> None:
    write_tone(tmp_path / "audio" / "long.wav", 440, 1.0)
    write_tone(tmp_path / "audio" / "short.wav", 450, 0.1)
    clips = pd.DataFrame(
        {"path": ["long.wav", "short.wav"], "item": ["a", "b"], "label": ["x", "y"], "start_s": [0.25, math.nan]}
    )
    store, _ = make_store(corpus_of(clips, tmp_path), settings_with(example_length_s=0.25, example_overlap=0))
    assert store.counts == {"a": 3, "b": 1}
    assert store.example_shape == (26, 20)
    examples = store.examples
    assert list(examples["start_s"][:3]) == pytest.approx([0.25, 0.50, 0.75], abs=0.011)
    assert examples["end_s"][2] == pytest.approx(1.0)
    assert list(examples["end_s"][3:]) == pytest.approx([0.1])
    assert list(store.targets("a")) == [0, 0, 0]


def test_several_targets_stand_beside_each_other(tmp_path: Path) -> None:
    clips = make_audio(tmp_path / "audio").drop(columns="label")
    targets = {"label:valence": np.arange(9.0), "label:arousal": -np.arange(9.0) / 3}
    corpus = corpus_of(clips.assign(**targets), tmp_path, task_type="regression")
    for changes in ({}, {"features": "waveform"}, {"example_length_s": 0.1}):
        store, _ = make_store(corpus, settings_with(**changes))
        assert (store.task_type, store.class_names, store.target_shape) == ("regression", (), (2,))
        for item in store.items:
            wanted = corpus.index.set_index("clip")[list(targets)].astype(np.float32)
            of_item = store.examples.loc[store.examples["item"] == item, "clip"]
            np.testing.assert_array_equal(store.targets(item), wanted.loc[of_item])


def test_augmented_clips_are_marked(tmp_path: Path) -> None:
    clips = make_audio(tmp_path / "audio")
    clips["augmented"] = clips["path"] == "1/2.wav"
    clips["source_clip"] = [("1/1.wav" if augmented else None) for augmented in clips["augmented"]]
    examples = make_store(corpus_of(clips, tmp_path), settings_with())[0].examples
    assert list(examples.loc[examples["augmented"], "clip"]) == ["1/2.wav"]


def test_a_clip_that_cannot_be_read_any_more_is_left_out(corpus: Corpus) -> None:
    (corpus.audio_folder / "0/1.wav").unlink()
    (corpus.audio_folder / "1/2.wav").write_text("no audio any more")
    store, left_out = make_store(corpus, settings_with())
    assert store.counts == {"S3": 3, "s1": 2, "s2": 2}
    assert left_out.to_dict("records") == [
        {"path": "0/1.wav", "item": "s1", "reason": "no such file."},
        {"path": "1/2.wav", "item": "s2", "reason": "a text, not audio ('no audio any more'). Fetch the file again."},
    ]
    assert "0/1.wav" not in set(store.examples["clip"])
    pd.testing.assert_frame_equal(make_store(corpus, settings_with())[1], left_out)


def test_an_item_that_lost_all_of_its_clips_is_an_error(corpus: Corpus) -> None:
    for take in range(3):
        (corpus.audio_folder / f"0/{take}.wav").unlink()
    with pytest.raises(CorpusError, match=r"No clip is left of s1 \(1 of 3 items\)\. 0/0\.wav: no such file\. .*xval prepare"):
        make_store(corpus, settings_with())
    assert not store_folder(corpus, settings_with()).exists()


@pytest.mark.parametrize("n_processes", [1, 2])
def test_changed_audio_is_refused(tmp_path: Path, n_processes: int) -> None:
    n_takes = 3 if n_processes == 1 else SMALLEST_PARALLEL // 3 + 1
    corpus = corpus_of(make_audio(tmp_path / "audio", n_takes=n_takes), tmp_path)
    write_tone(corpus.audio_folder / "1/1.wav", 777, 0.1)
    with pytest.raises(CorpusError, match=r"1/1\.wav: the audio has changed since the dataset was prepared\. Run xval prepare"):
        make_store(corpus, settings_with(), n_processes=n_processes)
    assert not store_folder(corpus, settings_with()).exists()


def test_a_missing_audio_folder_is_named(corpus: Corpus) -> None:
    corpus.audio_folder.rename(corpus.audio_folder.with_name("elsewhere"))
    with pytest.raises(CorpusError, match=r"audio: the audio of dataset 'tones' is no longer there"):
        make_store(corpus, settings_with())


def test_settings_that_cannot_be_computed_are_refused_before_any_clip(corpus: Corpus) -> None:
    for path in corpus.audio_folder.rglob("*.wav"):
        path.unlink()
    with pytest.raises(SettingsError, match="scipy has no window 'cheese'"):
        make_store(corpus, settings_with(window="cheese"))


def test_features_that_overflow_are_left_out(tmp_path: Path) -> None:
    clips = make_audio(tmp_path / "audio")
    soundfile.write(tmp_path / "audio" / "0/0.wav", np.full(800, 1e9, np.float32), RATE_HZ, subtype="FLOAT")
    _, left_out = make_store(corpus_of(clips, tmp_path), settings_with(top_db="none", power=4.0))
    assert list(left_out["path"]) == ["0/0.wav"]
    assert "samples reach 1e+09" in left_out["reason"][0]


@pytest.mark.parametrize("name", ["left_out.csv", "store.json"])
def test_a_damaged_store_is_not_rebuilt_but_reported(corpus: Corpus, name: str) -> None:
    store, _ = make_store(corpus, settings_with())
    (store.folder / name).unlink()
    with pytest.raises(CorpusError, match=rf"{name}: missing or damaged .* Delete"):
        make_store(corpus, settings_with())


MAKER = """
import sys
from pathlib import Path
from preprocessing.corpus import open_corpus
from preprocessing.store.make import make_store
from preprocessing.features.feature_settings import FeatureSettings
settings = FeatureSettings.model_validate_json(sys.argv[2])
counts = []
store, _ = make_store(open_corpus("tones", Path(sys.argv[1])), settings, progress=lambda *count: counts.append(count))
print(len(counts), sum(store.counts.values()))
"""


def test_two_runs_at_once_make_one_store(tmp_path: Path) -> None:
    corpus = corpus_of(make_audio(tmp_path / "audio", n_takes=100), tmp_path)
    command = [sys.executable, "-c", MAKER, str(corpus.folder.parent), settings_with().model_dump_json()]
    runs = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert sorted(run.communicate(timeout=120)[0] for run in runs) == ["0 300\n", "0 300\n", "300 300\n"]
    names = [path.name for path in (corpus.folder / "features").iterdir() if not path.name.endswith(".lock")]
    assert names == [store_folder(corpus, settings_with()).name]


def test_a_custom_corpus_has_one_store_for_all_settings(tmp_path: Path) -> None:
    written = write("mine", {"a": [[1.0, 2.0]]}, {"a": ["x"]}, data_folder=tmp_path)
    corpus = open_corpus("mine", tmp_path)
    for settings in (settings_with(), settings_with(n_mels=10)):
        store, left_out = make_store(corpus, settings)
        assert store.folder == written.folder
        assert left_out.empty


def test_a_custom_store_of_another_index_is_refused(tmp_path: Path) -> None:
    write("mine", {"a": [[1.0, 2.0]]}, {"a": ["x"]}, data_folder=tmp_path)
    old_index = (tmp_path / "mine" / "corpus.parquet").read_bytes()
    store = write("mine", {"a": [[1.0, 3.0]]}, {"a": ["x"]}, data_folder=tmp_path)
    (tmp_path / "mine" / "corpus.parquet").write_bytes(old_index)
    with pytest.raises(CorpusError, match=r"made from.* Run the script that writes it"):
        make_store(open_corpus("mine", tmp_path), settings_with())
    for path in sorted(store.folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    store.folder.rmdir()
    with pytest.raises(CorpusError, match=r"there is no feature store\. Run the script that writes it"):
        make_store(open_corpus("mine", tmp_path), settings_with())
