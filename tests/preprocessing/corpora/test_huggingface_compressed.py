"""Datasets of Hugging Face from elsewhere whose files are compressed: none is unpacked to any size."""

import importlib
import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from preprocessing.corpora.huggingface import list_clips
from xval.base.errors import CorpusError

CONTENT = b"RIFF"


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize(
    ("module", "packed", "suffix"), [("gzip", "gzip", ".gz"), ("bz2", "bz2", ".bz2"), ("lzma", "xz", ".xz")]
)
@pytest.mark.parametrize("is_named", [False, True])
def test_compressed_files_are_refused_before_they_are_unpacked(
    tmp_path: Path, cache: Path, module: str, packed: str, suffix: str, is_named: bool
) -> None:
    """The library knows them by their first bytes, whatever their names."""
    (tmp_path / "words").mkdir()
    file = tmp_path / "words" / f"train.jsonl{suffix if is_named else ''}"
    file.write_bytes(importlib.import_module(module).compress(b'{"audio": "0.wav", "label": "a"}\n' * 1000))
    with pytest.raises(CorpusError, match=rf"{file.name}: compressed \({packed}\), so it could unpack to any size"):
        list_clips(tmp_path / "audio", source=str(tmp_path / "words"))
    assert [found for found in cache.rglob("*") if found.is_file() and found.suffix != ".lock"] == []


@pytest.mark.usefixtures("cache")
def test_an_archive_that_is_compressed_as_a_whole_is_refused(tmp_path: Path) -> None:
    (tmp_path / "words").mkdir()
    with tarfile.open(tmp_path / "words" / "train.tar", "w:gz") as archive:
        member = tarfile.TarInfo("0.wav")
        member.size = len(CONTENT)
        archive.addfile(member, io.BytesIO(CONTENT))
    with pytest.raises(CorpusError, match=r"train\.tar: compressed \(gzip\)"):
        list_clips(tmp_path / "audio", source=str(tmp_path / "words"))


@pytest.mark.usefixtures("cache")
def test_an_archive_that_is_a_bomb_is_refused(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("preprocessing.corpora._download._UNCHECKED_BYTES", 1 << 20)
    (tmp_path / "words").mkdir()
    with zipfile.ZipFile(tmp_path / "words" / "train.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(2):
            archive.writestr(f"{'ab'[number]}/{number}.wav", bytes(60 << 20))
    with pytest.raises(CorpusError, match=r"train\.zip has 0\.1 MB but unpacks to 0\.1 GB or more"):
        list_clips(tmp_path / "audio", source=str(tmp_path / "words"))
    assert not (cache / "downloads").exists()
