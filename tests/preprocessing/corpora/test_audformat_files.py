"""Databases in audformat from elsewhere: nothing in them runs or is unpickled, nothing outside is read, nothing written."""

import os
import pickle
from collections.abc import Callable
from pathlib import Path

import audformat
import pytest
import yaml

from preprocessing.__main__ import main
from preprocessing.corpora import _audformat_files
from preprocessing.corpora.audformat import list_clips
from xval.base.errors import CorpusError
from xval.base.size_limits import LARGEST_TABLE_BYTES, LARGEST_TEXT_BYTES

FILES = ["audio/0.wav", "audio/1.wav", "audio/2.wav"]


class RunsCode:
    """A pickle of it makes a folder where it is read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self.folder),)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three files of three speakers, with emotions."""
    place = tmp_path / "database"
    save(place, FILES)
    return place


def save(place: Path, files: list[str], storage_format: str = "csv") -> None:
    database = audformat.Database("moods", description="of voices")
    database.schemes["emotion"] = audformat.Scheme(labels=["glad", "sad"])
    database.schemes["speaker"] = audformat.Scheme(labels={number: {"age": 30 + number} for number in (1, 2, 3)})
    database["files"] = audformat.Table(audformat.filewise_index(files))
    for name, values in (("emotion", ["glad", "sad", "sad"]), ("speaker", [1, 2, 3])):
        database["files"][name] = audformat.Column(scheme_id=name)
        database["files"][name].set(values)
    database.save(str(place), storage_format=storage_format)


def replace_in_header(folder: Path, old: str, new: str) -> None:
    text = (folder / "db.yaml").read_text()
    assert old in text
    (folder / "db.yaml").write_text(text.replace(old, new))


def test_no_tag_of_the_header_is_carried_out(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    attack = f"!!python/object/apply:os.mkdir ['{tmp_path / 'ran'}']"
    replace_in_header(folder, "description: of voices", f"description: {attack}")
    command = ["audformat", str(folder), "--label", "emotion", "--data-folder", str(tmp_path / "data")]
    assert main(command) == 2
    assert not (tmp_path / "ran").exists()
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert "db.yaml, line 2: the tag '!!python/object/apply:os.mkdir'" in lines[0]


@pytest.mark.parametrize(
    "tag",
    ["!!python/name:os.system ''", "!!python/tuple [1]", "!local x", "!<tag:elsewhere,2000:x> x", "!!binary YQ==", "!!set {}"],
)
def test_tags_are_refused_by_name(folder: Path, tag: str) -> None:
    replace_in_header(folder, "of voices", tag)
    with pytest.raises(CorpusError, match=r"db\.yaml, line 2: the tag '!?.*plain value"):
        list_clips(folder, label="emotion")


def test_tags_of_plain_values_are_read(folder: Path) -> None:
    replace_in_header(folder, "of voices", "!!str 12")
    assert len(list_clips(folder, label="emotion")) == 3


def test_a_pickle_that_is_the_only_table_is_refused_by_name(folder: Path, tmp_path: Path) -> None:
    (folder / "db.files.pkl").write_bytes(pickle.dumps(RunsCode(tmp_path / "ran")))
    (folder / "db.files.csv").unlink()
    with pytest.raises(
        CorpusError, match=r"db\.files\.pkl is a pickle, which may run code, so it is not opened.*csv or parquet"
    ):
        list_clips(folder, label="emotion")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("storage_format", ["csv", "parquet"])
@pytest.mark.parametrize("age_s", [-1000, 1000])
def test_a_pickle_beside_a_table_is_named_and_not_opened(folder: Path, tmp_path: Path, storage_format: str, age_s: int) -> None:
    (folder / "db.files.csv").unlink()
    save(folder, FILES, storage_format)
    trap, table = folder / "db.files.pkl", folder / f"db.files.{storage_format}"
    trap.write_bytes(pickle.dumps(RunsCode(tmp_path / "ran")))
    changed_s = table.stat().st_mtime - age_s
    os.utime(trap, (changed_s, changed_s))
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}
    clips = list_clips(folder, label="emotion")
    assert clips["label"].tolist() == ["glad", "sad", "sad"]
    assert (
        clips.attrs["note"]
        == f"db.files.pkl is a pickle, which may run code, so it is not opened. Its {storage_format} is read"
    )
    assert not (tmp_path / "ran").exists()
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()} == before


def test_aliases_of_plain_values_are_read(folder: Path) -> None:
    header = yaml.safe_load((folder / "db.yaml").read_text())
    header["schemes"]["mood"] = header["schemes"]["emotion"]
    (folder / "db.yaml").write_text(yaml.safe_dump(header))
    assert "*id001" in (folder / "db.yaml").read_text()
    assert len(list_clips(folder, label="emotion")) == 3


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("[" * 200 + "]" * 200, "line 2: lists nested more than 50 levels deep"),
        ("&a {b: [*a]}", "line 2: the alias a is inside the value that it names"),
        ("1" * 5000, "cannot be read by audformat: Exceeds the limit"),
        ("'unfinished", "cannot be read by audformat"),
        ("2001-99-99", "cannot be read by audformat"),
    ],
)
def test_headers_that_no_database_has_are_refused(folder: Path, value: str, message: str) -> None:
    replace_in_header(folder, "of voices", value)
    with pytest.raises(CorpusError, match=message):
        list_clips(folder, label="emotion")


