"""Cells of tables that would be read as others, or not at all: stretches, merged cells, sheets, keys, numbers as texts."""

import gzip
import json

import numpy as np
import openpyxl
import pandas as pd
import pytest
import soundfile

ROWS = [(f"s{speaker}_{take}.wav", f"s{speaker}", "xy"[take]) for speaker in range(3) for take in range(2)]
NAMES = ("path", "item", "label")


@pytest.fixture
def clips(empty):
    """Return a folder with six clips of 0.5 s."""
    rng = np.random.default_rng(0)
    for name, *_ in ROWS:
        soundfile.write(empty.folder / name, 0.1 * rng.normal(size=2000), 4000)
    return empty


def csv(study, *columns, **further):
    """Write a table with further columns, the same in each row or a value for each."""
    pd.DataFrame(ROWS, columns=NAMES).assign(**further).to_csv(study.folder / "t.csv", index=False)


def sheet(study, *rows, title="Sheet"):
    book = openpyxl.Workbook()
    book.active.title = title
    for row in rows:
        book.active.append(list(row))
    return book


def read(study, name="t.csv", *options):
    ended = study.prepare("table", name, "--dataset", "e", *options)
    assert ended.returncode == 0, ended.stderr
    return " ".join(ended.stdout.split()), pd.read_parquet(study.folder / "data/e/corpus.parquet").set_index("path")


def refused(study, name="t.csv", *options):
    return " ".join(study.mistake("-m", "preprocessing", "table", name, "--dataset", "e", *options).split())


@pytest.mark.parametrize(("start", "end"), [("start_ms", "end_ms"), ("Start sample", "End sample"), ("start", "duration")])
def test_stretches_in_other_units_or_as_a_length_are_named(clips, start, end):
    csv(clips, **{start: 10, end: 20})
    said, _ = read(clips)
    assert f"The column '{start}' is kept as an extra column; to use it, name it 'start_s'." in said
    assert f"The column '{end}' is kept as an extra column; to use it, name it 'end_s'." in said


def test_a_duration_without_a_begin_is_a_further_column(clips):
    csv(clips, duration=0.5, gender="f")
    assert "extra column" not in read(clips)[0]


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("xmin", "xmax"),
        ("start", "end"),
        ("onset", "offset"),
        ("Start_Time", "end_time"),
        ("begin", "stop"),
        ("Begin Time (s)", "t_end"),
    ],
)
def test_columns_that_look_like_stretches_are_named_in_tables_and_read_in_events(clips, start, end):
    csv(clips, **{start: 0.1, end: 0.3})

    said, index = read(clips)
    assert f"The column '{start}' is kept as an extra column; to use it, name it 'start_s'." in said
    assert f"The column '{end}' is kept as an extra column; to use it, name it 'end_s'." in said
    assert set(index["duration_s"]) == {0.5}

    ended = clips.prepare("events", "t.csv", "--dataset", "e")
    assert ended.returncode == 0, ended.stderr
    assert set(pd.read_parquet(clips.folder / "data/e/corpus.parquet")["end_s"]) == {0.3}


def test_a_column_split_is_named_unless_it_is_the_label(clips):
    csv(clips, split=["train", "train", "train", "train", "test", "test"])
    said, _ = read(clips)
    assert "The column 'split' is kept as an extra column; to use it, name it 'phase'." in said
    said, _ = read(clips, "t.csv", "--label", "split")
    assert "extra column" not in said


def test_offset_and_duration_of_json_are_read_whatever_the_path_is_called(clips):
    records = [dict(zip(NAMES, row, strict=True)) | {"offset": 0.1, "duration": 0.2} for row in ROWS]
    clips.file("t.jsonl", "\n".join(map(json.dumps, records)))
    _, index = read(clips, "t.jsonl")
    assert index["duration_s"].round(6).tolist() == [0.2] * 6

    events = [{"audio_filepath" if name == "path" else name: value for name, value in record.items()} for record in records]
    clips.file("e.jsonl", "\n".join(map(json.dumps, events)))
    assert clips.prepare("events", "e.jsonl", "--dataset", "e").returncode == 0
    assert set(pd.read_parquet(clips.folder / "data/e/corpus.parquet")["start_s"]) == {0.1}

    clips.file("t.jsonl", "\n".join(json.dumps(record | {"onset": 0.0}) for record in records))
    said, _ = read(clips, "t.jsonl")  # where the offset is an end
    assert "'onset' is kept as an extra column" in said


def test_a_key_that_is_there_twice_is_named(clips):
    twice = [json.dumps(dict(zip(NAMES, row, strict=True)))[:-1] + ', "label": "z"}' for row in ROWS]
    for text in ("\n".join(twice), "[\n" + ",\n".join(twice) + "\n]"):
        clips.file("t.json", text)
        assert "a record has the key 'label' twice. Keep one of the two." in refused(clips, "t.json")


def test_numbers_are_not_compared_as_texts(clips):
    csv(clips, age=["9", "10", "n/k", "70", "8", "100"])
    for where in ("age >= 10", 'age >= "10"', '"2" > age', "age in (9, 10)"):
        said = refused(clips, "t.csv", "--where", where)
        assert "column 'age' cannot be compared as numbers, because 1 of its 6 cells are not numbers: 'n/k'." in said
    _, index = read(clips, "t.csv", "--where", "age >= 10", "--missing", "n/k")
    assert len(index) == 3
    assert len(read(clips, "t.csv", "--where", "age != n/k".replace("n/k", '"n/k"'))[1]) == 5


