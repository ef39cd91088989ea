"""AudioMNIST: names, what is known of the speakers, and the published folds."""

import json
from pathlib import Path

import pytest

from preprocessing.clips.table import check_clips
from preprocessing.corpora import find_corpus
from preprocessing.corpora.audiomnist import list_clips
from xval.base.errors import CorpusError
from xval.folds.plan import FoldSettings
from xval.folds.split import make_folds

SPEAKERS = {
    "01": {"accent": "german", "age": 30, "gender": "male", "native speaker": "no"},
    "02": {"accent": "German", "age": "25", "gender": "male", "native speaker": "no"},
    "45": {"accent": "German", "age": "1234", "gender": "male", "native speaker": "no"},
    "60": {"accent": "Tamil", "age": "27", "gender": "female", "native speaker": "yes"},
}


@pytest.fixture
def folder(tmp_path: Path, lay_out) -> Path:
    lay_out(tmp_path / "data", "01/0_01_0.wav", "01/7_01_49.wav", "02/0_02_0.wav", "45/3_45_1.wav", "60/9_60_12.wav")
    (tmp_path / "data" / "audioMNIST_meta.txt").write_text(json.dumps(SPEAKERS))
    return tmp_path


@pytest.fixture
def all_speakers(tmp_path: Path, lay_out) -> Path:
    return lay_out(tmp_path, *(f"{speaker:02}/{digit}_{speaker:02}_0.wav" for speaker in range(1, 61) for digit in (0, 1)))


def test_the_speaker_is_the_item_and_the_digit_the_label(folder: Path) -> None:
    clips = list_clips(folder, folds="none")
    assert clips.to_numpy().tolist() == [
        ["data/01/0_01_0.wav", "01", "0", "0"],
        ["data/01/7_01_49.wav", "01", "7", "49"],
        ["data/02/0_02_0.wav", "02", "0", "0"],
        ["data/45/3_45_1.wav", "45", "3", "1"],
        ["data/60/9_60_12.wav", "60", "9", "12"],
    ]
    assert list(clips.columns) == ["path", "item", "label", "repetition"]
    assert list_clips(folder / "data", folds="none")["path"][0] == "01/0_01_0.wav"


def test_speakers_are_described_by_the_json(folder: Path) -> None:
    for audio in (folder, folder / "data"):
        assert list_clips(audio, label="gender")["label"].tolist() == ["male"] * 4 + ["female"]
        assert list_clips(audio, label="accent")["label"].tolist() == ["German"] * 4 + ["Tamil"]
    assert list_clips(folder, label="native_speaker")["label"].tolist() == ["no"] * 4 + ["yes"]


def test_the_age_of_1234_years_is_left_out(folder: Path) -> None:
    clips = list_clips(folder, label="age")
    assert clips["label:age"].tolist() == [30.0, 30.0, 25.0, 27.0]
    assert "45" not in set(clips["item"])
    assert clips.attrs["note"] == "1 of 4 speakers is skipped (--folds digit --label age): 45."
    assert "note" not in list_clips(folder).attrs
    tasks = [find_corpus("audiomnist").task_type(label=label) for label in ("age", "digit")]
    assert tasks == ["regression", "classification"]


def plan_folds(clips):
    index = check_clips(clips, Path(), task_type="classification").assign(audio_hash=clips["path"])
    settings = FoldSettings(num_folds=5, fold_strategy="predefined", fold_seed=0, validation="next_fold", fold_repeats=1)
    return make_folds(index, "hash", task_type="classification", has_classes=True, settings=settings).folds


def test_the_five_digit_folds_are_the_published_ones(all_speakers: Path) -> None:
    folds = plan_folds(list_clips(all_speakers))
    assert [len(fold.test) for fold in folds] == [12] * 5
    assert sorted(speaker for fold in folds for speaker in fold.test) == [f"{speaker:02}" for speaker in range(1, 61)]
    # The first published fold.
    fold = next(fold for fold in folds if "26" in fold.test)
    assert set(map(int, fold.test)) == {26, 52, 60, 18, 32, 42, 5, 13, 22, 33, 45, 51}
    assert set(map(int, fold.validation)) == {12, 47, 59, 15, 27, 41, 4, 11, 21, 31, 44, 50}
    training = {28, 56, 7, 19, 35, 1, 6, 16, 23, 34, 46, 53, 36, 57, 9, 24, 37, 2, 8, 17, 29, 39, 48, 54}
    assert set(map(int, fold.training)) == training | {43, 58, 14, 25, 38, 3, 10, 20, 30, 40, 49, 55}


def test_the_four_gender_folds_are_the_published_ones(all_speakers: Path) -> None:
    clips = list_clips(all_speakers, folds="gender")
    assert clips["item"].nunique() == 24
    assert clips.attrs["note"].startswith("36 of 60 speakers are skipped (--folds gender --label digit): 01, 03, 04")
    folds = plan_folds(clips)
    assert [len(fold.test) for fold in folds] == [6] * 4
    # The second published fold.
    fold = next(fold for fold in folds if "36" in fold.test)
    assert set(map(int, fold.test)) == {36, 47, 56, 2, 44, 50}
    assert set(map(int, fold.validation)) == {58, 59, 60, 7, 23, 38}
    assert set(map(int, fold.training)) == {26, 12, 57, 43, 28, 52, 25, 37, 45, 48, 53, 41}


def test_a_folder_without_the_speakers_of_the_folds_is_an_error(tmp_path: Path, lay_out) -> None:
    lay_out(tmp_path, "01/0_01_0.wav")
    with pytest.raises(CorpusError, match=r"--folds gender: none of its speakers is in .*Found: 01\."):
        list_clips(tmp_path, folds="gender")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, r"No audioMNIST_meta\.txt in .*gender, age"),
        ("[1,", r"audioMNIST_meta\.txt is not the JSON file of the corpus"),
        ("[1]", "is not the JSON file of the corpus"),
        (json.dumps({"01": SPEAKERS["01"]}), r"audioMNIST_meta\.txt lacks '02' of a speaker"),
        (json.dumps(SPEAKERS | {"02": {"gender": "male"}}), "lacks 'age' of a speaker"),
    ],
)
def test_a_json_that_is_missing_or_wrong_is_named(folder: Path, text: str | None, message: str) -> None:
    path = folder / "data" / "audioMNIST_meta.txt"
    path.unlink()
    if text is not None:
        path.write_text(text)
    assert len(list_clips(folder)) == 5
    with pytest.raises(CorpusError, match=message):
        list_clips(folder, label="gender")
