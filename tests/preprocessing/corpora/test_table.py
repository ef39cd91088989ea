"""The table corpus: what cells may hold, and errors that name line, column, received and allowed."""

import math
import os
from pathlib import Path

import pandas as pd
import pytest

from preprocessing.clips.table import check_clips
from preprocessing.corpora.table import default_audio_folder, default_dataset, list_clips
from xval.base.errors import CorpusError


def read(folder: Path, text: str, **options):
    table = folder / "clips.csv"
    table.write_bytes(text.encode())
    return list_clips(folder, table=table, **options)


def test_the_three_columns_are_enough(tmp_path: Path) -> None:
    clips = read(tmp_path, "path,item,label\na.wav,s1,x\n\nsub/b.wav, s2 ,y\n")
    assert list(clips.columns) == ["path", "item", "label"]
    assert clips.to_numpy().tolist() == [["a.wav", "s1", "x"], ["sub/b.wav", "s2", "y"]]


def test_every_column_gets_its_type_and_others_are_kept_as_they_are(tmp_path: Path) -> None:
    clips = read(
        tmp_path,
        "label,age,item,path,clip,phase,fold,start_s,end_s,source_clip,augmented\n"
        'x,30,s1,"a, b.wav",c1,train,1,0.5,1e1,,\n'
        "y,31,s1,b.wav,c2,,,,,c1,TRUE\n",
    )
    assert clips["age"].tolist() == ["30", "31"]
    first, second = clips.to_dict("records")
    assert (first["path"], first["phase"], first["fold"], first["start_s"], first["end_s"]) == (
        "a, b.wav",
        "training",
        1,
        0.5,
        10,
    )
    assert (first["augmented"], second["augmented"], second["source_clip"]) == (False, True, "c1")
    assert math.isnan(second["start_s"])
    assert math.isnan(second["fold"])
    assert not isinstance(second["phase"], str)


@pytest.mark.parametrize(
    ("written", "phase"),
    [
        *((written, "training") for written in ("training", "train", "1")),
        *((written, "validation") for written in ("validation", "Val", "valid", "2")),
        *((written, "test") for written in ("TEST", "3", "4")),
    ],
)
def test_phases_have_aliases(tmp_path: Path, written: str, phase: str) -> None:
    assert read(tmp_path, f"path,item,label,phase\na.wav,s,x,{written}\n")["phase"].tolist() == [phase]


@pytest.mark.parametrize(
    ("column", "received", "allowed"),
    [
        ("path", "", "text that is not empty"),
        ("item", " ", "text that is not empty"),
        ("label", "", "text that is not empty"),
        ("clip", "", "text that is not empty"),
        ("phase", "dev", r"training \(train, 1\)"),
        ("phase", "5", "training"),
        ("fold", "one", "a whole number"),
        ("fold", "-1", "a whole number"),
        ("fold", "1.5", "a whole number"),
        ("start_s", "0:30", "seconds"),
        ("start_s", "-1", "seconds"),
        ("end_s", "soon", "seconds"),
        ("end_s", "1e999", "seconds"),
        ("augmented", "maybe", "true"),
    ],
)
def test_a_wrong_cell_is_named_by_line_and_column(tmp_path: Path, column: str, received: str, allowed: str) -> None:
    columns = ["path", "item", "label", *([column] if column not in ("path", "item", "label") else [])]
    good = {"path": "a.wav", "item": "s", "label": "x", "clip": "c", "augmented": "no"}
    lines = [",".join(columns), ",".join(good.get(name, "") for name in columns)]
    lines.append(",".join({**good, column: received}.get(name, "") for name in columns))
    with pytest.raises(CorpusError, match=f"line 3, column {column}: received '{received.strip()}'; allowed: {allowed}"):
        read(tmp_path, "\n".join(lines) + "\n")


def test_all_wrong_cells_are_told_at_once(tmp_path: Path) -> None:
    lines = "".join(f"{number}.wav,,x\n" for number in range(7))
    with pytest.raises(CorpusError, match=r"(?s)line 9: 2 cells, .*line 2, .*and 6 more: lines 3, 4, 5, 6, 7, 8\)"):
        read(tmp_path, f"path,item,label\n{lines}a.wav,s\n")
    with pytest.raises(CorpusError, match="line 2: 2 cells, but the header has 3"):
        read(tmp_path, "path,item,label\na.wav,s\n")


def test_whole_numbers_as_labels_are_written_without_decimals(tmp_path: Path) -> None:
    assert read(tmp_path, "path,item,label\na,s,1.0\nb,s,007\nc,s,2.5\nd,s,3.\n")["label"].tolist() == ["1", "007", "2.5", "3"]
    assert read(tmp_path, "path,item,label\na,s,1.0\nb,s,beta\n")["label"].tolist() == ["1.0", "beta"]


