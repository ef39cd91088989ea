import csv
import io

import openpyxl
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from preprocessing.clips.output_folder import write_table
from preprocessing.corpora._tables import read_table
from xval.base.csv_text import guard, guarded, unguard
from xval.report.clip_answers import read_events
from xval.report.workbook.cells import plain_text
from xval.report.workbook.sheet import Book
from xval.results.job_key import JobKey
from xval.results.scores import Scores
from xval.training.evaluation.fold import Evaluation

BEGINNINGS = ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"]
UNSEEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs")  # what Python's `isprintable` refuses, and blanks


def texts_that_begin(beginnings, characters):
    """Return texts that begin like a formula, or like one that is escaped, and go on with any of the characters."""
    first = ["", "'", "''", *beginnings, *(f"'{each}" for each in beginnings)]
    return st.tuples(st.sampled_from(first), st.text(characters, max_size=6)).map("".join)


names = texts_that_begin(BEGINNINGS, st.characters(codec="utf-8", exclude_characters="\x00"))
printable_names = texts_that_begin(
    [each for each in BEGINNINGS if each.isprintable()], st.characters(codec="utf-8", exclude_categories=UNSEEN) | st.just(" ")
)


def is_harmless(cell):
    """Return whether a spreadsheet shows a cell as it is, or as the number that it is."""
    if not cell.startswith(tuple(BEGINNINGS)):
        return True
    return bool(pd.notna(pd.to_numeric(cell, errors="coerce")))


@given(names)
@example("=HYPERLINK(...)")
@example("-1")
@example("-1+1")
@example("'-1")
def test_a_name_in_a_csv_file_is_no_formula_and_comes_back(name):
    text = io.StringIO(newline="")
    csv.writer(text).writerow([guard(name), "x"])
    (read, _), *rest = csv.reader(io.StringIO(text.getvalue(), newline=""))

    assert not rest
    assert is_harmless(read)
    assert unguard(read) == name


@pytest.mark.parametrize("number", ["-1", "+2.5", "-.5", "-1e-3", "7"])
def test_a_number_stays_one(number):
    assert guard(number) == number


# The writer of pandas leaves a carriage return without quotes.
@settings(max_examples=20)
@given(st.lists(names.filter(lambda name: name.strip() and "\r" not in name), min_size=2, max_size=4))
def test_a_table_keeps_its_names_as_text_and_its_numbers_as_numbers(found):
    table = pd.DataFrame({"clip": found, "count": range(len(found)), "mean": -0.5})
    table.columns = [found[0], "clip", "mean"]  # also a class of this name, as in a confusion matrix
    text = guarded(table).to_csv(index=False)
    header, *rows = csv.reader(io.StringIO(text, newline=""))

    assert [unguard(name) for name in header] == list(table.columns)
    assert [unguard(row[0]) for row in rows] == found
    assert all(map(is_harmless, [*header, *(row[0] for row in rows)]))
    assert {row[2] for row in rows} == {"-0.5"}
    assert list(table.columns) == [found[0], "clip", "mean"]


@settings(max_examples=15)
@given(st.lists(printable_names.filter(str.strip), min_size=1, max_size=3), st.data())
def test_a_metadata_table_says_the_same_in_each_format(tmp_path_factory, found, data):
    folder = tmp_path_factory.mktemp("tables")
    rows = [(name, data.draw(printable_names), str(number)) for number, name in enumerate(found)]
    columns = ("path", "item", "label")
    write_table(folder / "t.csv", columns, rows)
    pd.DataFrame(rows, columns=columns).to_parquet(folder / "t.parquet")
    book = Book()
    sheet = book.add("t")
    for row, cells in enumerate([columns, *rows], start=1):
        for column, text in enumerate(cells, start=1):
            sheet.put(row, column, text)
    book.save(folder / "t.xlsx")

    read = {kind: read_table(folder / f"t.{kind}", "path, item, label") for kind in ("csv", "parquet", "xlsx")}

    for header, lines in read.values():
        assert header == list(columns)
        assert [tuple(cells) for _, cells in lines] == rows
    cells = [cell for row in openpyxl.load_workbook(folder / "t.xlsx").active.iter_rows() for cell in row]
    assert not [cell.value for cell in cells if cell.data_type == "f"]
    assert [cell.value or "" for cell in cells] == [plain_text(text) for row in [columns, *rows] for text in row]


def test_events_keep_the_names_of_their_recordings(tmp_path):
    events = pd.DataFrame(
        {"item": ["NA", "=1"], "clip": ["NA", "@a"], "side": "test", "source": "found", "start_s": 0.5, "end_s": [1.0, 2.0]}
    ).assign(label=["nan", "-"])
    Evaluation(Scores(), {}, pd.DataFrame({"item": ["NA"]}), {"events.csv": events}).write(tmp_path)

    pd.testing.assert_frame_equal(
        read_events({JobKey(1, 1): tmp_path}), events[["clip", "source", "start_s", "end_s", "label"]]
    )
    assert "'@a" in (tmp_path / "events.csv").read_text()
