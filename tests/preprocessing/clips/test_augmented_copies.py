"""Augmented copies come into a corpus under their source's item, marked, and only if a list says what they are copies of."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from preprocessing.clips.augmented_copies import COPIES_COLUMNS, COPIES_NAME, NOTE_NAME, add_copies
from preprocessing.clips.listing import copy_name, is_copy
from preprocessing.clips.table import check_clips
from preprocessing.corpus import make_corpus
from xval.base.errors import CorpusError

Copies = list[tuple[str, str, float]]
"""path, source, time_factor"""

CLIPS = pd.DataFrame(
    {
        "path": ["a/one.wav", "a/two.wav", "b/one.wav"],
        "item": ["anna", "anna", "bert"],
        "label": ["x", "y", "x"],
        "phase": ["training", "training", "test"],
        "fold": [1, 1, 2],
    }
)


def write_list(folder: Path, copies: Copies) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    rows = [(path, source, 1, factor, "gain", "{}", 7) for path, source, factor in copies]
    path = folder / COPIES_NAME
    pd.DataFrame(rows, columns=list(COPIES_COLUMNS)).to_csv(path, index=False)
    (folder / NOTE_NAME).touch()
    return path


def add(folder: Path, clips: pd.DataFrame = CLIPS, task_type: str = "classification") -> pd.DataFrame:
    return add_copies(check_clips(clips, folder, task_type=task_type), folder)


def added(folder: Path, clips: pd.DataFrame = CLIPS) -> pd.DataFrame:
    """Return the rows of the copies; the rows before them are as they were."""
    found, listed = add(folder, clips), check_clips(clips, folder, task_type="classification")
    pd.testing.assert_frame_equal(found[: len(listed)], listed)
    return found[len(listed) :].reset_index(drop=True)


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        (copy_name("take", 1), True),
        (copy_name("take.one", 12), True),
        ("deep/Take.AUGMENTED-3.WAV", True),
        ("take.augmented-1.flac", True),
        ("take.augmented-1.wav.m4a", True),
        ("take.augmented.wav", False),
        ("augmented-1.wav", False),
        ("take.augmented-x.wav", False),
        ("x.augmented-1.wav/take.flac", False),
    ],
)
def test_copies_are_known_by_their_names(name: str, is_one: bool) -> None:
    assert is_copy(name) == is_copy(Path(name)) == is_one


def test_copies_inherit_everything_from_their_source(tmp_path: Path) -> None:
    write_list(tmp_path, [("a/one.augmented-1.wav", "a/one.wav", 1.0), ("b/one.augmented-2.wav", "b/one.wav", 0.8)])

    copies = added(tmp_path)

    assert copies["path"].tolist() == copies["clip"].tolist() == ["a/one.augmented-1.wav", "b/one.augmented-2.wav"]
    assert copies["item"].tolist() == ["anna", "bert"]
    assert copies["label"].tolist() == ["x", "x"]
    assert copies["phase"].tolist() == ["training", "test"]
    assert copies["fold"].tolist() == [1, 2]
    assert copies["source_clip"].tolist() == ["a/one.wav", "b/one.wav"]
    assert copies["augmented"].all()
    assert copies[["start_s", "end_s"]].isna().all(axis=None)


def test_stretches_of_a_file_are_moved_by_the_time_factor(tmp_path: Path) -> None:
    write_list(tmp_path, [("long.augmented-1.wav", "long.wav", 0.5), ("long.augmented-2.wav", "long.wav", 1.25)])
    clips = pd.DataFrame({"path": "long.wav", "item": "a", "label": ["x", "y"], "start_s": [0.0, 2.0], "end_s": [2.0, None]})

    copies = added(tmp_path, clips).sort_values("clip")

    assert copies["clip"].tolist() == [
        "long.augmented-1.wav#0.0-2.0", "long.augmented-1.wav#2.0-end",
        "long.augmented-2.wav#0.0-2.0", "long.augmented-2.wav#2.0-end",
    ]  # fmt: skip
    assert copies["source_clip"].tolist() == ["long.wav#0.0-2.0", "long.wav#2.0-end"] * 2
    assert copies["item"].tolist() == ["a"] * 4
    assert copies["start_s"].tolist() == pytest.approx([0.0, 1.0, 0.0, 2.5])
    assert copies["end_s"].tolist() == pytest.approx([1.0, np.nan, 2.5, np.nan], nan_ok=True)


def test_copies_of_a_file_with_clips_of_several_items_are_refused(tmp_path: Path) -> None:
    write_list(tmp_path, [("long.augmented-1.wav", "long.wav", 1.0)])
    clips = pd.DataFrame({"path": "long.wav", "item": ["a", "b"], "label": "x", "start_s": [0.0, 2.0], "end_s": [2.0, 4.0]})
    with pytest.raises(CorpusError, match=r"long\.wav has clips of several items \(a, b\), so its augmented copies"):
        add(tmp_path, clips)


def test_a_table_of_the_same_name_far_above_is_no_list_of_copies(tmp_path: Path) -> None:
    (tmp_path / COPIES_NAME).write_text("my own notes\n")
    assert added(tmp_path / "corpus").empty
    (tmp_path / NOTE_NAME).touch()
    with pytest.raises(CorpusError, match="cannot be read as the list of augmented copies"):
        added(tmp_path / "corpus")


def test_copies_of_clips_with_names_of_their_own_have_other_names(tmp_path: Path) -> None:
    write_list(tmp_path, [(copy_name("a/one", number), "a/one.wav", 1.0) for number in (1, 2)])

    copies = added(tmp_path, CLIPS.assign(clip=["1", "2", "3"]))

    assert copies["source_clip"].tolist() == ["1", "1"]
    assert copies["clip"].tolist() == ["1 (a/one.augmented-1.wav)", "1 (a/one.augmented-2.wav)"]


def test_a_corpus_in_a_folder_below_the_list_has_the_copies_that_lie_there(tmp_path: Path) -> None:
    copies = [("train/a/one.augmented-1.wav", "train/a/one.wav", 1.0), ("other/b/one.augmented-1.wav", "other/b/one.wav", 1.0)]
    write_list(tmp_path, copies)

    found = added(tmp_path / "train")

    assert found["path"].tolist() == ["a/one.augmented-1.wav"]
    assert found["source_clip"].tolist() == ["a/one.wav"]


def test_a_clip_above_the_audio_folder_has_the_copies_that_lie_there(tmp_path: Path) -> None:
    write_list(tmp_path, [("a/one.augmented-1.wav", "a/one.wav", 1.0)])

    copies = added(tmp_path / "train", CLIPS.assign(path=["../a/one.wav", "a/one.wav", "b/one.wav"], item=["x", "y", "z"]))

    assert copies[["path", "item"]].to_numpy().tolist() == [["../a/one.augmented-1.wav", "x"]]


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_copies_and_sources_that_were_converted_are_found_under_their_new_endings(tmp_path: Path) -> None:
    touch(tmp_path, "a/one.flac", "a/one.augmented-1.flac", "a/one.augmented-2.ogg", "a/one.augmented-2.opus")
    copies = [(copy_name("a/one", number), "a/one.wav", 1.0) for number in (1, 2)]
    write_list(tmp_path, copies[:1])
    clips = CLIPS.assign(path=["a/one.flac", "a/two.wav", "b/one.wav"])

    with pytest.raises(CorpusError, match=r"has 2 files named like augmented copies, such as a/one\.augmented-2\.ogg"):
        added(tmp_path, clips)
    (tmp_path / "a/one.augmented-2.opus").unlink()
    write_list(tmp_path, copies)
    found = added(tmp_path, clips)

    assert found["path"].tolist() == ["a/one.augmented-1.flac", "a/one.augmented-2.ogg"]
    assert found["source_clip"].tolist() == ["a/one.flac"] * 2
    assert found["item"].tolist() == ["anna"] * 2


def test_copies_of_which_nothing_says_what_they_are_copies_of_are_refused(tmp_path: Path) -> None:
    touch(tmp_path, "a/one.wav", "a/one.augmented-1.flac", "elsewhere/one.augmented-1.wav")
    with pytest.raises(
        CorpusError, match=r"has 1.* such as a/one\.augmented-1\.flac, but no augmented\.csv names their sources"
    ):
        add(tmp_path)
    write_list(tmp_path, [("b/one.augmented-1.wav", "b/one.wav", 1.0)])
    with pytest.raises(CorpusError, match=r"such as a/one\.augmented-1\.flac, but .*augmented\.csv does not list them"):
        add(tmp_path)


def test_copies_of_a_file_that_is_gone_are_refused_and_of_one_that_is_not_listed_passed_over(tmp_path: Path) -> None:
    touch(tmp_path, "a/left_out.wav", "a/left_out.augmented-1.wav")
    write_list(tmp_path, [("a/left_out.augmented-1.wav", "a/left_out.wav", 1.0)])
    assert added(tmp_path).empty
    (tmp_path / "a/left_out.wav").unlink()
    with pytest.raises(CorpusError, match=r"has 1.* missing, such as a/left_out\.augmented-1\.wav of a/left_out\.wav"):
        add(tmp_path)


def test_a_copy_of_any_name_is_not_listed_as_a_recording(tmp_path: Path) -> None:
    write_list(tmp_path, [("b/one.wav", "a/one.wav", 1.0)])
    with pytest.raises(CorpusError, match=r"b/one\.wav is an augmented copy by augmented\.csv \(1 such clip\)"):
        add(tmp_path)


def test_a_copy_stands_in_the_list_once(tmp_path: Path) -> None:
    write_list(tmp_path, [("a/one.augmented-1.wav", source, 1.0) for source in ("a/one.wav", "b/one.wav")])
    with pytest.raises(
        CorpusError, match=r"1 line has a path that another line has too, such as 'a/one\.augmented-1\.wav,b/one"
    ):
        add(tmp_path)


def test_the_nearest_list_counts(tmp_path: Path) -> None:
    write_list(tmp_path, [("train/a/one.augmented-1.wav", "train/a/one.wav", 1.0)])
    write_list(tmp_path / "train", [("a/two.augmented-1.wav", "a/two.wav", 1.0)])

    assert added(tmp_path / "train")["path"].tolist() == ["a/two.augmented-1.wav"]


def test_copies_that_are_listed_as_recordings_are_refused(tmp_path: Path) -> None:
    clips = CLIPS.assign(path=["a/one.wav", "a/one.augmented-1.wav", "b/one.augmented-1.wav"])
    with pytest.raises(CorpusError, match=r"a/one\.augmented-1\.wav is an augmented copy by its name \(2 such clips\)"):
        add(tmp_path, clips)


def test_copies_that_are_listed_as_what_they_are_pass(tmp_path: Path) -> None:
    clips = CLIPS.assign(
        path=["a/one.wav", "a/one.augmented-1.wav", "b/one.wav"],
        augmented=[False, True, False],
        source_clip=[None, "a/one.wav", None],
    )
    assert added(tmp_path, clips).empty


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "cannot be read as the list of augmented copies"),
        ("\0\0\0", "cannot be read as the list of augmented copies"),
        ("path,source\na.wav,b.wav\n", "cannot be read as the list of augmented copies.*time_factor"),
        ("path,source,time_factor\na.wav,b.wav,1.0\n", "no column 'copy'"),
        ("path,source,copy,time_factor,transforms,parameters,seed\na,b,1,fast,gain,{},1\n", "cannot be read as the list.*fast"),
        ("path,source,copy,time_factor,transforms,parameters,seed\na,b,1,,gain,{},1\n", "cannot be read as the list"),
    ],
)
def test_a_malformed_list_is_refused(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / COPIES_NAME).write_text(content)
    with pytest.raises(CorpusError, match=rf"augmented\.csv: {message}"):
        add(tmp_path)


@pytest.mark.parametrize("path", ["../private.wav", "a/../../private.wav", "/private.wav", "..\\private.wav"])
@pytest.mark.parametrize("column", ["path", "source"])
def test_files_outside_of_the_folder_of_the_list_are_refused(tmp_path: Path, path: str, column: str) -> None:
    """It lies in a corpus that may come from elsewhere."""
    names = {"path": "a/one.augmented-1.wav", "source": "a/one.wav"} | {column: path}
    write_list(tmp_path, [(names["path"], names["source"], 1.0)])
    with pytest.raises(CorpusError, match=r"augmented\.csv: 1 line has a path outside its folder.*private\.wav"):
        add(tmp_path)


@pytest.mark.parametrize("factor", ["nan", "inf", "0", "-1"])
def test_a_time_factor_that_is_none_is_refused(tmp_path: Path, factor: str) -> None:
    header = ",".join(COPIES_COLUMNS)
    (tmp_path / COPIES_NAME).write_text(f"{header}\nlong.augmented-1.wav,long.wav,1,{factor},gain,{{}},1\n")
    clips = pd.DataFrame({"path": ["long.wav"], "item": ["a"], "label": ["x"], "start_s": [0.0], "end_s": [2.0]})
    with pytest.raises(CorpusError, match=r"1 line has a time_factor that is not a finite number above 0, such as 'long\.aug"):
        add(tmp_path, clips)


def test_a_corpus_with_copies_goes_from_files_to_the_index(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    names = [*CLIPS["path"], "a/one.augmented-1.wav", "b/one.augmented-1.wav"]
    for name in names:
        (tmp_path / "audio" / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(tmp_path / "audio" / name, 0.1 * rng.normal(size=800), 8000)
    gone = ("a/two.augmented-1.wav", "a/two.wav", 1.0)  # its making was interrupted
    write_list(tmp_path / "audio", [*((name, name.replace(".augmented-1", ""), 1.0) for name in names[3:]), gone])

    corpus, left_out = make_corpus(
        CLIPS, tmp_path / "audio", dataset="d", data_folder=tmp_path / "data", corpus="table", task_type="classification"
    )

    assert left_out["path"].tolist() == ["a/two.augmented-1.wav"]
    index = corpus.index.set_index("clip")
    assert sorted(index.index) == sorted(names)
    assert index["augmented"].to_dict() == {name: is_copy(name) for name in names}
    assert index.loc["b/one.augmented-1.wav", ["item", "source_clip"]].tolist() == ["bert", "b/one.wav"]
    assert index["audio_hash"].nunique() == 5
