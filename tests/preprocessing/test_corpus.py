"""The index: what it keeps, what it leaves out, what it refuses."""

import os
import re
import shutil
import struct
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from preprocessing.audio.read import read_audio
from preprocessing.clips.listing import list_audio
from preprocessing.clips.table import check_clips, natural_key
from preprocessing.commands.command_line import read_settings
from preprocessing.corpus import fingerprint, make_corpus, open_corpus
from preprocessing.corpus_folder import corpus_folder, find_corpus_folder, names_of, rename_corpus
from preprocessing.quality.cautions import find_cautions
from preprocessing.quality.facts import DOES_NOT_OPEN, read_headers
from xval.base.errors import CorpusError
from xval.folds.shared_audio import find_shared_audio

RATE_HZ = 8000


def write_tone(path: Path, *, seconds: float = 0.2, pitch_hz: float = 200.0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, 0.5 * np.sin(2 * np.pi * pitch_hz * np.arange(round(seconds * RATE_HZ)) / RATE_HZ), RATE_HZ)


@pytest.fixture
def audio(tmp_path: Path) -> Path:
    folder = tmp_path / "audio"
    for number, name in enumerate(("a1.wav", "a2.wav", "b1.wav", "deep/b2.wav")):
        write_tone(folder / name, pitch_hz=200 + 50 * number)
    return folder


@pytest.fixture
def clips() -> pd.DataFrame:
    rows = [("a1.wav", "a", "x"), ("a2.wav", "a", "y"), ("b1.wav", "b", "x"), ("deep/b2.wav", "b", "y")]
    return pd.DataFrame(rows, columns=["path", "item", "label"])


def make(clips: pd.DataFrame, audio: Path, **options):
    defaults = {"dataset": "tones", "data_folder": audio.parent / "data", "corpus": "table"}
    return make_corpus(clips, audio, **{**defaults, **options})


@pytest.mark.parametrize(
    ("start", "advice"),
    [("C:/Users/J/", "an absolute path, perhaps from another computer"), ("x/", r"Paths are relative to .*audio\.")],
)
def test_where_no_path_is_found_the_advice_fits_the_paths(audio: Path, clips: pd.DataFrame, start: str, advice: str) -> None:
    with pytest.raises(CorpusError, match=f"no such file.*{advice}"):
        make(clips.assign(path=start + clips["path"]), audio)


@pytest.mark.parametrize(
    ("column", "word"),
    [
        ("actor", "actor"),
        ("Speaker_ID", "speaker"),
        ("path", "file"),
        ("voice actor", "voice actor"),
        ("", ""),
        ("x7", ""),
        ("id", ""),
    ],
)
def test_the_word_for_an_item_is_that_of_its_column_and_changes_no_hash(audio, clips, column, word) -> None:
    plain, _ = make(clips, audio)
    clips.attrs["item_name"] = column
    named, _ = make(clips, audio)
    assert (plain.item_name, open_corpus("tones", audio.parent / "data").item_name) == ("", word)
    assert named.index_hash == plain.index_hash


def test_the_index_has_a_row_per_clip_with_its_facts(audio: Path, clips: pd.DataFrame) -> None:
    corpus, left_out = make(clips, audio)

    assert left_out.empty
    assert list(corpus.index["clip"]) == ["a1.wav", "a2.wav", "b1.wav", "deep/b2.wav"]
    assert list(corpus.index["item"]) == ["a", "a", "b", "b"]
    assert corpus.index["duration_s"].tolist() == pytest.approx([0.2] * 4)
    assert corpus.index["sample_rate_hz"].tolist() == [RATE_HZ] * 4
    assert corpus.index["audio_hash"].nunique() == 4
    assert corpus.index["phase"].isna().all()
    assert corpus.index["fold"].isna().all()
    assert not corpus.index["augmented"].any()
    assert corpus.class_names == ("x", "y")
    assert corpus.audio_folder == audio
    assert corpus.folder == audio.parent / "data" / "tones"
    assert not corpus.is_custom


