"""The bats' two tables: both annotators, what one of them lacks, and recordings that cannot be placed."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from preprocessing.annotations.labels import resolve_recordings
from preprocessing.clips.table import check_clips
from preprocessing.corpora.bats import list_clips, list_recordings
from xval.base.errors import CorpusError

RATE_HZ = 250_000
FILE_INFO = (
    "FileID,File name,File folder,Recording channel,Voice start sample (1),Voice end sample (1),Voice start sample (2),"
    "Voice end sample (2)\n"
    "30,120601011047196133.WAV,files101,1,47553,95094,298537,349426\n"
    "31,120601011047196134.WAV,files101,2,1000,2000,3000,4000,5000,6000\n"
    "32,120601011047196135.WAV,files102,2\n"
    "33,gone.WAV,files102,2,1,2\n"
)
ANNOTATION = "FileID,Emitter,Context,Start sample,End sample\n30,7,1,298537,607056\n31,8,11,1000,2500\n31,8,4,5000,6000\n"


@pytest.fixture
def bats(tmp_path: Path) -> Path:
    for number, folder in ((3, "files101"), (4, "files101"), (5, "files102")):
        path = tmp_path / folder / f"12060101104719613{number}.WAV"
        path.parent.mkdir(exist_ok=True)
        soundfile.write(path, np.full(610_000 if number == 3 else 10_000, 0.1), RATE_HZ)
    (tmp_path / "FileInfo.csv").write_text(FILE_INFO)
    (tmp_path / "annotation.csv").write_text(ANNOTATION)
    return tmp_path


def in_samples(annotations) -> list[tuple[object, ...]]:
    return [
        (path[-5:-4], *((round(start * RATE_HZ), round(end * RATE_HZ)) if start == start else ("", "")), label, who)
        for path, start, end, label, who in annotations[["path", "start_s", "end_s", "label", "annotator"]].to_numpy()
    ]


def test_both_tables_are_annotators_of_whole_recordings(bats: Path) -> None:
    recordings, annotations = list_recordings(bats)
    paths = ["files101/120601011047196133.WAV", "files101/120601011047196134.WAV", "files102/120601011047196135.WAV"]
    assert recordings.to_numpy().tolist() == [
        [path, path, label] for path, label in zip(paths, ["call", "call", "background"], strict=True)
    ]
    assert recordings.attrs["note"] == f"1 recording is skipped: there is no audio in {bats}."
    assert in_samples(annotations) == [
        ("3", 47553, 95094, "call", "fileinfo"),
        ("3", 298537, 349426, "call", "fileinfo"),
        ("3", 298537, 607056, "call", "annotation"),
        ("4", 1000, 2000, "call", "fileinfo"),
        ("4", 1000, 2500, "call", "annotation"),
        ("4", 3000, 4000, "call", "fileinfo"),
        ("4", 5000, 6000, "call", "annotation"),
        ("4", 5000, 6000, "call", "fileinfo"),
        ("5", "", "", "", "fileinfo"),
    ]
    check_clips(recordings, bats, task_type="classification")
    soundfile.write(bats / "files102" / "more.wav", np.full(10_000, 0.1), RATE_HZ)
    assert list_recordings(bats)[0].attrs["note"].endswith(" 1 recording is skipped: not listed in any table.")
    # annotation.csv does not name the last recording: it is not annotated there, which is not negative
    assert list(resolve_recordings(annotations, "annotation")) == paths[:2]
    assert list(resolve_recordings(annotations, "fileinfo")) == paths


def test_clips_are_what_either_table_names(bats: Path) -> None:
    clips = list_clips(bats, item="Recording channel")
    check_clips(clips, bats, task_type="classification")
    assert [(item, round(start * RATE_HZ), round(end * RATE_HZ)) for _, item, _, start, end in clips.to_numpy()] == [
        ("1", 47553, 95094), ("1", 298537, 607056), ("2", 1000, 2500), ("2", 3000, 4000), ("2", 5000, 6000),
    ]  # fmt: skip


def test_a_table_without_labels_borrows_those_of_the_other_where_it_can(bats: Path) -> None:
    recordings, annotations = list_recordings(bats, label="Context")
    assert recordings["label"].tolist() == ["1", "11+4", "background"]
    assert in_samples(annotations) == [
        ("3", 47553, 95094, "1", "fileinfo"),
        ("3", 298537, 349426, "1", "fileinfo"),
        ("3", 298537, 607056, "1", "annotation"),
        ("4", 1000, 2500, "11", "annotation"),
        ("4", 5000, 6000, "4", "annotation"),
        ("5", "", "", "", "fileinfo"),
    ]
    assert recordings.attrs["note"].endswith(
        " 1 time a table is ignored for a recording, because its calls there have no Context, or several."
    )


def test_recordings_without_an_item_are_left_out_and_with_several_refused(bats: Path) -> None:
    recordings, annotations = list_recordings(bats, item="Emitter")
    assert recordings["item"].tolist() == ["7", "8"]
    assert set(annotations["annotator"]) == {"fileinfo", "annotation"}
    assert recordings.attrs["note"].endswith(" 1 recording is skipped: there is no Emitter.")
    (bats / "annotation.csv").write_text(ANNOTATION.replace("31,8,4", "31,9,4"))
    with pytest.raises(
        CorpusError, match=r"--item Emitter:.*134\.WAV belongs to the items 8, 9, but a whole recording is on one side"
    ):
        list_recordings(bats, item="Emitter")


def test_one_table_alone_will_do_under_either_name(bats: Path) -> None:
    (bats / "FileInfo.csv").unlink()
    (bats / "annotation.csv").rename(bats / "Annotations.csv")
    for number, name in ((3, "30"), (4, "31")):
        (bats / "files101" / f"12060101104719613{number}.WAV").rename(bats / f"{name}.wav")
    recordings, annotations = list_recordings(bats)
    assert recordings["path"].tolist() == ["30.wav", "31.wav"]
    assert set(annotations["annotator"]) == {"annotation"}
    (bats / "Annotations.csv").rename(bats / "other.csv")
    with pytest.raises(
        CorpusError, match=r"Neither FileInfo\.csv nor annotation\.csv is in .* Give --file-info or --annotation"
    ):
        list_recordings(bats)
    assert len(list_recordings(bats, annotation=Path("other.csv"))[0]) == 2
    with pytest.raises(CorpusError, match=r"There is no file nowhere\.csv, neither in"):
        list_recordings(bats, file_info=Path("nowhere.csv"))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("34,120601011047196135,files102,2,1,", "line 6: column end sample: received ''"),
        ("34,120601011047196135,files102,2,9,5", "line 6: the event starts at 9 and ends at 5"),
        (
            "34,120601011047196135,files102,2,9,50000",
            r"is not inside files102/120601011047196135\.WAV, which has 10000 samples",
        ),
        ("34,120601011047196135,files102,2,1.5,50", r"received '1\.5'; expected a whole number"),
        ("34,twin,,2,1,2", "'twin' may be files101/twin.wav or files102/twin.wav"),
    ],
)
def test_a_wrong_call_is_named_by_its_line(bats: Path, line: str, message: str) -> None:
    for folder in ("files101", "files102"):
        soundfile.write(bats / folder / "twin.wav", np.zeros(10), RATE_HZ)
    (bats / "FileInfo.csv").write_text(FILE_INFO + line + "\n")
    with pytest.raises(CorpusError, match=f"FileInfo.csv has wrong calls:\n  .*{message}"):
        list_recordings(bats)


def test_what_is_no_such_table_or_names_nothing_is_refused(bats: Path) -> None:
    with pytest.raises(CorpusError, match=r"--label Contxt: no table has this column.*Did you mean 'context'"):
        list_recordings(bats, label="Contxt")
    with pytest.raises(CorpusError, match=r"--item emiter: no table has this column.*Did you mean 'emitter'"):
        list_recordings(bats, item="emiter")
    (bats / "annotation.csv").write_text("FileID,Start sample,End sample\n30,1\n")
    with pytest.raises(CorpusError, match="line 2: 2 cells, but the header has 3"):
        list_recordings(bats)
    (bats / "annotation.csv").write_text("FileID,Start,End\n")
    with pytest.raises(CorpusError, match=r"line 1: expected FileID, Start sample, End sample\. Found: FileID, Start, End"):
        list_recordings(bats)
    (bats / "FileInfo.csv").write_text("FileID,Voice end sample (1),Voice start sample (1)\n")
    with pytest.raises(CorpusError, match="line 1: expected FileID or File name, then Voice start sample"):
        list_recordings(bats)
    (bats / "annotation.csv").unlink()
    (bats / "FileInfo.csv").write_text("FileID,Voice start sample (1),Voice end sample (1)\n99,1,2\n")
    with pytest.raises(CorpusError, match=r"None of the 1 recording that .*FileInfo\.csv names is in the folder, such as '99'"):
        list_recordings(bats)
    (bats / "FileInfo.csv").write_text(
        "FileID,File name,Voice start sample (1),Voice end sample (1)\n32,120601011047196135,,\n"
    )
    assert list_recordings(bats)[0]["label"].tolist() == ["background"]
    with pytest.raises(CorpusError, match="the tables list no call in its recordings"):
        list_clips(bats)
