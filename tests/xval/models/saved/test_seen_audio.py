"""The same recordings, re-encoded under other speaker names: a model that was trained on them is recognised."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import soundfile

from preprocessing.corpora._demo_speech import SAMPLE_RATE_HZ, draw_speaker, speak
from preprocessing.corpus import make_corpus
from preprocessing.quality.near_duplicates import write_across_items
from xval.base.json_files import write_json
from xval.folds.plan import Fold
from xval.jobs.record import _count_near_duplicates
from xval.models.saved.provenance import Provenance, write_seen_audio

WORDS, N_SPEAKERS = ("had", "heed"), 4
FOLD = Fold(1, ("s1", "s2"), ("s3",), ("s4",))


@pytest.fixture(scope="module")
def words():
    """Recordings by speaker and word."""
    rng = np.random.default_rng(0)
    voices = {f"s{number}": draw_speaker(number, seed=3) for number in range(1, N_SPEAKERS + 1)}
    return {(name, word): np.asarray(speak(word, voice, rng), np.float32) for name, voice in voices.items() for word in WORDS}


def write_corpus(folder, recordings, dataset):
    """Make a corpus of recordings by speaker and word, with what preprocessing leaves beside its index."""
    audio = folder / f"{dataset}_audio"
    audio.mkdir()
    rows = []
    for (speaker, word), samples in recordings.items():
        name = f"{speaker}_{word}.flac"
        soundfile.write(audio / name, samples, SAMPLE_RATE_HZ)
        rows.append((name, speaker, word))
    clips = pd.DataFrame(rows, columns=["path", "item", "label"])
    made = {"dataset": dataset, "data_folder": folder / "data", "corpus": "table"}
    corpus, _ = make_corpus(clips, audio, task_type="classification", **made)
    write_across_items(corpus)
    return corpus


def re_encoded(samples):
    """Return a recording at another level, with noise 26 dB below it."""
    rng = np.random.default_rng(1)
    return 0.7 * samples + 0.05 * np.sqrt(np.mean(samples**2)) * rng.normal(size=samples.size)


@pytest.mark.parametrize(("heard", "state"), [("s4", "leaked"), ("s1", "clean")], ids=["the tested speaker", "others"])
def test_a_model_of_re_encoded_recordings_is_known(tmp_path, words, heard, state):
    corpus = write_corpus(tmp_path, words, "speech")
    names = {heard: "anna", "new": "bob"}
    others = {("new", word): samples[::-1].copy() for (speaker, word), samples in words.items() if speaker == "s2"}
    recordings = {key: samples for key, samples in words.items() if key[0] == heard} | others
    other = write_corpus(
        tmp_path, {(names[speaker], word): re_encoded(samples) for (speaker, word), samples in recordings.items()}, "other"
    )
    store = SimpleNamespace(folder=other.folder / "features" / "x")
    write_seen_audio(tmp_path, SimpleNamespace(fold=Fold(1, ("anna", "bob"), (), ()), store=store))
    items = {"other": ["anna", "bob"]}
    write_json(tmp_path / "model.json", {"seen_items": items, "trained_items": items, "unknown_parts": []})

    verdict = Provenance(tmp_path / "model.keras").verdict(FOLD, "speech", corpus.folder)

    assert verdict.state == state
    assert ("2 of its 2 clips by their fingerprints, in another version" in verdict.reason) == (state == "leaked")


def test_tested_clips_that_nearly_equal_what_trains_are_counted(tmp_path, words, make_settings, monkeypatch):
    copies = {("s4", word): re_encoded(words["s1", word]) for word in WORDS[:1]}
    corpus = write_corpus(tmp_path, {key: samples for key, samples in words.items() if key[0] != "s4"} | copies, "copied")
    described = SimpleNamespace(description=SimpleNamespace(index_hash=corpus.index_hash))
    monkeypatch.setattr("xval.jobs.record.open_store", lambda _: described)
    job = SimpleNamespace(store_folder=str(corpus.folder / "features" / "x"), fold=FOLD, settings=make_settings())

    assert _count_near_duplicates(job) == {"near_duplicates": 1}
    for excluded in ({"test_where": "path != 's4_had.flac'"}, {"train_where": "path != 's1_had.flac'"}):
        job.settings = make_settings(**excluded)
        assert _count_near_duplicates(job) == {"near_duplicates": 0}
    job.settings = make_settings(train_where="path != 's2_had.flac'", test_where="item == 's4'")
    assert _count_near_duplicates(job) == {"near_duplicates": 1}
    (corpus.folder / "near_duplicates.csv").unlink()
    assert _count_near_duplicates(job) == {}  # not known