def test_a_header_that_is_too_large_or_no_file_is_refused(folder: Path) -> None:
    os.truncate(folder / "db.yaml", LARGEST_TEXT_BYTES + 1)
    with pytest.raises(CorpusError, match=r"db\.yaml: larger than 268435456 bytes"):
        list_clips(folder, label="emotion")
    (folder / "db.yaml").write_bytes(b"name: \xff")
    with pytest.raises(CorpusError, match=r"db\.yaml is not text in UTF-8"):
        list_clips(folder, label="emotion")


@pytest.mark.parametrize("name", ["../../secret", "..\\secret", "/secret", "a/b", "", 3, None])
def test_tables_that_would_lie_elsewhere_are_refused_by_name(folder: Path, name: object) -> None:
    header = yaml.safe_load((folder / "db.yaml").read_text())
    header["tables"] = {name: header["tables"]["files"]}
    (folder / "db.yaml").write_text(yaml.safe_dump(header))
    with pytest.raises(CorpusError, match=r"db\.yaml names a table .*; expected NAME of a file db\.NAME\.csv"):
        list_clips(folder, label="emotion")


def test_a_table_that_is_a_link_to_another_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    (folder / "db.files.csv").rename(tmp_path / "private.csv")
    (folder / "db.files.csv").symlink_to(tmp_path / "private.csv")
    with pytest.raises(CorpusError, match=r"db\.files\.csv is outside .*database"):
        list_clips(folder, label="emotion")


def test_a_table_that_is_missing_or_no_file_is_refused(folder: Path) -> None:
    (folder / "db.files.csv").unlink()
    with pytest.raises(CorpusError, match=r"no db\.files\.csv or db\.files\.parquet, which db\.yaml names"):
        list_clips(folder, label="emotion")
    os.mkfifo(folder / "db.files.csv")
    with pytest.raises(CorpusError, match=r"db\.files\.csv: not a regular file"):
        list_clips(folder, label="emotion")


@pytest.mark.parametrize("path", ["../private.wav", "audio/../../private.wav", "{elsewhere}/private.wav", "link/private.wav"])
def test_audio_of_other_folders_is_refused_by_its_path(folder: Path, tmp_path: Path, path: str) -> None:
    (tmp_path / "private.wav").write_bytes(b"RIFF")
    (folder / "link").symlink_to(tmp_path)
    path = path.replace("{elsewhere}", str(tmp_path))
    table = folder / "db.files.csv"
    table.write_text(table.read_text().replace(FILES[1], path))
    with pytest.raises(CorpusError, match=r"table files.*private\.wav.*database") as refusal:
        list_clips(folder, label="emotion")
    assert path in str(refusal.value)


def test_a_backslash_in_the_name_of_a_link_does_not_hide_it(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "private.wav").write_bytes(b"RIFF")
    (folder / "audio\\1.wav").symlink_to(tmp_path / "private.wav")
    table = folder / "db.files.csv"
    table.write_text(table.read_text().replace(FILES[1], "audio\\1.wav"))
    with pytest.raises(CorpusError, match=r"table files: 'audio.*1\.wav' is outside .*database"):
        list_clips(folder, label="emotion")


def test_attachments_and_media_open_no_file(folder: Path) -> None:
    header = yaml.safe_load((folder / "db.yaml").read_text())
    header["attachments"] = {"notes": {"path": "../../notes.txt"}, "more": {"path": "missing"}}
    header["media"] = {"speech": {"type": "audio", "format": "../../x", "sampling_rate": 16000}}
    (folder / "db.yaml").write_text(yaml.safe_dump(header))
    assert len(list_clips(folder, label="emotion")) == 3


def test_a_table_that_is_none_is_named(folder: Path) -> None:
    (folder / "db.files.csv").rename(folder / "db.files.parquet")
    with pytest.raises(CorpusError, match=r"db\.files\.parquet cannot be read by audformat"):
        list_clips(folder, label="emotion")


def test_a_table_that_is_too_large_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.truncate(folder / "db.files.csv", LARGEST_TABLE_BYTES + 1)
    with pytest.raises(CorpusError, match=r"db\.files\.csv: larger than 1073741824 bytes"):
        list_clips(folder, label="emotion")
    (folder / "db.files.csv").unlink()
    save(folder, FILES, "parquet")
    monkeypatch.setattr(_audformat_files, "MOST_CLIPS", 2)
    with pytest.raises(CorpusError, match=r"db\.files\.parquet.* rows, but at most 2 are read"):
        list_clips(folder, label="emotion")