def test_opening_gives_what_making_gave(audio: Path, clips: pd.DataFrame) -> None:
    full = clips.assign(
        clip=["1", "2", "3", "4"],
        phase=["training", None, "validation", "test"],
        fold=[1, None, 2, 2],
        start_s=[0.0, None, 0.05, None],
        end_s=[0.1, 0.1, None, None],
        source_clip=[None, "1", None, None],
        augmented=[False, True, False, False],
    )
    made, _ = make(full, audio)
    opened = open_corpus("tones", audio.parent / "data")

    pd.testing.assert_frame_equal(opened.index, made.index)
    assert opened.index_hash == made.index_hash
    assert opened.index["fold"].tolist() == [1, pd.NA, 2, 2]
    assert opened.index["phase"].tolist()[2:] == ["validation", "test"]
    assert opened.index["source_clip"].tolist()[1] == "1"
    assert opened.index["duration_s"].tolist() == pytest.approx([0.1, 0.1, 0.15, 0.2])


def test_clips_that_cannot_be_used_are_reported_and_left_out(audio: Path, clips: pd.DataFrame) -> None:
    (audio / "text.wav").write_text("this is non audio")
    (audio / "empty.wav").touch()
    soundfile.write(audio / "silent.wav", np.zeros(800), RATE_HZ)
    bad = pd.DataFrame({"path": ["text.wav", "empty.wav", "silent.wav", "gone.wav"], "item": "c", "label": "z"})
    corpus, left_out = make(pd.concat([bad, clips]), audio)

    written = pd.read_csv(corpus.folder / "left_out.csv")
    assert list(written.columns) == ["path", "item", "reason"]
    assert list(written["path"]) == list(left_out["path"]) == ["text.wav", "empty.wav", "silent.wav", "gone.wav"]
    assert [reason.split()[0] for reason in written["reason"]] == ["a", "the", "silent,", "no"]
    assert len(corpus.index) == 4
    assert corpus.class_names == ("x", "y")


def with_rate(path: Path, rate_hz: int) -> None:
    """Change the rate that the header of a wav file says."""
    content = bytearray(path.read_bytes())
    content[24:28] = struct.pack("<I", rate_hz)
    path.write_bytes(content)


def test_a_header_or_a_level_that_cannot_be_is_left_out_with_the_reason(audio: Path, clips: pd.DataFrame) -> None:
    rates = {"slow.wav": 1, "slower_than_others.wav": 20, "fast.wav": 10**9, "faster_than_others.wav": 10**6}
    for name, rate_hz in rates.items():
        write_tone(audio / name)
        with_rate(audio / name, rate_hz)
    soundfile.write(audio / "loud.wav", 1e30 * np.ones(800), RATE_HZ, subtype="FLOAT")
    soundfile.write(audio / "nan.wav", np.full(800, np.nan), RATE_HZ, subtype="FLOAT")
    soundfile.write(audio / "short.wav", np.ones(4), RATE_HZ)
    soundfile.write(audio / "integers.wav", 2.0**31 * np.linspace(-1, 1, 800), RATE_HZ, subtype="FLOAT")
    names = [*rates, "loud.wav", "nan.wav", "short.wav", "integers.wav"]
    odd = pd.DataFrame({"path": names, "item": names, "label": "x"})
    corpus, left_out = make(pd.concat([odd, clips]), audio)

    beginnings = {
        path: re.split("[,;]", reason)[0][:52] for path, reason in zip(left_out["path"], left_out["reason"], strict=True)
    }
    assert beginnings == {
        "slow.wav": "its header is damaged. It says 1 Hz",
        "slower_than_others.wav": "its header is probably damaged: it says 20 Hz",
        "fast.wav": "its header is damaged. It says 1000000000 Hz",
        "faster_than_others.wav": "its header is probably damaged: it says 1000000 Hz",
        "loud.wav": "damaged",
        "nan.wav": "has samples that are NaN or infinite.",
        "short.wav": "too short: received 4 samples at 8000 Hz",
    }
    facts = read_headers(check_clips(odd, audio, task_type="classification"), audio)  # as check reads them
    assert set(facts["path"][facts["broken"] == DOES_NOT_OPEN]) == {"slow.wav", "fast.wav", *list(rates)[1::2]}
    assert "integers.wav" in set(corpus.index["path"])
    assert corpus.index["duration_s"].max() == pytest.approx(0.2)


