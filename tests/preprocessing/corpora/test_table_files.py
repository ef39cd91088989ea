"""Tables from anywhere are read, or refused in one line that names the file, before they take memory."""

import os
import random
import subprocess
import sys
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from preprocessing.corpora._tables import read_table
from preprocessing.corpora.table import list_clips, read_clips
from xval.base.errors import CorpusError
from xval.base.table_bounds import LONGEST_CELL, LONGEST_LINE_BYTES, MOST_CLIPS, MOST_COLUMNS

CLIPS = pd.DataFrame(
    {
        "path": [f"a{number}.wav" for number in range(40)],
        "item": [f"s{number % 5}" for number in range(40)],
        "label": ["x", "y"] * 20,
        "age": [number / 3 for number in range(40)],
        "day": pd.date_range("2020-01-01", periods=40),
    }
)
WRITERS = {".csv": CLIPS.to_csv, ".xlsx": CLIPS.to_excel, ".parquet": CLIPS.to_parquet}
SHEET = "xl/worksheets/sheet1.xml"
# The peak of a process that is started counts that of its parent, VmHWM does not.
PROBE = """
import sys
from pathlib import Path
from preprocessing.corpora._tables import read_table
from xval.base.errors import CorpusError

def peak_mb():
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024

read_table(Path(sys.argv[1]), "path")  # which loads the libraries
before_mb = peak_mb()
try:
    read_table(Path(sys.argv[2]), "path")
except CorpusError as error:
    print(error)
print(peak_mb() - before_mb)
"""


def written(folder: Path, suffix: str) -> Path:
    path = folder / f"clips{suffix}"
    WRITERS[suffix](path, index=False)
    return path


def read(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    return read_table(path, "path, item, label", needed={"path", "item", "label"}.__contains__)


def assert_read_or_refused(path: Path) -> bool:
    """Return whether a file is refused; anything but a table or one line fails."""
    try:
        header, lines = read(path)
    except CorpusError as refusal:
        text = str(refusal)
        assert text.startswith(str(path))
        assert "\n" not in text
        assert len(text) < 500
        return True
    assert len(header) >= 1
    assert all(isinstance(cell, str) for _, cells in lines for cell in cells)
    return False


def zip_again(path: Path, change: Callable[[str, bytes], bytes]) -> None:
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, change(name, content))


@pytest.mark.filterwarnings("ignore::UserWarning")  # of openpyxl, of what it leaves out
@pytest.mark.parametrize("suffix", WRITERS)
def test_a_table_with_a_changed_byte_or_cut_short_is_read_or_refused_in_one_line(tmp_path: Path, suffix: str) -> None:
    path = written(tmp_path, suffix)
    content, random_numbers = path.read_bytes(), random.Random(suffix)
    assert len(read(path)[1]) == len(CLIPS)

    n_refused = 0
    for number in range(90):
        damaged, place = bytearray(content), random_numbers.randrange(len(content))
        damaged[place] ^= 1 << random_numbers.randrange(8)
        path.write_bytes(damaged if number % 3 else content[:place])
        n_refused += assert_read_or_refused(path)

    assert n_refused > 3


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_an_excel_file_whose_sheets_were_changed_is_read_or_refused_in_one_line(tmp_path: Path) -> None:
    """The zip archive is whole, its XML is not."""
    path = written(tmp_path, ".xlsx")
    whole, random_numbers = path.read_bytes(), random.Random(1)

    def damage(name: str, content: bytes) -> bytes:
        if name not in (SHEET, "xl/workbook.xml", "xl/sharedStrings.xml", "xl/styles.xml"):
            return content
        place = random_numbers.randrange(len(content))
        changed = bytes([content[place] ^ 1 << random_numbers.randrange(7)])
        return content[:place] + (b"" if place % 3 else changed + content[place + 1 :])

    n_refused = 0
    for _ in range(40):
        path.write_bytes(whole)
        zip_again(path, damage)
        n_refused += assert_read_or_refused(path)

    assert n_refused > 20


