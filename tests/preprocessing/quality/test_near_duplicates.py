"""Copies of a spoken word at another level, in another encoding or with other ends are found, and other words are not."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from numpy.typing import NDArray

from preprocessing.clips.fingerprints import (
    N_VALUES,
    Fingerprints,
    find_alike,
    join,
    read_fingerprints,
    without_values,
    write_fingerprints,
)
from preprocessing.clips.near_pairs import FILE_NAME, read_across_items, write_pairs
from preprocessing.clips.table import check_clips
from preprocessing.commands.command_line import read_settings
from preprocessing.corpora._demo_speech import SAMPLE_RATE_HZ, draw_speaker, speak
from preprocessing.quality.facts import measure, read_headers
from preprocessing.quality.findings.identical import nearly_identical
from preprocessing.quality.near_duplicates import find_near_duplicates, fingerprint, likeness, short_fingerprint
from preprocessing.quality.rules import Criteria
from xval.base.errors import CorpusError

WORDS = ("had", "heed", "hod")
SPEAKERS = ("ann", "bob", "cem")


@pytest.fixture(scope="module")
def speech() -> dict[str, NDArray[np.float32]]:
    """Words by the names of their files: two takes of three words by three speakers."""
    rng = np.random.default_rng(0)
    voices = {name: draw_speaker(number, seed=3) for number, name in enumerate(SPEAKERS, start=1)}
    return {
        f"{name}_{word}_{take}.wav": np.asarray(speak(word, voice, rng), np.float32)
        for name, voice in voices.items()
        for word in WORDS
        for take in (1, 2)
    }


def changed(samples: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    """Return copies of a clip by the names of their files."""
    ends = np.zeros(round(0.2 * SAMPLE_RATE_HZ), np.float32)
    peak = np.abs(samples).max()
    return {
        "louder.wav": samples / peak * 10 ** (-1 / 20),
        "softer.wav": samples * 10 ** (-12 / 20),
        "encoded.mp3": samples,
        "encoded.ogg": samples,
        "padded.wav": np.concatenate([ends, samples, ends[::2]]),
        "shortened.wav": samples[160:-160],
    }


def find(folder: Path, files: dict[str, NDArray[np.float32]], items: dict[str, str]) -> pd.DataFrame:
    for name, samples in files.items():
        soundfile.write(folder / name, samples, SAMPLE_RATE_HZ)
    rows = [(name, items.get(name, name.split("_")[0]), "x") for name in files]
    clips = check_clips(pd.DataFrame(rows, columns=["path", "item", "label"]), folder, task_type="classification")
    return find_near_duplicates(measure(read_headers(clips, folder), folder), folder)


@pytest.mark.parametrize("item", ["bob", "ann"])
def test_every_kind_of_copy_is_found_and_nothing_else(
    tmp_path: Path, speech: dict[str, NDArray[np.float32]], item: str
) -> None:
    sources = list(speech)[: len(changed(speech["ann_had_1.wav"]))]
    copies = {
        name: changed(speech[source])[name] for source, name in zip(sources, changed(speech["ann_had_1.wav"]), strict=True)
    }

    facts = find(tmp_path, speech | copies, dict.fromkeys(copies, item))

    found = {
        facts.at[row, "clip"]: facts.at[twin, "clip"] for row, twin in facts["twin"].dropna().items() if row > len(speech) - 1
    }
    assert found == dict(zip(copies, sources, strict=True))
    assert facts["twin"].notna().sum() == 2 * len(copies)
    criteria = Criteria(0.1, 0.001, "classification", read_settings([]))
    across, within = (nearly_identical(across_items=across)(facts, criteria) for across in (True, False))
    assert (len(across), len(within)) == ((12, 0) if item == "bob" else (0, 12))
    assert (across or within)[0] == f"the recording of louder.wav (item {item}), likeness 1.00"


def test_identical_audio_and_silence_are_left_to_other_rules(tmp_path: Path, speech: dict[str, NDArray[np.float32]]) -> None:
    twin = {"bob_twin.wav": speech["ann_had_1.wav"], "cem_a.wav": np.zeros(800), "cem_b.wav": np.zeros(900)}

    assert find(tmp_path, speech | twin, {})["twin"].isna().all()


def test_the_fingerprint_changes_neither_with_the_level_nor_with_the_place(speech: dict[str, NDArray[np.float32]]) -> None:
    samples = speech["cem_heed_2.wav"]
    moved = 0.25 * np.pad(samples, (777, 100))

    assert fingerprint(samples, SAMPLE_RATE_HZ) @ fingerprint(moved, SAMPLE_RATE_HZ) == pytest.approx(1, abs=1e-4)
    assert likeness(samples, moved) == pytest.approx(1, abs=1e-4)
    assert likeness(samples, speech["cem_heed_1.wav"]) < 0.8
    assert likeness(samples, np.zeros(10, np.float32)) == 0
    assert not fingerprint(np.zeros(10, np.float32), SAMPLE_RATE_HZ).any()


def test_a_short_fingerprint_knows_copies_again_and_nothing_else(speech: dict[str, NDArray[np.float32]]) -> None:
    rng = np.random.default_rng(0)
    shorts = np.stack([short_fingerprint(samples, SAMPLE_RATE_HZ) for samples in speech.values()])
    for place, samples in enumerate(speech.values()):
        rms = np.sqrt(np.mean(samples**2))
        noisy = 0.7 * samples + 0.05 * rms * rng.normal(size=samples.size)
        copy = short_fingerprint(noisy.astype(np.float32), SAMPLE_RATE_HZ)[np.newaxis]
        others = np.delete(shorts, place, axis=0)
        assert find_alike(copy, shorts).tolist() == [True]
        assert find_alike(copy, others).tolist() == [False]
        assert find_alike(shorts[[place]], others).tolist() == [False]
    assert not find_alike(np.zeros((2, N_VALUES), np.int8), np.zeros((1, N_VALUES), np.int8)).any()  # silence is like nothing


def test_fingerprints_are_kept_by_the_hash_of_their_audio(tmp_path: Path) -> None:
    assert read_fingerprints(tmp_path) is None
    values = np.arange(3 * N_VALUES, dtype=np.int8).reshape(3, N_VALUES)
    audio = np.array([5, 1, 9], np.uint64)
    joined = join([Fingerprints(audio, values), without_values(np.array([7, 9], np.uint64))])
    write_fingerprints(tmp_path, joined)

    read = read_fingerprints(tmp_path)

    assert read.audio.tolist() == [1, 5, 7, 9]
    np.testing.assert_array_equal(read.of(audio), values)
    assert not read.of(np.array([7], np.uint64)).any()
    assert read.of(np.array([5, 6], np.uint64)) is None  # a clip that the file does not know
    np.save(tmp_path / "fingerprints.npy", audio)
    with pytest.raises(CorpusError, match=r"fingerprints\.npy: damaged \(holds uint64 \(3,\)"):
        read_fingerprints(tmp_path)


def test_pairs_are_told_of_the_index_that_they_were_found_in(tmp_path: Path) -> None:
    assert read_across_items(tmp_path, "now") is None
    write_pairs(tmp_path, "now", [])
    assert read_across_items(tmp_path, "now").empty  # searched, and nothing found
    assert read_across_items(tmp_path, "before") is None
    lines = ["clip,item,other_clip,other_item,likeness,index_hash", "a.wav,1,b.wav,2,0.9,now", "c.wav,1,d.wav,2,0.9,before"]
    (tmp_path / FILE_NAME).write_text("\n".join(lines))
    assert read_across_items(tmp_path, "now")["clip"].tolist() == ["a.wav"]
    (tmp_path / FILE_NAME).write_text("clip,likeness\na.wav,high\n")
    with pytest.raises(CorpusError, match=r"damaged .*Delete it; xval prepare writes it again"):
        read_across_items(tmp_path, "now")