def test_pcm_of_64_bits_is_read(tmp_path: Path) -> None:
    samples = np.linspace(-0.9, 0.9, 2000)
    content = (samples * 2**63).astype("<i8").tobytes()
    head = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + len(content), b"WAVE", b"fmt ", 16, 1, 2, 8000, 128000, 16, 64,
                       b"data", len(content))  # fmt: skip
    (tmp_path / "a.wav").write_bytes(head + content)
    read, rate_hz = read_audio(tmp_path / "a.wav", channel=1)

    assert rate_hz == 8000
    np.testing.assert_allclose(read, samples[1::2], atol=1e-6)


@pytest.mark.parametrize("column", ["path", "item", "label", "clip"])
@pytest.mark.parametrize(
    ("name", "fault"),
    [("a\x1b[31m", "control characters"), ("a\nb", "control"), ("a\udce9", "not UTF-8"), ("\uffff", "control"),
     ("a" * 1001, "longer than 1000 characters")],
)  # fmt: skip
def test_names_that_no_file_of_results_can_hold_are_refused_before_audio_is_read(
    audio: Path, clips: pd.DataFrame, column: str, name: str, fault: str
) -> None:
    odd = clips.assign(clip=["1", "2", "3", "4"]).astype(object)
    odd.loc[1, column] = name
    with pytest.raises(CorpusError, match=f"{fault}.*{re.escape(ascii(name[:40]))[:-1]}.*Rename") as refused:
        make(odd, audio)
    str(refused.value).encode()


def test_of_names_with_several_faults_those_of_one_are_told_and_counted(audio: Path, clips: pd.DataFrame) -> None:
    odd = clips.assign(item=["a\nb", "i" * 10_000, "j" * 10_000, "k"])
    with pytest.raises(CorpusError, match=r"control characters, which a workbook cannot store: 'a\\nb' \(1 in all\)"):
        make(odd, audio)
    with pytest.raises(CorpusError, match=r"longer than 1000 characters: 'i{40}\.\.\.' of 10,000, 'j{40}.* \(2 in all\)"):
        make(odd.replace("a\nb", "a"), audio)


def test_many_labels_of_one_clip_are_no_long_name(audio: Path, clips: pd.DataFrame) -> None:
    labels = ";".join(f"label {number:03}" for number in range(200))
    made, _ = make(clips.assign(label=["x", labels, "x", "y"]), audio, task_type="multilabel_classification")
    assert len(made.class_names) == 202


def test_file_names_that_are_no_utf8_are_refused_by_name(audio: Path) -> None:
    try:
        os.rename(audio / "a1.wav", os.fsencode(audio) + b"/a\xe9.wav")  # noqa: PTH104 - a name in bytes
    except OSError:
        pytest.skip("this file system takes UTF-8 alone")
    with pytest.raises(CorpusError, match=r"1 file with names that are not UTF-8 .*'a\\udce9.wav'"):
        list_audio(audio, "audio")


def test_classes_of_which_no_clip_can_be_used_are_told(audio: Path, clips: pd.DataFrame) -> None:
    (audio / "a2.wav").write_bytes(b"")
    (audio / "deep" / "b2.wav").write_bytes(b"")
    assert make(clips, audio)[1].attrs["lost_classes"] == ("y",)
    several = make(clips.assign(label=["x", "x;z", "x", "y"]), audio, task_type="multilabel_classification")
    assert several[1].attrs["lost_classes"] == ("y", "z")
    assert make(clips.assign(label=1.0), audio, task_type="regression")[1].attrs["lost_classes"] == ()


def events_at(*paths: str) -> pd.DataFrame:
    return pd.DataFrame({"path": paths, "start_s": 0.05, "end_s": 0.1, "label": "call", "annotator": ""})


def test_events_belong_to_recordings_however_their_paths_are_written(audio: Path, clips: pd.DataFrame) -> None:
    annotated = events_at("./a1.wav", "deep/../a2.wav", "deep/b2.wav")
    corpus, _ = make(clips, audio, task_type="frame_classification", annotations=annotated)
    assert corpus.annotations()["clip"].tolist() == ["a1.wav", "a2.wav", "deep/b2.wav"]
    assert any(text.startswith("1 of 4 recordings has no row") for text in find_cautions(corpus, read_settings([])))
    with pytest.raises(CorpusError, match=r"Events of 1 recording that the dataset does not list: gone\.wav"):
        make(clips, audio, task_type="frame_classification", annotations=events_at("a1.wav", "gone.wav"))