@pytest.mark.parametrize(
    ("rows", "lines"),
    [
        ('<row r="1">{A1}</row><row r="1048576">{B1}</row>', []),
        ('<row r="1">{A1}{B1}</row><row r="99999999999999">{A2}</row>', []),
        ('<row r="1">{A1}</row><row r="2">{A2}{XFD2}</row>', [(2, ["A2"])]),
        ('<row r="1">{A1}</row><row r="3">{A3}</row>', [(3, ["A3"])]),
        ('<row r="1">{A1}{ZZZZZZZZ1}</row>', None),
        ('<row r="-5">{A1}</row>', None),
        ('<row r="1">{A1}</row><row r="2"><c r="A2" t="s"><v>99999999999</v></c></row>', None),
        ('<row r="1">{A1}</row><row r="2"><c r="A2"><v>' + 5000 * "9" + "</v></c></row>", None),
    ],
)
def test_the_places_that_a_sheet_gives_its_cells_take_no_memory(
    tmp_path: Path, rows: str, lines: list[tuple[int, list[str]]] | None
) -> None:
    path, names = written(tmp_path, ".xlsx"), ("A1", "B1", "A2", "A3", "XFD2", "ZZZZZZZZ1")
    cells = {name: f'<c r="{name}" t="inlineStr"><is><t>{name}</t></is></c>' for name in names}

    def replace_rows(name: str, content: bytes) -> bytes:
        before, _, behind = content.decode().partition("<sheetData>")
        # Some programs announce all the rows and columns that there may be.
        before = before.replace('<dimension ref="A1:E41"/>', '<dimension ref="A1:XFD1048576"/>')
        new = before + "<sheetData>" + rows.format(**cells) + behind[behind.find("</sheetData>") :]
        return new.encode() if name == SHEET else content

    zip_again(path, replace_rows)

    if lines is None:
        assert assert_read_or_refused(path)
    else:
        assert read(path)[1] == lines


def test_entities_that_grow_are_refused(tmp_path: Path) -> None:
    path, letters = written(tmp_path, ".xlsx"), "abcdefghijkl"
    grown = "".join(f'<!ENTITY {new} "{10 * f"&{old};"}">' for old, new in pairwise(letters))

    def grow(name: str, content: bytes) -> bytes:
        head, end, rest = content.decode().partition("?>")
        new = f'{head}{end}<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">{grown}]>' + rest.replace("<v>", "<v>&l;", 1)
        return new.encode() if name == SHEET else content

    zip_again(path, grow)

    assert assert_read_or_refused(path)


def test_columns_that_nobody_asked_for_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "clips.parquet"
    beyond = pa.array([2**62, None], pa.timestamp("us"))
    rows = {"path": ["a.wav", "b.wav"], "item": ["s", "t"], "label": ["x", "y"], "day": beyond, "bytes": [b"RIFF", b""]}
    parquet.write_table(pa.table({**rows, "date": pa.array([2**31 - 1, 0], pa.date32()), "vector": [[0.5], []]}), path)

    needed = {"path", "item", "label"}.__contains__
    header, lines = read_table(path, "path", needed=needed, others=False)
    assert header == ["path", "item", "label", "day", "bytes", "date", "vector"]
    assert lines[0] == (2, ["a.wav", "s", "x", "", "", "", ""])
    kept = list_clips(tmp_path, table=path)  # as further columns are
    assert kept["day"].dropna().tolist() == [str(2**62)]
    assert kept["date"].tolist() == [str(2**31 - 1), "0"]
    assert kept["bytes"].isna().all()
    assert read_clips(path, tmp_path, "classification")["day"].isna().all()


def test_a_needed_column_of_lists_is_refused_by_its_type(tmp_path: Path) -> None:
    path = tmp_path / "clips.parquet"
    parquet.write_table(pa.table({"path": ["a.wav"], "item": ["s"], "label": [["x", "y"]]}), path)

    with pytest.raises(CorpusError, match=r"the column 'label' holds list<.*>; expected texts, numbers or times"):
        list_clips(tmp_path, table=path)