def test_texts_that_are_no_numbers_have_an_order(clips):
    csv(clips, day=[f"2020-0{month}-01" for month in range(1, 7)])
    assert len(read(clips, "t.csv", "--where", 'day >= "2020-05"')[1]) == 2


def test_merged_cells_have_their_value_in_each_row(clips):
    book = sheet(clips, (*NAMES, "end_s"), *[(*row, 0.2) for row in ROWS])
    book.active.merge_cells("D3:D6")
    book.save(clips.folder / "t.xlsx")

    said, index = read(clips, "t.xlsx")

    assert "t.xlsx, sheet 'Sheet': merged cells (D3:D6) give their value to each of their rows." in said
    assert set(index["duration_s"]) == {0.2}


def test_other_sheets_and_hidden_rows_are_told(clips):
    book = sheet(clips, NAMES, *ROWS, title="monday")
    book.create_sheet("tuesday").append(NAMES)
    book.create_sheet("empty")
    book.active.row_dimensions[3].hidden = True
    book.save(clips.folder / "t.xlsx")

    said, index = read(clips, "t.xlsx")

    assert "t.xlsx, sheet 'monday': only the first sheet is read; not read: 'tuesday'. Join them into one sheet." in said
    assert "rows hidden by a filter are read too (1: 3)" in said
    assert len(index) == 6


def test_a_plain_sheet_has_no_note(clips):
    sheet(clips, NAMES, *ROWS).save(clips.folder / "t.xlsx")
    assert "t.xlsx" not in read(clips, "t.xlsx")[0].split("Corpus")[0].replace("table in t.xlsx", "")


@pytest.mark.parametrize("above", [[("My clips",)], [("My clips", None, None), (None,)], [("My clips", "of", "2020")]])
def test_a_title_above_the_columns_is_named(clips, above):
    sheet(clips, *above, NAMES, *ROWS).save(clips.folder / "t.xlsx")
    said = refused(clips, "t.xlsx")
    assert f"Line {len(above) + 1} has these names. Delete the lines above it." in said
    clips.file("t.csv", "\n".join(["My clips", ",".join(NAMES), *map(",".join, ROWS)]))
    assert "Line 2 has these names. Delete the lines above it." in refused(clips)


def test_where_the_table_is_in_another_sheet_the_sheets_are_named(clips):
    book = sheet(clips, ("Notes", "by", "Ann"), title="about")
    for row in (NAMES, *ROWS):
        (book["clips"] if "clips" in book.sheetnames else book.create_sheet("clips")).append(row)
    book.save(clips.folder / "t.xlsx")
    for command in (("table", "t.xlsx"), ("events", "t.xlsx")):
        said = " ".join(clips.mistake("-m", "preprocessing", *command).split())
        assert "sheet 'about': only the first sheet is read; not read: 'clips'" in said


@pytest.mark.parametrize(("separator", "first"), [(";", "sep=;\r\n"), (",", '"sep=,"\n'), ("|", "")])
def test_separators_of_excel_and_of_databases_are_read(clips, separator, first):
    clips.file("t.csv", first + "\n".join(map(separator.join, (NAMES, *ROWS))))
    assert len(read(clips)[1]) == 6


def test_blanks_between_columns_are_named(clips):
    clips.file("t.txt", "\n".join(map(" ".join, (NAMES, *ROWS))))
    assert "Columns are separated by blanks. Separate them by commas" in refused(clips, "t.txt")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("t.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "an Excel file of the old format (.xls)"),
        ("t.csv.gz", gzip.compress(b"path,item,label\n", mtime=0), "is compressed. Unpack it"),
        ("t.ods", b"PK\x03\x04" + b"\xff" * 99, "a zip archive, or a workbook with another ending"),
    ],
    ids=["old Excel", "compressed", "OpenDocument"],
)
def test_files_of_other_formats_are_named(clips, name, content, said):
    (clips.folder / name).write_bytes(content)
    assert said in refused(clips, name)


def test_a_column_beside_its_like_is_named(clips):
    csv(clips, Label="z")
    assert "line 1: received the columns 'label' and 'Label'. Keep one, or rename the other." in refused(clips)


@pytest.mark.parametrize("address", ["https://example.org/a.wav", "file:///home/ann/a.wav"])
def test_addresses_are_named(clips, address):
    clips.file("t.csv", "\n".join(map(",".join, (NAMES, *ROWS, (address, "s0", "x")))))
    said = (
        f"received '{address}'; expected a path, because web addresses are not read. Download the files and write their paths"
    )
    assert said in refused(clips)


def test_another_case_of_a_file_name_is_told(clips):
    clips.file("t.csv", "\n".join(map(",".join, (NAMES, *ROWS[1:], ("S0_0.WAV", "s0", "x")))))
    read(clips)
    (reason,) = pd.read_csv(clips.folder / "data/e/left_out.csv")["reason"]
    assert reason == "no such file, but 's0_0.wav', in another case."


@pytest.mark.parametrize("folder", ["C:\\sounds\\", "/home/ann/sounds/"])
def test_whole_paths_of_another_computer_are_told(clips, folder):
    clips.file("t.csv", "\n".join(map(",".join, (NAMES, *((folder + name, *others) for name, *others in ROWS)))))
    said = refused(clips)
    assert f"'{folder}s0_0.wav' is an absolute path, perhaps from another computer. Write it as 's0_0.wav'" in said