def test_no_usable_clip_is_an_error_that_names_the_report(audio: Path) -> None:
    clips = pd.DataFrame({"path": ["gone.wav"], "item": ["a"], "label": ["x"]})
    with pytest.raises(CorpusError, match=r"None of the 1 .*gone\.wav: no such file\. Paths .*Give .* with --audio-folder"):
        make(clips, audio)


def test_the_result_does_not_depend_on_the_number_of_processes(tmp_path: Path) -> None:
    names = [f"{number}.wav" for number in range(220)]
    for number, name in enumerate(names):
        write_tone(tmp_path / "audio" / name, seconds=0.02, pitch_hz=200 + number)
    clips = pd.DataFrame({"path": names, "item": [name[0] for name in names], "label": "x"})
    counts: list[tuple[int, int]] = []
    alone, _ = make(clips, tmp_path / "audio", progress=lambda *count: counts.append(count))
    prints = fingerprint("tones", tmp_path / "data")
    together, _ = make(clips, tmp_path / "audio", n_processes=2)

    assert counts == [(number, 220) for number in range(1, 221)]
    assert together.index_hash == alone.index_hash
    assert fingerprint("tones", tmp_path / "data") == prints


def test_the_hash_depends_on_content_not_on_place_or_order(audio: Path, clips: pd.DataFrame) -> None:
    here, _ = make(clips, audio)
    moved = audio.parent / "elsewhere"
    shutil.copytree(audio, moved)
    there, _ = make(clips[::-1], moved, dataset="moved")
    assert there.index_hash == here.index_hash

    write_tone(moved / "a1.wav", pitch_hz=999)
    other_audio, _ = make(clips, moved, dataset="moved")
    other_label, _ = make(clips.assign(label=["x", "x", "x", "y"]), audio)
    assert len({here.index_hash, other_audio.index_hash, other_label.index_hash}) == 3


def test_items_that_are_long_numbers_stay_apart(audio: Path, clips: pd.DataFrame) -> None:
    items = [2**53, 2**53 + 1, 2**53 + 2, 2**53 + 3]  # of which a float holds every other one
    assert check_clips(clips.assign(item=items), audio, task_type="classification")["item"].tolist() == list(map(str, items))


def test_numbers_as_labels(audio: Path, clips: pd.DataFrame) -> None:
    numbers = clips.assign(label=[1.0, 10.0, 2.0, 0.5])
    assert make(numbers, audio)[0].class_names == ("0.5", "1", "2", "10")

    regression, _ = make(numbers, audio, task_type="regression")
    assert regression.class_names == ()
    assert regression.index["label"].tolist() == [1.0, 10.0, 2.0, 0.5]


SEVERAL = {"label:valence": [0.5, 1, -2.0, 0], "label:arousal": [1, 2, 3, 4]}


def test_several_targets_are_columns_of_the_index(audio: Path, clips: pd.DataFrame) -> None:
    several = clips.drop(columns="label").assign(**SEVERAL)
    corpus, _ = make(several, audio, task_type="regression")

    assert corpus.target_columns == {"valence": "label:valence", "arousal": "label:arousal"}
    assert "label" not in corpus.index
    assert corpus.class_names == ()
    opened = open_corpus("tones", audio.parent / "data")
    for name, values in SEVERAL.items():
        assert opened.index[name].tolist() == values
        assert opened.index[name].dtype == "float64"
    other, _ = make(several.assign(**{"label:arousal": [1, 2, 3, 5]}), audio, task_type="regression")
    assert other.index_hash != corpus.index_hash
    assert make(clips, audio)[0].target_columns == {"label": "label"}