def test_regression_wants_numbers_as_labels(tmp_path: Path) -> None:
    assert read(tmp_path, "path,item,label\na,s,1\nb,s,-2.5e-1\n", task_type="regression")["label"].tolist() == [1.0, -0.25]
    for label in ("high", "nan", "inf", "1,5"):
        with pytest.raises(CorpusError, match=r"line 2, column label: received .*allowed: a number"):
            read(tmp_path, f'path,item,label\na,s,"{label}"\n', task_type="regression")


def test_several_columns_of_numbers_are_several_targets(tmp_path: Path) -> None:
    text = "path,label:arousal,item,label:valence\na.wav,1,s,-0.5\nb.wav,2e-1,t,3.\n"
    clips = read(tmp_path, text, task_type="regression")
    assert list(clips.columns) == ["path", "label:arousal", "item", "label:valence"]
    assert clips.to_numpy().tolist() == [["a.wav", 1.0, "s", -0.5], ["b.wav", 0.2, "t", 3.0]]
    checked = check_clips(clips, tmp_path, task_type="regression")
    assert checked[["label:arousal", "label:valence"]].dtypes.tolist() == ["float64", "float64"]
    with pytest.raises(CorpusError, match="line 3, column label:valence: received 'high'; allowed: a number"):
        read(tmp_path, text.replace("3.", "high"), task_type="regression")
    with pytest.raises(CorpusError, match=r"label:arousal, label:valence: these columns are numbers.*--task-type regression"):
        read(tmp_path, text)


@pytest.mark.parametrize("columns", ["label,label:a", "label:a,label:"])
def test_targets_have_names_or_are_one_column_without(tmp_path: Path, columns: str) -> None:
    with pytest.raises(
        CorpusError, match=r"line 1: received the columns label.*expected one column 'label', or one or more 'label:'"
    ):
        read(tmp_path, f"path,item,{columns}\n", task_type="regression")


def test_a_target_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="column 'label:a' appears 2 times"):
        read(tmp_path, "path,item,label:a,label:a\n", task_type="regression")


