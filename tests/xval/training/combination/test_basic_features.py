import numpy as np
import pytest
import soundfile

from preprocessing.corpus import open_corpus
from preprocessing.store import make
from xval.base.errors import CorpusError
from xval.training.combination.basic_features import all_examples, make_basic_features, read_basic_features
from xval.training.combination.short_term import basic_features


def test_each_example_has_the_features_of_its_stretch_of_audio(tones, tone_store):
    corpus, settings = tones
    make_basic_features(corpus, tone_store, settings)
    examples = all_examples(tone_store, settings, ("s2",))

    found = read_basic_features(tone_store, settings, examples.table)

    assert len(examples.table) > 4, "some clips have two windows"
    for row, values in zip(examples.table.itertuples(), found, strict=True):
        path = corpus.audio_folder / corpus.index.set_index("clip").loc[row.clip, "path"]
        samples, rate_hz = soundfile.read(path, dtype="float32")
        stretch = samples[round(row.start_s * rate_hz) : round(row.end_s * rate_hz)]
        np.testing.assert_allclose(values, basic_features(stretch, rate_hz), rtol=1e-5, atol=1e-6)


def test_they_are_computed_once(tones, tone_store):
    corpus, settings = tones
    make_basic_features(corpus, tone_store, settings)
    (path,) = tone_store.folder.glob("basic_*.npz")
    before = path.stat().st_mtime_ns

    make_basic_features(corpus, tone_store, settings)

    assert path.stat().st_mtime_ns == before
    assert list(tone_store.folder.glob("basic_*")) == [path]


def test_waveforms_that_are_cut_otherwise_have_other_features(tones):
    corpus, settings = tones
    whole, halves = (
        settings.model_copy(update={"features": "waveform", "example_length_s": length_s}) for length_s in (None, 0.2)
    )
    store, _ = make.make_store(corpus, whole)
    for chosen in (whole, halves):
        make_basic_features(corpus, store, chosen)

    tables = [all_examples(store, chosen, ("s0", "s3")).table for chosen in (whole, halves)]
    counts = [len(read_basic_features(store, chosen, table)) for chosen, table in zip((whole, halves), tables, strict=True)]

    assert counts[0] == 8
    assert counts[1] > 16
    assert len(list(store.folder.glob("basic_*.npz"))) == 2


def test_audio_that_has_changed_is_refused_and_nothing_is_left(tones, tone_store):
    corpus, settings = tones
    soundfile.write(corpus.audio_folder / "s0_0.wav", np.full(4000, 0.2), 8000)

    with pytest.raises(CorpusError, match="the audio has changed since the dataset was prepared"):
        make_basic_features(corpus, tone_store, settings)

    assert not list(tone_store.folder.glob("*basic_*"))


def mark_as_encrypted(content):
    """Set a bit in which a zip file says that its members are encrypted."""
    place = content.index(b"PK\x01\x02") + 8
    return content[:place] + bytes([content[place] | 1]) + content[place + 1 :]


@pytest.mark.parametrize("damage", [lambda content: content[:100], mark_as_encrypted])
def test_a_file_that_is_missing_or_damaged_says_what_to_do(tones, tone_store, damage):
    corpus, settings = tones
    examples = all_examples(tone_store, settings, ("s2",))
    with pytest.raises(CorpusError, match="run the experiment again"):
        read_basic_features(tone_store, settings, examples.table)
    make_basic_features(corpus, tone_store, settings)
    (path,) = tone_store.folder.glob("basic_*.npz")
    path.write_bytes(damage(path.read_bytes()))

    with pytest.raises(CorpusError, match="missing or damaged"):
        read_basic_features(tone_store, settings, examples.table)


def test_arrays_of_a_script_have_no_audio(custom_store, tones):
    corpus = open_corpus("toy", custom_store.folder.parents[2])

    with pytest.raises(CorpusError, match="has no audio"):
        make_basic_features(corpus, custom_store, tones[1])