@pytest.mark.parametrize(
    ("columns", "task_type", "message"),
    [
        (SEVERAL, "classification", r"Targets with names \(label:valence, label:arousal\) need task_type regression"),
        (
            {"label": [1.0, 2, 3, 4], **SEVERAL},
            "regression",
            "has the label columns label, label:valence.*or one or more label:<name>",
        ),
        ({}, "regression", "no column 'label'"),
        (SEVERAL | {"label:arousal": ["low", "x", "y", "z"]}, "regression", "labels that are numbers; received 'low'"),
        (SEVERAL | {"label:arousal": [1, None, 2, 3]}, "regression", r"a2\.wav has no label"),
        (SEVERAL | {"label:arousal": [1, float("inf"), 2, 3]}, "regression", r"a2\.wav has no label"),
    ],
)
def test_several_targets_that_cannot_be_are_refused(
    audio: Path, clips: pd.DataFrame, columns: dict, task_type: str, message: str
) -> None:
    with pytest.raises(CorpusError, match=message):
        make(clips.drop(columns="label").assign(**columns), audio, task_type=task_type)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"item": ["a", " ", "b", "b"]}, r"1 of 4 clips has no item: a2\.wav"),
        ({"item": ["a", None, "b", "b"]}, "no item"),
        ({"label": ["x", "", "x", "y"]}, r"a2\.wav has no label"),
        ({"label": ["x", 1, "x", "y"]}, "all text or all numbers; received both, such as 1 and 'x'"),
        ({"label": [["x"], "y", "x", "y"]}, "a list; expected text or a number"),
        ({"path": ["a1.wav", "./deep/../a1.wav", "b1.wav", "b2.wav"]}, r"'a1\.wav' is listed 2 times, under the item 'a'"),
        ({"path": ["a1.wav", "a2.wav", "a1.wav", "b2.wav"]}, r"'a1\.wav' is listed 2 times, under the items 'a' and 'b'"),
        ({"path": "a1.wav", "clip": ["1", "2", "3", "4"]}, r"'a1\.wav' is listed 4 times, under the items 'a' and 'b'"),
        ({"clip": ["1", "2", "2", "3"]}, "clip name '2' is listed 2 times, under the items 'a' and 'b'"),
        ({"phase": ["training", "trainning", None, None]}, r"a phase other than training, validation, test: a2\.wav"),
        ({"start_s": [0.2, 0, 0, 0], "end_s": [0.1, 0.1, 0.1, 0.1]}, r"a segment that.*: a1\.wav"),
        ({"lable": "x"}, "unknown column 'lable'.*Did you mean 'label'"),
    ],
)
def test_malformed_lists_are_refused(audio: Path, clips: pd.DataFrame, change: dict, message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        make(clips.assign(**change), audio)
    assert not (audio.parent / "data").exists()


def test_a_missing_column_and_an_empty_list_are_refused(audio: Path, clips: pd.DataFrame) -> None:
    with pytest.raises(CorpusError, match=r"no column 'item'. Available: label, path"):
        make(clips.drop(columns="item"), audio)
    with pytest.raises(CorpusError, match="is empty"):
        make(clips[:0], audio)
    with pytest.raises(CorpusError, match="Did you mean 'regression'"):
        make(clips, audio, task_type="regresion")
    with pytest.raises(CorpusError, match=r"Regression needs labels that are numbers; received 'x' for a1\.wav"):
        make(clips, audio, task_type="regression")


def test_two_stretches_of_one_file_are_two_clips(audio: Path) -> None:
    rows = {"path": "a1.wav", "item": ["a", "b"], "label": ["x", "y"], "start_s": [0, 0.1], "end_s": [0.1, None]}
    corpus, _ = make(pd.DataFrame(rows), audio)
    assert list(corpus.index["clip"]) == ["a1.wav#0.0-0.1", "a1.wav#0.1-end"]


def test_stretches_of_links_and_copies_of_one_recording_have_its_path(audio: Path) -> None:
    write_tone(audio / "long.wav", seconds=2.0)
    shutil.copy(audio / "long.wav", audio / "copy.wav")
    (audio / "link.wav").symlink_to(audio / "copy.wav")
    write_tone(audio / "other.wav", seconds=2.0, pitch_hz=300.0)
    paths = ["long.wav", "copy.wav", "link.wav", "other.wav"]
    rows = [(path, f"s{number}", "xy"[number % 2], 0.1 * number, 1.0) for number, path in enumerate(paths)]
    clips = pd.DataFrame(rows, columns=["path", "item", "label", "start_s", "end_s"])

    index = make(clips, audio)[0].index

    assert dict(zip(index["clip"], index["path"], strict=True)) == {
        "long.wav#0.0-1.0": "long.wav",
        "copy.wav#0.1-1.0": "long.wav",
        "link.wav#0.2-1.0": "long.wav",
        "other.wav#0.30000000000000004-1.0": "other.wav",
    }
    shared = [(what, set(group["item"])) for what, group in find_shared_audio(index)]
    assert shared == [("overlapping segments of one file", {"s0", "s1", "s2"})]


def test_one_name_written_in_two_ways_is_one_item(audio: Path, clips: pd.DataFrame) -> None:
    corpus, _ = make(clips.assign(item=["Zoé", "Zoe\u0301 ", "b", "b"]), audio)
    assert corpus.index["item"].nunique() == 2


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "a\\b", ".hidden", "x" * 101, "a\nb"])
def test_a_dataset_is_one_folder_below_the_data_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(CorpusError, match="a folder"):
        corpus_folder(name, tmp_path)


