"""What parquet files take in memory is known before they take it, and texts that are measured come back as they were."""

from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from preprocessing.clips.parquet_files import read_frame, read_table
from preprocessing.clips.parquet_size import measure_texts, size_in_memory
from xval.base.operating_system import IrregularFileError

N_ROWS = 20_000
TEXTS = [None if number % 7 == 0 else f"{number % 500:0200}" for number in range(N_ROWS)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file whose texts might take gigabytes, by all that its footer tells."""
    kinds = {"plain": pa.string(), "large": pa.large_string(), "view": pa.string_view(), "a.b": pa.string()}
    columns = {name: pa.array(TEXTS, kind) for name, kind in kinds.items()}
    columns |= {"category": pa.array(TEXTS).dictionary_encode(), "number": pa.array(range(N_ROWS))}
    columns["list"] = pa.array([[text] for text in TEXTS[:5]] + [None] * (N_ROWS - 5))
    parquet.write_table(pa.table(columns).replace_schema_metadata({"note": "x"}), tmp_path / "t.parquet", row_group_size=3000)
    return tmp_path / "t.parquet"


def of_one_text(path: Path, n_rows: int, text: str) -> None:
    """Write a small file of a text that stands in each row."""
    column = pa.DictionaryArray.from_arrays(pa.array(bytes(n_rows), pa.int8()), [text])
    parquet.write_table(pa.table({"item": column, "row": pa.array(bytes(n_rows), pa.int8())}), path, store_schema=False)


def test_measured_texts_come_back_as_they_were(path: Path) -> None:
    footer = parquet.read_metadata(path)
    assert size_in_memory(footer, None).texts == ["plain", "large", "view", "a.b", "category"]
    assert size_in_memory(footer, ["number", "a.b"]).texts == ["a.b"]

    table = read_table(path)

    assert table.equals(parquet.read_table(path), check_metadata=True)
    assert read_table(path, columns=["a.b", "gone"]).column_names == ["a.b"]
    assert read_frame(path, columns=["plain"])["plain"].isna().sum() == TEXTS.count(None)


def test_texts_are_measured_row_by_row() -> None:
    table = pa.table({"text": pa.array(["abc", "ä", None, "abc"]).dictionary_encode(), "other": ["x"] * 4})

    assert measure_texts(table) == 3 + 2 + 3


@pytest.mark.parametrize(
    ("n_rows", "text", "message"),
    [
        (1_000_000, 2**20 * "a", "it takes about 2097.2 GB of memory"),  # one text, a million times, and as much for pandas
        (15_000_000, "a", "it takes about 0.4 GB of memory, and 0.2 GB are free. Remove rows or columns"),
    ],
)
def test_a_small_file_that_would_take_all_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n_rows: int, text: str, message: str
) -> None:
    path = tmp_path / "predictions.parquet"
    of_one_text(path, n_rows, text)
    assert path.stat().st_size < 1 << 20
    monkeypatch.setattr("xval.base.table_bounds.free_memory_bytes", lambda: 2 * 10**8)

    with pytest.raises(IrregularFileError, match=message):
        read_frame(path, {"item": "text", "row": "whole number"})


def test_rows_are_counted_before_they_are_read(path: Path) -> None:
    assert read_table(path, columns=["number"], most_rows=N_ROWS).num_rows == N_ROWS

    with pytest.raises(IrregularFileError, match=r"it has 20000 rows, but at most 19999 are read\. Split it"):
        read_table(path, columns=["number"], most_rows=N_ROWS - 1)


def test_only_wanted_columns_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "predictions.parquet"
    of_one_text(path, 1_000_000, 2**20 * "a")
    monkeypatch.setattr("xval.base.table_bounds.free_memory_bytes", lambda: 2 * 10**8)

    assert read_table(path, columns=["row"]).num_rows == 1_000_000