def test_audio_that_was_converted_is_found_under_its_new_ending(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("sub/a.wav", "b.mp3", "b.wav", "c.wav", "c.flac", "d.1_take.WAV", "e.txt", "sub/.f.wav"):
        (tmp_path / name).touch()
    names = ("sub/a.mp3", "b.mp3", "c.mp3", "d.1_take.mp3", "e.mp3", "sub/f.mp3", "gone/g.mp3")
    clips = read(tmp_path, "path,item,label\n" + "".join(f"{name},s,x\n" for name in names))
    assert clips["path"].tolist() == ["sub/a.wav", "b.mp3", "c.mp3", "d.1_take.WAV", "e.mp3", "sub/f.mp3", "gone/g.mp3"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_separators_and_a_byte_order_mark(tmp_path: Path, delimiter: str) -> None:
    text = "\ufeffpath,item,label\r\nä.wav,s,x\r\n".replace(",", delimiter)
    assert read(tmp_path, text).to_numpy().tolist() == [["ä.wav", "s", "x"]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty. Its first line must name the columns"),
        ("path,item,label\n", "a header, but no clips"),
        ("path,speaker,label\na,s,x\n", r"line 1: no column 'item'\. Available: label, path, speaker"),
        ("path,item,label,label\na,s,x,y\n", "column 'label' appears 2 times"),
        ("path,item,label,Phase\na,s,x,1\n", "unknown column 'Phase'.*Did you mean 'phase'"),
        ("path,item,label,folds\na,s,x,1\n", "unknown column 'folds'.*Did you mean 'fold'"),
        ('path,item,label\n"a,s,x\n', "line 2: a quote that opens in this line does not close"),
    ],
)
def test_what_is_no_such_table_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        read(tmp_path, text)


def test_files_that_cannot_be_read_are_errors(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"gone\.csv cannot be read: No such file"):
        list_clips(tmp_path, table=tmp_path / "gone.csv")
    (tmp_path / "latin.csv").write_bytes("path,item,label\nä,s,x\n".encode("latin-1"))
    with pytest.raises(CorpusError, match=": not text in UTF-8"):
        list_clips(tmp_path, table=tmp_path / "latin.csv")
    (tmp_path / "good.csv").write_text("path,item,label\na,s,x\n")
    with pytest.raises(CorpusError, match=r"There is no folder.*gone.*--audio-folder"):
        list_clips(tmp_path / "gone", table=tmp_path / "good.csv")


def test_the_defaults_come_from_the_table(tmp_path: Path) -> None:
    assert default_audio_folder(tmp_path, table=Path("some/clips.csv")) == Path("some")
    assert default_dataset(table=Path("some/clips.csv"), task_type="regression") == "clips"


@pytest.mark.parametrize(
    ("options", "rows"),
    [
        ({"label": "emotion"}, [("a.wav", "s1", "sad"), ("b.wav", "s2", "glad")]),
        ({"label": "emotion,strength"}, [("a.wav", "s1", "sad_2"), ("b.wav", "s2", "glad_3")]),
        ({"label": "emotion", "item": "path"}, [("a.wav", "a.wav", "sad"), ("b.wav", "b.wav", "glad")]),
        ({"label": "age", "task_type": "regression"}, [("a.wav", "s1", 31.0), ("b.wav", "s2", 45.0)]),
    ],
)
def test_columns_are_chosen(tmp_path: Path, options: dict[str, str], rows: list[tuple[object, ...]]) -> None:
    text = "file,speaker,emotion,strength,age,label,items\na.wav,s1,sad,2,31,,x\nb.wav,s2,glad,3,45,,y\n"
    clips = read(tmp_path, text, **{"path": "file", "item": "speaker", **options})
    label = "label:age" if options["label"] == "age" else "label"
    assert list(clips[["path", "item", label]].itertuples(index=False, name=None)) == rows


@pytest.mark.parametrize(
    ("header", "advice"),
    [
        ("wave,item,label", "--path wave"),
        ("path,speaker_id,label", "--item speaker_id"),
        ("path,item,Emotion", "--label Emotion"),
        ("path,Item,label", "--item Item"),
        ("path,who,label", "--item path"),
    ],
)
def test_a_missing_column_is_followed_by_the_option_that_mends_it(tmp_path: Path, header: str, advice: str) -> None:
    (tmp_path / "a.wav").touch()
    text = f"{header}\na.wav,s,x\n"
    with pytest.raises(CorpusError, match=rf"{advice}\.$"):
        read(tmp_path, text)
    option, column = advice.split()
    assert len(read(tmp_path, text, **{option[2:]: column})) == 1


def test_a_column_that_is_not_there_is_named_with_the_closest(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"--item speakr: .* no such column\. Available: .*Did you mean 'speaker'"):
        read(tmp_path, "path,speaker,label\na.wav,s,x\n", item="speakr")


def test_numbers_as_labels_are_asked_about_unless_the_task_is_given(tmp_path: Path) -> None:
    text = "path,item,age\n" + "".join(f"{number}.wav,s,{20 + number % 12}\n" for number in range(24))
    with pytest.raises(CorpusError, match=r"column age: 12 different numbers \(20, .*for 24 clips.*--task-type regression"):
        read(tmp_path, text, label="age")
    assert read(tmp_path, text, label="age", task_type="regression")["label:age"].dtype == "float64"
    assert read(tmp_path, text, label="age", task_type="classification")["label"].nunique() == 12
    few = "path,item,label\n" + "".join(f"{number}.wav,s,{number % 10}\n" for number in range(20))
    assert read(tmp_path, few)["label"].nunique() == 10


@pytest.mark.parametrize("suffix", ["xlsx", "parquet"])
def test_other_files_hold_the_same_table_as_csv(tmp_path: Path, suffix: str) -> None:
    columns = {
        "path": ["a.wav", "b.wav"],
        "item": [1, 2],
        "label": [7.0, 8.5],
        "start_s": [0.5, None],
        "augmented": [False, True],
    }
    table = pd.DataFrame(columns | {"end_s": [None, None]})
    path = tmp_path / f"clips.{suffix}"
    save = table.to_excel if suffix == "xlsx" else table.to_parquet
    table.to_csv(tmp_path / "clips.csv", index=False)
    save(path, index=False)

    of_csv = list_clips(tmp_path, table=tmp_path / "clips.csv")

    pd.testing.assert_frame_equal(list_clips(tmp_path, table=path), of_csv)
    table["start_s"] = ["soon", ""]
    save(path, index=False)
    with pytest.raises(CorpusError, match="line 2, column start_s: received 'soon'; allowed: seconds"):
        list_clips(tmp_path, table=path)


@pytest.mark.parametrize("ending", ["csv", "xlsx", "parquet"])
def test_an_enormous_table_is_refused_unread(tmp_path: Path, ending: str) -> None:
    table = tmp_path / f"clips.{ending}"
    table.touch()
    os.truncate(table, 3 << 30)  # a hole, which takes no room on the disk

    with pytest.raises(CorpusError, match=rf"clips\.{ending} "):
        list_clips(tmp_path, table=table)