def test_a_missing_corpus_is_named_with_what_there_is_and_how_to_make_it(audio: Path, clips: pd.DataFrame) -> None:
    data = audio.parent / "data"
    for look_up in (open_corpus, fingerprint):
        with pytest.raises(CorpusError, match=r"no datasets yet.*xval prepare demo$"):
            look_up("demo", data)
    make(clips, audio)
    for look_up in (open_corpus, fingerprint):
        with pytest.raises(CorpusError, match=r"(?s)'tonnes'.*Available: tones. Did you mean 'tones'.*--dataset tonnes"):
            look_up("tonnes", data)
        with pytest.raises(CorpusError, match="xval prepare fsdd AUDIO_FOLDER"):
            look_up("fsdd", data)


def test_a_damaged_index_is_an_error(audio: Path, clips: pd.DataFrame) -> None:
    corpus, _ = make(clips, audio)
    path = corpus.folder / "corpus.parquet"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(CorpusError, match=r"corpus\.parquet cannot be read as the index of a dataset"):
        open_corpus("tones", audio.parent / "data")
    clips.to_parquet(path)
    with pytest.raises(CorpusError, match="cannot be read as the index of a dataset"):
        open_corpus("tones", audio.parent / "data")


def test_an_index_that_is_gone_and_a_folder_in_its_place_are_named(audio: Path, clips: pd.DataFrame) -> None:
    make_corpus(clips, audio, dataset="tones", data_folder=audio.parent / "data", corpus="table")
    index = audio.parent / "data" / "tones" / "corpus.parquet"
    index.unlink()
    with pytest.raises(CorpusError, match=r"corpus\.parquet is missing.*--dataset tones"):
        open_corpus("tones", audio.parent / "data")
    index.mkdir()

    with pytest.raises(CorpusError, match=r"corpus\.parquet: not a regular file"):
        open_corpus("tones", audio.parent / "data")


