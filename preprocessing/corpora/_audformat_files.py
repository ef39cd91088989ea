"""Read the files of a database in audformat safely: no code in them runs, and no files outside of its folder are read.

audformat itself reads headers with a loader that executes tags, and prefers pickled tables, which may run code. Therefore it
receives the header as plain values, and copies of the csv or parquet tables in a separate folder.
"""

import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

from preprocessing.clips.boundary import Boundary
from preprocessing.corpora._plain_yaml import parse_plain
from xval.base.errors import CorpusError, brief, how_to_install
from xval.base.operating_system import open_regular, read_regular, refusal
from xval.base.size_limits import LARGEST_TABLE_BYTES, MOST_CLIPS, IrregularFileError, check_rows

HEADER_NAME = "db.yaml"
_TABLE_KINDS = ("parquet", "csv")
"""In the order in which audformat looks for them."""
_NO_TABLE_NAME = re.compile(r"[/\\\x00-\x1f\x7f]")


def load_database(folder: Path) -> tuple[Any, list[str]]:
    """Read the header and the tables of a database; nothing is written into its folder.

    Returns:
        The `audformat.Database`; and a sentence about each pickle next to a table, which was not opened.

    Raises:
        CorpusError: audformat is not installed, the database cannot be read, or a table exists only as a pickle.
    """
    try:
        import audformat
    except ImportError as error:
        raise CorpusError(f"Databases in audformat need the package audformat: {how_to_install('audformat')}.") from error
    header = _read_header(folder)
    tables = {name: _find_table(folder, name) for name in _table_names(folder, header)}
    try:
        database = audformat.Database.load_header_from_yaml(header)
    except Exception as error:  # audformat raises errors of many kinds for a damaged header
        raise _unreadable(folder, error) from error
    _load_tables(database, tables)
    return database, [
        f"db.{name}.pkl is a pickle, which may run code, so it is not opened. Its {table.suffix[1:]} is read"
        for name, table in tables.items()
        if (folder / f"db.{name}.pkl").exists()
    ]


def _unreadable(folder: Path, error: Exception) -> CorpusError:
    return CorpusError(f"{folder}: this database cannot be read by audformat: {brief(error) or type(error).__name__}")


def _read_header(folder: Path) -> dict[str, Any]:
    """Return db.yaml as plain values: text, numbers, dates, lists and dicts."""
    path = folder / HEADER_NAME
    if not path.is_file():
        raise CorpusError(f"{folder} has no {HEADER_NAME}, the header of an audformat database. Give the folder of db.yaml.")
    try:
        text = read_regular(path).decode()
    except OSError as error:
        raise CorpusError(f"{path}: {refusal(error)}.") from error
    except UnicodeDecodeError as error:
        raise CorpusError(f"{path} is not text in UTF-8 (byte {error.start}).") from error
    try:
        header = parse_plain(text, path)
    except ValueError as error:
        raise _unreadable(folder, error) from error
    if not isinstance(header, dict):
        raise CorpusError(f"{folder}: this database cannot be read by audformat: {HEADER_NAME} has no names and values.")
    header.pop("attachments", None)  # other files, which are not read here
    return header


def _table_names(folder: Path, header: dict[str, Any]) -> list[str]:
    """Return the names of the tables in a header; those to which schemes may refer come first, as audformat needs them."""
    names: list[str] = []
    for section in ("misc_tables", "tables"):
        tables = header.get(section) or {}
        if not isinstance(tables, dict):
            raise CorpusError(f"{folder / HEADER_NAME}: {section} is not a list of names and their tables.")
        for name in tables:
            if not isinstance(name, str) or not name or _NO_TABLE_NAME.search(name):
                raise CorpusError(
                    f"{folder / HEADER_NAME} names a table {name!a}; expected NAME of a file db.NAME.csv, without folders."
                )
            names.append(name)
    return names


def _find_table(folder: Path, name: str) -> Path:
    """Return the file of a table that can be read without running code."""
    files = [folder / f"db.{name}.{kind}" for kind in _TABLE_KINDS]
    file = next((file for file in files if file.exists()), None)
    if file is None and (pickled := folder / f"db.{name}.pkl").exists():
        raise CorpusError(
            f"{pickled} is a pickle, which may run code, so it is not opened, and there is no other file of that table. Save "
            "it as csv or parquet where it was made: database.save(folder, storage_format='csv')."
        )
    if file is None:
        raise CorpusError(f"{folder} has no {files[1].name} or {files[0].name}, which {HEADER_NAME} names.")
    if Boundary(folder).find(file.name) is None:
        raise CorpusError(f"{file} is outside {folder}, at {file.resolve()}. Put the table itself into the folder.")
    return file


def _load_tables(database: Any, tables: dict[str, Path]) -> None:
    """Let audformat read a copy of each table in a folder without other files that it might prefer."""
    with tempfile.TemporaryDirectory() as place:
        copy = Path(place, "table")
        for name, file in tables.items():
            try:
                source = open_regular(file, LARGEST_TABLE_BYTES if file.suffix == ".csv" else None)
            except OSError as error:
                raise CorpusError(f"{file}: {refusal(error)}.") from error
            with source, copy.with_suffix(file.suffix).open("wb") as target:
                shutil.copyfileobj(source, target)
            try:
                database[name].load(str(copy))
                check_rows(file, len(database[name]), MOST_CLIPS)
            except IrregularFileError as error:
                raise CorpusError(f"{file}: {refusal(error)}.") from error
            except Exception as error:  # audformat, pandas and pyarrow raise errors of many kinds for a damaged table
                raise CorpusError(f"{file} cannot be read by audformat: {brief(error) or type(error).__name__}") from error
            copy.with_suffix(file.suffix).unlink()