def test_times_within_the_calendar_stay_times(tmp_path: Path) -> None:
    path = tmp_path / "clips.parquet"
    parquet.write_table(pa.table({"path": ["a.wav"], "day": [datetime(2020, 1, 2, tzinfo=UTC)]}), path)

    assert read_table(path, "path")[1] == [(2, ["a.wav", "2020-01-02 00:00:00+00:00"])]


@pytest.mark.parametrize("suffix", [".csv", ".xlsx", ".parquet"])
def test_a_cell_without_end_is_named_by_its_line(tmp_path: Path, suffix: str) -> None:
    path, long_text = tmp_path / f"clips{suffix}", LONGEST_CELL * "a" + "b"
    clips = CLIPS[["path"]][:2].assign(label=["x", "y" if suffix == ".xlsx" else long_text])
    getattr(clips, WRITERS[suffix].__name__)(path, index=False)
    if suffix == ".xlsx":  # whose writers cut such cells short
        zip_again(path, lambda name, content: content.replace(b">y<", f">{long_text}<".encode()))

    with pytest.raises(
        CorpusError, match=r"line 3 has a cell of 131073 characters, at most 131072|field larger than"
    ) as refusal:
        read_table(path, "path")
    assert len(str(refusal.value)) < 500


def of_many_rows(path: Path) -> Path:
    path = path.with_suffix(".parquet")
    column = pa.DictionaryArray.from_arrays(pa.array(bytes(MOST_CLIPS + 1), pa.int8()), ["a"])
    parquet.write_table(pa.table(dict.fromkeys(("path", "item", "label"), column)), path, store_schema=False)
    return path


def of_one_long_text(path: Path) -> Path:
    path = path.with_suffix(".parquet")
    column = pa.DictionaryArray.from_arrays(pa.array(bytes(1_000_000), pa.int8()), [2**20 * "a"])
    parquet.write_table(pa.table({"path": column}), path, store_schema=False)
    return path


def of_zeros(path: Path) -> Path:
    path = path.with_suffix(".xlsx")
    CLIPS.to_excel(path, index=False)
    zip_again(path, lambda name, content: content + (bytes(64 << 20) if name == "xl/sharedStrings.xml" else b""))
    return path


def of_one_line(path: Path) -> Path:
    path.touch()
    os.truncate(path, 1 << 30)  # a hole
    return path


def of_many_lines(path: Path) -> Path:
    path.write_bytes((MOST_CLIPS + 1) * b"\n")
    return path


def of_many_columns(path: Path) -> Path:
    path.write_bytes(MOST_COLUMNS * b"a," + b"\n")
    return path


def of_many_empty_cells(path: Path) -> Path:
    path.write_bytes(b"path" + 100 * b",a" + b"\n" + 2_000_000 * b"b\n")
    return path


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell the peak of one process")
@pytest.mark.parametrize(
    ("write", "message"),
    [
        (of_many_rows, f"it has {MOST_CLIPS + 1} rows, at most {MOST_CLIPS} are read; split it"),
        (of_one_long_text, "it takes about .* GB of memory, and .* GB are free; leave out rows"),
        (of_zeros, "unpack to .*, at most .* are read; save it as csv"),
        (of_one_line, f"a line of it is longer than {LONGEST_LINE_BYTES} bytes"),
        (of_many_lines, f"it has {MOST_CLIPS + 1} rows, at most {MOST_CLIPS} are read"),
        (of_many_columns, f"{MOST_COLUMNS + 1} columns, at most {MOST_COLUMNS} are read"),
        (of_many_empty_cells, "2000001 rows of 101 columns, at most .* cells are read"),
    ],
)
def test_a_table_that_would_fill_the_memory_is_refused_before_it_is_read(
    tmp_path: Path, write: Callable[[Path], Path], message: str
) -> None:
    path = write(tmp_path / "large.csv")
    with pytest.raises(CorpusError, match=message):
        read_table(path, "path")
    small = written(tmp_path, path.suffix)

    told = subprocess.run([sys.executable, "-c", PROBE, small, path], capture_output=True, text=True, check=True)

    text, grown_mb = told.stdout.splitlines()
    assert text.startswith(f"{path} cannot be read: ")
    assert float(grown_mb) < 60