def test_an_index_of_a_newer_version_is_refused(audio: Path, clips: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    make(clips, audio)
    monkeypatch.setattr("preprocessing.corpus.FORMAT_VERSION", 0)
    with pytest.raises(CorpusError, match="has format version 1; expected at most 0"):
        open_corpus("tones", audio.parent / "data")


def test_a_data_folder_that_is_a_file_is_an_error(audio: Path, clips: pd.DataFrame) -> None:
    (audio.parent / "data").write_text("")
    with pytest.raises(CorpusError, match="cannot be written"):
        make(clips, audio)


@given(st.lists(st.integers(0, 10**6), min_size=1, unique=True))
def test_names_sort_by_their_numbers(numbers: list[int]) -> None:
    names = [f"take {number}" for number in numbers]
    assert sorted(names, key=natural_key) == [f"take {number}" for number in sorted(numbers)]


@pytest.mark.parametrize(
    ("column", "values", "fault"),
    [
        ("clip", ["a1.wav"] * 4, r"the clip 'a1.wav' appears twice \(3 such clips\)"),
        ("duration_s", [0.2, np.nan, 0.2, 0.2], r"the clip 'a2.wav' has no length \(1 such clip\)"),
        ("duration_s", [0.2, 0.2, -1.0, np.inf], r"the clip 'b1.wav' has no length \(2 such clips\)"),
        ("duration_s", ["long"] * 4, "cannot be read as the index"),
        ("sample_rate_hz", [0, 8000, 8000, 8000], "has no sample rate"),
        ("item", [None, "a", "b", "b"], "has no item"),
        ("label", ["x", "y", "z", "y"], "the clip 'b1.wav' is of no class"),
        ("phase", ["train"] * 4, "has no phase of training, validation, test"),
        ("fold", ["x"] * 4, "cannot be read as the index"),
        ("item", None, "columns item are missing"),
        ("label", None, "columns label are missing"),
        ("fold", None, "fold"),
    ],
)
def test_an_index_that_was_changed_is_refused_by_the_clip(
    audio: Path, clips: pd.DataFrame, column: str, values: list[object] | None, fault: str
) -> None:
    path = make(clips, audio)[0].folder / "corpus.parquet"
    table = parquet.read_table(path)
    index = table.to_pandas()
    changed = index.drop(columns=column) if values is None else index.assign(**{column: values})
    facts = table.schema.metadata[b"xval"]
    table = pyarrow.Table.from_pandas(changed, preserve_index=False)
    parquet.write_table(table.replace_schema_metadata({b"xval": facts}), path)

    with pytest.raises(
        CorpusError, match=rf"cannot be read as the index of a dataset: .*{fault if 'cannot' not in fault else ''}"
    ):
        open_corpus("tones", path.parents[1])


@pytest.mark.parametrize(
    "facts", [b"{}", b"[]", b'{"format_version": "1"}', b'{"format_version": 1, "class_names": 3}', b"\xff"]
)
def test_an_index_whose_facts_were_changed_is_refused(audio: Path, clips: pd.DataFrame, facts: bytes) -> None:
    path = make(clips, audio)[0].folder / "corpus.parquet"
    parquet.write_table(parquet.read_table(path).replace_schema_metadata({b"xval": facts}), path)

    with pytest.raises(CorpusError, match=r"cannot be read as the index of a dataset: .*Prepare it again"):
        open_corpus("tones", path.parents[1])


def test_a_renamed_corpus_is_found_by_all_its_names(tmp_path: Path, audio: Path, clips: pd.DataFrame) -> None:
    data = tmp_path / "data"
    inside = shutil.copytree(audio, data / "tones" / "audio")
    before, _ = make(clips, inside, data_folder=data)

    folder = rename_corpus("tones", "beeps", data)
    assert rename_corpus("tones", "whistles", data) == data / "whistles"  # by its old name, too
    assert not folder.exists()
    assert set(names_of(data / "whistles")) == {"tones", "beeps", "whistles"}
    for name in ("tones", "beeps", "whistles"):
        found = open_corpus(name, data)
        assert (found.dataset, found.folder, found.index_hash) == (name, data / "whistles", before.index_hash)
        assert found.audio_folder == data / "whistles" / "audio"
        assert found.audio_folder.is_dir()
    make(clips[:2], audio)  # another corpus takes the old name
    assert open_corpus("tones", data).index_hash != before.index_hash
    assert find_corpus_folder("beeps", data) == data / "whistles"
    with pytest.raises(CorpusError, match=r"whistles: already exists\. Choose another name"):
        rename_corpus("tones", "whistles", data)
    with pytest.raises(CorpusError, match=r"There is no dataset 'none'"):
        rename_corpus("none", "other", data)
    with pytest.raises(CorpusError, match=r"Dataset name 'a/b'"):
        rename_corpus("tones", "a/b", data)


def test_audio_elsewhere_stays_where_it_is_when_a_corpus_is_renamed(tmp_path: Path, audio: Path, clips: pd.DataFrame) -> None:
    make(clips, audio)
    before = fingerprint("tones", tmp_path / "data")
    rename_corpus("tones", "beeps", tmp_path / "data")
    assert fingerprint("beeps", tmp_path / "data") == before
    assert open_corpus("beeps", tmp_path / "data").audio_folder == audio
