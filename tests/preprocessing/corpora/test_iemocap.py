"""IEMOCAP: whose voice it is, which emotions stay, several numbers as targets, and labels that are missing."""

from pathlib import Path

import pytest

from preprocessing.corpora import find_corpus
from preprocessing.corpora.iemocap import list_clips
from xval.base.errors import CorpusError

SHEETS = {
    "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt": (
        "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n\n"
        "[6.2901 - 8.2357]\tSes01F_impro01_F000\tneu\t[2.5000, 2.0000, 3.5000]\n"
        "C-E2:\tNeutral;\t()\nA-E3:\tval 3; act 2; dom  2;\t()\n\n"
        "[7.5712 - 10.4750]\tSes01F_impro01_M000\texc\t[4.0000, 3.0000, 3.0000]\n"
        "[19.2900 - 20.7875]\tSes01F_impro01_F001\txxx\t[2.5000, 3.0000, 3.0000]\n"
    ),
    "Session5/dialog/EmoEvaluation/Ses05M_script01_1b.txt": (
        "[1.0000 - 2.0000]\tSes05M_script01_1b_M012\thap\t[4.5000, 3.0000, 3.0000]\n"
        "[2.0000 - 3.0000]\tSes05M_script01_1b_F003\tfru\t[1.5000, 4.0000, 3.0000]\n"
    ),
}


def wav(utterance: str) -> str:
    return f"Session{utterance[4]}/sentences/wav/{utterance.rpartition('_')[0]}/{utterance}.wav"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for path, text in SHEETS.items():
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_text(text)
        (tmp_path / path).with_name(f"._{Path(path).name}").write_bytes(b"\xff")
        for line in text.splitlines():
            if line.startswith("["):
                audio = tmp_path / wav(line.split("\t")[1])
                audio.parent.mkdir(parents=True, exist_ok=True)
                audio.touch()
    whole = tmp_path / "Session1" / "dialog" / "wav" / "Ses01F_impro01.wav"
    whole.parent.mkdir()
    whole.touch()
    return tmp_path


def test_four_classes_with_excited_as_happy(folder: Path) -> None:
    clips = list_clips(folder)
    assert clips[["path", "item", "label", "gender"]].to_numpy().tolist() == [
        [wav("Ses01F_impro01_F000"), "Ses01F", "neutral", "female"],
        [wav("Ses01F_impro01_M000"), "Ses01M", "happy", "male"],
        [wav("Ses05M_script01_1b_M012"), "Ses05M", "happy", "male"],
    ]
    further = ["session", "dialog", "script", "scenario", "turn", "gender", "motion_capture"]
    assert sorted(clips.columns) == sorted(["path", "item", "label", *further])
    assert clips[further].iloc[[0, 2]].to_numpy().tolist() == [
        ["Ses01", "Ses01F_impro01", "impro01", "improvised", "000", "female", "female"],
        ["Ses05", "Ses05M_script01_1b", "script01_1b", "scripted", "012", "male", "male"],
    ]
    assert clips.attrs["note"] == "2 of 5 utterances are skipped: 1 xxx, 1 fru"


def test_all_classes_leave_out_what_is_not_agreed_upon(folder: Path) -> None:
    assert list_clips(folder, classes="all")["label"].tolist() == ["neutral", "excited", "frustrated", "happy"]


def test_other_items(folder: Path) -> None:
    assert list_clips(folder, item="session")["item"].tolist() == ["Ses01", "Ses01", "Ses05"]
    assert list_clips(folder, item="dialog")["item"].tolist() == ["Ses01F_impro01", "Ses01F_impro01", "Ses05M_script01_1b"]
    assert list_clips(folder, label="gender")["label"].tolist() == ["female", "female", "male", "female", "male"]


def test_dimensions_are_numbers_and_leave_nothing_out(folder: Path) -> None:
    clips = list_clips(folder, label="valence,arousal,dominance")
    assert list(clips.columns)[:5] == ["path", "item", "label:valence", "label:arousal", "label:dominance"]
    assert set(clips.columns).isdisjoint({"utterance", "valence"})
    assert clips.iloc[0, 2:5].tolist() == [2.5, 2.0, 3.5]
    assert (len(clips), clips.attrs["note"]) == (5, "")
    assert list_clips(folder, label="valence")["label:valence"].tolist() == [2.5, 2.5, 4.0, 1.5, 4.5]
    tasks = [find_corpus("iemocap").task_type(label=label) for label in ("valence, arousal", "emotion")]
    assert tasks == ["regression", "classification"]
    with pytest.raises(CorpusError, match=r"numbers .* and names cannot be predicted together"):
        list_clips(folder, label="emotion,valence")


def test_an_utterance_without_a_label_is_counted(folder: Path) -> None:
    (folder / wav("Ses01F_impro01_F099")).touch()
    assert list_clips(folder, label="valence").attrs["note"] == "1 of 6 utterances is skipped: 1 no label"


def test_missing_labels_are_named(folder: Path) -> None:
    sheet = folder / "Session5/dialog/EmoEvaluation/Ses05M_script01_1b.txt"
    sheet.write_text("% nothing\n")
    with pytest.raises(CorpusError, match=r"Ses05M_script01_1b\.txt labels no utterance"):
        list_clips(folder)
    sheet.unlink()
    with pytest.raises(CorpusError, match=r"There is no .*Ses05M_script01_1b\.txt, which has .* IEMOCAP_full_release"):
        list_clips(folder)


def test_nothing_left_is_an_error(folder: Path) -> None:
    for name in ("Ses01F_impro01_F000", "Ses01F_impro01_M000", "Ses05M_script01_1b_M012"):
        (folder / wav(name)).unlink()
    with pytest.raises(CorpusError, match=r"--label emotion --classes four: no utterance is left\. 2 of 2 .*: 1 xxx, 1 fru"):
        list_clips(folder)