def test_what_does_not_fit_into_the_free_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "clips.csv"
    path.write_bytes(b"path,item,label\n" + 3_000_000 * b"a,b,c\n")
    monkeypatch.setattr("xval.base.table_bounds.free_memory_bytes", lambda: 10**8)

    with pytest.raises(CorpusError, match=r"it takes about 0\.6 GB of memory, and 0\.1 GB are free"):
        read_table(path, "path")


def in_a_sheet(path: Path, rows: str) -> Path:
    """Put rows of XML into the sheet of an Excel file."""

    def replace(name: str, content: bytes) -> bytes:
        before, _, behind = content.decode().partition("<sheetData>")
        new = before + "<sheetData>" + rows + behind[behind.find("</sheetData>") :]
        return new.encode() if name == SHEET else content

    zip_again(path, replace)
    return path


@pytest.mark.parametrize(
    "rows",
    [
        '<row r="1"><c r="Z1" t="inlineStr"><is><t>path</t></is></c></row><row r="1000"/>',
        '<row r="1000"><c r="A1000" t="inlineStr"><is><t>path</t></is></c></row>',
    ],
    ids=["below a wide header", "above the header"],
)
def test_the_cells_of_empty_rows_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: str) -> None:
    path = in_a_sheet(written(tmp_path, ".xlsx"), rows)
    assert len(read(path)[1]) == 0
    monkeypatch.setattr("xval.base.table_bounds.MOST_CELLS", 20_000)

    with pytest.raises(CorpusError, match="it has more than 20000 cells, empty ones included; delete empty rows and columns"):
        read(path)


def of_one_shared_text(path: Path) -> Path:
    pd.DataFrame({"path": 300 * [1000 * "a"]}).to_excel(path.with_suffix(".xlsx"), index=False)
    return path.with_suffix(".xlsx")


def of_a_dictionary(path: Path) -> Path:
    path = path.with_suffix(".parquet")
    parquet.write_table(pa.table({"path": pa.DictionaryArray.from_arrays(pa.array(bytes(300), pa.int8()), [1000 * "a"])}), path)
    return path


@pytest.mark.parametrize("write", [of_one_shared_text, of_a_dictionary])
def test_a_text_that_many_rows_share_counts_in_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[Path], Path]
) -> None:
    path = write(tmp_path / "clips")
    lines = read_table(path, "path")[1]
    assert len(lines) == 300
    assert lines[0][1][0] is lines[299][1][0]  # held once
    monkeypatch.setattr("xval.base.table_bounds.MOST_CHARACTERS", 200_000)

    with pytest.raises(CorpusError, match="it has more than 200000 characters; shorten its texts"):
        read_table(path, "path")


def test_texts_whose_use_would_fill_the_memory_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = of_one_shared_text(tmp_path / "clips")
    monkeypatch.setattr("xval.base.table_bounds.LARGEST_UNASKED_BYTES", 100_000)
    monkeypatch.setattr("xval.base.table_bounds.free_memory_bytes", lambda: 600_000)
    monkeypatch.setattr("preprocessing.corpora._table_files._BYTES_PER_XML_BYTE", 0)

    with pytest.raises(CorpusError, match=r"it takes about 0\.0 GB of memory, and 0\.0 GB are free"):
        read_table(path, "path")


@pytest.mark.parametrize("dictionary", [["x", "y"], pa.array([2**62, 0], pa.timestamp("us"))])
def test_a_column_that_holds_each_value_once_has_the_cells_of_a_plain_one(
    tmp_path: Path, dictionary: "list[str] | pa.Array"
) -> None:
    path = tmp_path / "clips.parquet"
    column = pa.DictionaryArray.from_arrays(pa.array([0, 1, None, 0], pa.int8()), dictionary)
    parquet.write_table(pa.table({"path": list("abcd"), "label": column}), path)
    kept = read_table(path, "path")[1]
    parquet.write_table(pa.table({"path": list("abcd"), "label": column.dictionary_decode()}), path)

    assert kept == read_table(path, "path")[1]
