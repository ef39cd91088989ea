"""VoxCeleb: layouts, contexts as items, lists and draws of phases, the table of the speakers, and what is refused."""

import re
from pathlib import Path

import numpy as np
import pytest
import soundfile

from preprocessing.__main__ import main
from preprocessing.clips.table import check_clips
from preprocessing.corpora.voxceleb import list_clips
from xval.base.errors import CorpusError, SettingsError

META = (
    "VoxCeleb1 ID\tVGGFace1 ID\tGender\tNationality\tSet\n"
    "id10001\tA.J._Buckley\tm\tIreland\tdev\n"
    "id10002\tA.R._Rahman\tm\tIndia\tdev\n"
    "id10003\tAamir_Khan\tf\tIndia\ttest\n"
)


def lay_out(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(folder / name, np.zeros(16), 16000, format="WAV")
    return folder


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return lay_out(
        tmp_path / "vox1",
        "id10001/1zcIwhmdeo4/00001.wav",
        "id10001/1zcIwhmdeo4/00002.wav",
        "id10001/7gWzIy6yIIk/00001.wav",
        "id10002/1zcIwhmdeo4/00001.wav",
        "id10003/na8-QEFmj44/00003.wav",
    )


def write(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(text, encoding="utf-8")
    return str(folder / name)


def phases_of(clips) -> dict[str, str]:
    return dict(zip(clips["path"], clips["phase"], strict=True))


def test_the_context_is_the_item_and_unique_over_speakers(corpus: Path) -> None:
    clips = list_clips(corpus)
    assert clips.to_numpy().tolist() == [
        ["id10001/1zcIwhmdeo4/00001.wav", "id10001/1zcIwhmdeo4", "id10001", "00001"],
        ["id10001/1zcIwhmdeo4/00002.wav", "id10001/1zcIwhmdeo4", "id10001", "00002"],
        ["id10001/7gWzIy6yIIk/00001.wav", "id10001/7gWzIy6yIIk", "id10001", "00001"],
        ["id10002/1zcIwhmdeo4/00001.wav", "id10002/1zcIwhmdeo4", "id10002", "00001"],
        ["id10003/na8-QEFmj44/00003.wav", "id10003/na8-QEFmj44", "id10003", "00003"],
    ]
    assert list(clips.columns) == ["path", "item", "label", "stretch"]
    check_clips(clips, corpus, task_type="classification")


@pytest.mark.parametrize("above", ["wav", "dev/aac", "vox1_dev_wav/wav", "raw"])
def test_the_speakers_may_lie_below_the_folders_of_the_archives(tmp_path: Path, above: str) -> None:
    lay_out(tmp_path, f"{above}/id00012/21Uxsk56VDQ/00001.m4a")
    assert list_clips(tmp_path).to_numpy().tolist() == [
        [f"{above}/id00012/21Uxsk56VDQ/00001.m4a", "id00012/21Uxsk56VDQ", "id00012", "00001"]
    ]


def test_the_official_list_gives_the_phases(corpus: Path, tmp_path: Path) -> None:
    split = write(
        tmp_path,
        "iden_split.txt",
        "1 id10001/1zcIwhmdeo4/00001.wav\n1 id10001/1zcIwhmdeo4/00002.wav\n2 id10001/7gWzIy6yIIk/00001.wav\n"
        "3 id10003/na8-QEFmj44/00003.wav\n3 id11251/s4R4hvqrhFw/00009.wav\n",
    )
    clips = list_clips(corpus, phases=split)
    assert clips["phase"].tolist() == ["training", "training", "validation", "test"]
    assert "id10002/1zcIwhmdeo4/00001.wav" not in set(clips["path"])
    assert clips.attrs["note"].startswith("1 of 5 recordings is skipped")


@pytest.mark.parametrize(
    "text",
    [
        "phase,path,id,context\n1,00001.wav,id10001,1zcIwhmdeo4\n4,00003.wav,id10003,na8-QEFmj44\n",
        (
            "context;id;path;phase\n1zcIwhmdeo4;id10001;raw/id10001/1zcIwhmdeo4/00001.m4a;training\n"
            "na8-QEFmj44;id10003;raw/id10003/na8-QEFmj44/00003.m4a;test\n"
        ),
        "phase,path\n1,/there/id10001/1zcIwhmdeo4/00001.flac\n3,C:\\id10003\\na8-QEFmj44\\00003.wav\n",
    ],
)
def test_a_csv_list_fits_whatever_the_order_and_the_ending(corpus: Path, tmp_path: Path, text: str) -> None:
    assert phases_of(list_clips(corpus, phases=write(tmp_path, "phases.csv", text))) == {
        "id10001/1zcIwhmdeo4/00001.wav": "training",
        "id10003/na8-QEFmj44/00003.wav": "test",
    }


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "a.csv",
            "phase,path\n1,id9/x/00001.wav\n",
            r"lists none of the 5 recordings\. It lists id9/x/00001.*the recordings are id10001/1zcI",
        ),
        ("a.csv", "phase,path\n5,id9/x/00001.wav\n", "line 2: received phase '5'; expected training"),
        ("a.csv", "phase,path\n1,00001.wav\n", "line 2: received path '00001.wav'; expected speaker/context/file"),
        ("a.csv", "phase,path\n1,a/b/1.wav\n2,a/b/1.m4a\n", "line 3: a/b/1 is in two phases, training and validation"),
        ("a.csv", "phase,path\n1\n", "line 2: 1 cells, but the header has 2"),
        ("a.csv", "set,path\n1,a/b/1.wav\n", "line 1: no column 'phase'. Available: path, set"),
        ("a.csv", "phase,path\n", "names no recordings"),
        ("a.txt", "1 id9/x/00001.wav\n3\n", "line 2: received '3'; expected a phase and a path"),
    ],
)
def test_wrong_lists_are_refused(corpus: Path, tmp_path: Path, name: str, text: str, message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        list_clips(corpus, phases=write(tmp_path, name, text))


def test_a_list_that_is_not_there_is_an_error(corpus: Path, tmp_path: Path) -> None:
    for name in ("gone.txt", "gone.csv"):
        with pytest.raises(CorpusError, match=f"{name} cannot be read"):
            list_clips(corpus, phases=str(tmp_path / name))


def test_drawn_phases_never_share_a_video_and_every_speaker_has_all(tmp_path: Path) -> None:
    counts = {"id1": 20, "id2": 3, "id3": 2, "id4": 1}
    lay_out(
        tmp_path, *(f"{speaker}/v{video}/{clip}.wav" for speaker, n in counts.items() for video in range(n) for clip in "12")
    )
    clips = list_clips(tmp_path, draw_phases=True)
    assert (clips.groupby("item")["phase"].nunique() == 1).all()
    videos = clips.drop_duplicates("item").groupby(["label", "phase"]).size().to_dict()
    assert videos == {
        ("id1", "training"): 14,
        ("id1", "validation"): 3,
        ("id1", "test"): 3,
        ("id2", "training"): 1,
        ("id2", "validation"): 1,
        ("id2", "test"): 1,
        ("id3", "training"): 1,
        ("id3", "test"): 1,
        ("id4", "training"): 1,
    }


def test_the_draw_depends_on_the_seed_and_on_no_other_speaker(tmp_path: Path) -> None:
    lay_out(tmp_path, *(f"id1/v{video}/1.wav" for video in range(20)))
    alone = phases_of(list_clips(tmp_path, draw_phases=True, seed=1))
    assert phases_of(list_clips(tmp_path, draw_phases=True, seed=2)) != alone
    lay_out(tmp_path, *(f"id0/v{video}/1.wav" for video in range(5)))
    together = phases_of(list_clips(tmp_path, draw_phases=True, seed=1))
    assert {path: phase for path, phase in together.items() if path.startswith("id1")} == alone


def test_gender_and_nationality_come_from_the_table(corpus: Path) -> None:
    write(corpus.parent, "vox1_meta.csv", META)
    by_gender = list_clips(corpus, item="speaker", label="gender")
    assert by_gender["item"].tolist() == ["id10001", "id10001", "id10001", "id10002", "id10003"]
    assert by_gender["label"].tolist() == ["m", "m", "m", "m", "f"]
    assert list_clips(corpus, label="gender").equals(by_gender)
    assert list_clips(corpus, label="gender").attrs["note"] == ""
    assert list_clips(corpus, label="speaker, gender")["item"][0] == "id10001/1zcIwhmdeo4"
    by_video = list_clips(corpus, item="context", label="gender")
    assert by_video["item"][0] == "id10001/1zcIwhmdeo4"
    assert re.search("--item context --label gender: the same speakers are in training and test", by_video.attrs["note"])
    both = list_clips(corpus, label="gender,nationality", meta=corpus.parent / "vox1_meta.csv")
    assert both["label"].tolist() == ["m_Ireland"] * 3 + ["m_India", "f_India"]


def test_a_table_of_the_same_name_in_the_working_folder_is_not_taken_unless_it_is_asked_for(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    write(tmp_path / "work", "vox1_meta.csv", META.replace("\tm\t", "\tf\t"))
    assert set(list_clips(corpus, label="gender")["label"]) == {"f"}
    write(corpus, "vox1_meta.csv", META)
    write(corpus, "other.csv", META)
    assert set(list_clips(corpus, label="gender")["label"]) == {"m", "f"}
    write(tmp_path / "work", "other.csv", META.replace("\tm\t", "\tf\t"))
    assert set(list_clips(corpus, label="gender", meta=Path("other.csv"))["label"]) == {"f"}


def test_an_empty_note_is_not_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(1)
    for speaker in "ab":
        lay_out(tmp_path / "vox", f"{speaker}/v/1.wav")
        soundfile.write(tmp_path / "vox" / speaker / "v" / "1.wav", rng.normal(size=4000) / 10, 16000)
    small = ["--workers", "1", "--set", "n_mels=8", "--set", "example_length_s=none"]
    assert main(["voxceleb", "vox", *small]) == 0
    assert "Note" not in capsys.readouterr().out
    write(tmp_path, "phases.csv", "phase,path\n1,a/v/1.wav\n")
    assert main(["voxceleb", "vox", "--phases", "phases.csv", *small]) == 0
    assert "Note       1 of 2 recordings is skipped, because phases.csv does not list it." in capsys.readouterr().out


def test_the_table_of_voxceleb2_is_read_too(tmp_path: Path) -> None:
    lay_out(tmp_path, "id00012/21Uxsk56VDQ/00001.m4a")
    write(tmp_path, "vox2_meta.csv", "VoxCeleb2 ID ,VGGFace2 ID ,Gender ,Set \nid00012 ,n000012 ,m ,dev \n")
    assert list_clips(tmp_path, label="gender", meta=Path("vox2_meta.csv"))["label"].tolist() == ["m"]
    with pytest.raises(CorpusError, match="--label nationality: unknown name"):
        list_clips(tmp_path, label="nationality", meta=Path("vox2_meta.csv"))


def test_a_table_that_is_missing_or_does_not_fit_is_an_error(corpus: Path) -> None:
    with pytest.raises(
        CorpusError, match=r"There is no file vox1_meta\.csv.*Download https://.*vox1_meta\.csv, or give --meta"
    ):
        list_clips(corpus, label="gender")
    write(corpus, "vox1_meta.csv", META.replace("id10002", "id20002"))
    with pytest.raises(CorpusError, match="lacks 1 of 3 speakers: id10002"):
        list_clips(corpus, label="gender")
    write(corpus, "vox1_meta.csv", META.replace("Gender", "Sex"))
    with pytest.raises(CorpusError, match=r"line 1: no column 'Gender'. Found: VoxCeleb1 ID, .*Sex"):
        list_clips(corpus, label="gender")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"label": "speakr"}, "--label speakr: unknown.*Did you mean 'speaker'"),
        ({"item": "speaker"}, "--item speaker --label speaker: every tested speaker would be unseen, so"),
        ({"phases": "a.csv", "draw_phases": True}, "cannot be combined"),
        ({"item": "speaker", "label": "gender", "draw_phases": True}, "Give --item context"),
    ],
)
def test_options_that_contradict_each_other_are_refused(corpus: Path, options, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        list_clips(corpus, **options)


def test_a_recording_in_two_formats_is_refused(corpus: Path) -> None:
    lay_out(corpus, "aac/id10003/na8-QEFmj44/00003.m4a")
    with pytest.raises(CorpusError, match=r"one recording twice: aac/id10003/.*m4a and id10003/.*wav\. Keep one"):
        list_clips(corpus)


def test_a_wrong_folder_names_what_was_expected_and_found(corpus: Path, tmp_path: Path) -> None:
    expected = r"\{speaker\}/\{context\}/\{number\}\.wav or \.m4a, such as id10001/"
    with pytest.raises(CorpusError, match=f"There is no folder.*gone.*{expected}"):
        list_clips(tmp_path / "gone")
    with pytest.raises(CorpusError, match=rf"has no {expected}.*Found: 1zcIwhmdeo4/00001\.wav"):
        list_clips(corpus / "id10001")
    lay_out(corpus, "id10001/loose.wav")
    with pytest.raises(CorpusError, match=r"has 1.*not named like.*: id10001/loose\.wav"):
        list_clips(corpus)
