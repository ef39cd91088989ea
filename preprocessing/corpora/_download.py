"""Download the archives of a corpus, verify their checksums, and unpack them safely.

An archive is downloaded into the hidden folder ``.download`` and removed after it was unpacked, so that nothing is on the disk
twice. A small note stays there, so that it is not downloaded or unpacked again. An archive that the user has put into the
folder is used instead of a download, and is kept.
"""

import lzma
import re
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from rich.console import Console

from preprocessing.file_fetching import fetch_file
from xval.base.errors import CorpusError, brief
from xval.base.operating_system import read_regular
from xval.base.size_limits import IrregularFileError, check_unpacked

WORK_FOLDER = ".download"
_HASH = re.compile(r"md5:[0-9a-f]{32}|sha1:[0-9a-f]{40}|sha256:[0-9a-f]{64}")
_TAR_ENDINGS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
_DAMAGES = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    RuntimeError,
    NotImplementedError,
    ValueError,
)


@dataclass(frozen=True)
class Archive:
    """A file of a corpus that can be downloaded.

    Attributes:
        url: Its address, http or https.
        hash: Its checksum: ``md5:``, ``sha1:`` or ``sha256:`` and the hexadecimal digits.
        unpack: Whether it is a zip or tar file that is unpacked; false: the file itself is used.
        file_name: Its name on the disk; empty: the last part of the address.

    Raises:
        CorpusError: The checksum, the name or the type of the archive is not valid.
    """

    url: str
    hash: str
    unpack: bool = True
    file_name: str = ""

    def __post_init__(self) -> None:
        """Check the attributes, and take the name from the address if it is empty."""
        if not _HASH.fullmatch(self.hash.lower()):
            raise CorpusError(f"{self.url}: checksum '{self.hash}'; expected md5:, sha1: or sha256: and its digits.")
        name = self.file_name or unquote(urlsplit(self.url).path).rsplit("/", maxsplit=1)[-1]
        if name in ("", ".", "..") or "/" in name or "\\" in name:
            raise CorpusError(f"{self.url}: '{name}' is not a file name; give the Archive a file_name.")
        if self.unpack and not name.lower().endswith((".zip", *_TAR_ENDINGS)):
            raise CorpusError(f"{self.url}: '{name}' cannot be unpacked; expected .zip, {', '.join(_TAR_ENDINGS)}.")
        object.__setattr__(self, "file_name", name)


def download(archives: Sequence[Archive], folder: Path, console: Console) -> None:
    """Put the content of archives into a folder; archives that were unpacked there already are skipped.

    Args:
        archives: The archives.
        folder: Created if missing.
        console: Shows the progress.

    Raises:
        CorpusError: An archive cannot be downloaded, has another checksum, is not safe to unpack, or the folder cannot be
            written.
    """
    try:
        (folder / WORK_FOLDER).mkdir(parents=True, exist_ok=True)
        for archive in archives:
            if not _is_unpacked(archive, folder):
                _obtain(archive, folder, console)
    except OSError as error:
        raise CorpusError(f"{folder} cannot be written: {error.strerror or error}.") from error


def _obtain(archive: Archive, folder: Path, console: Console) -> None:
    """Download an archive, or use the one that is there, and unpack it."""
    by_hand = folder / archive.file_name
    if by_hand.is_file():
        _check_hash(archive, by_hand)
        if archive.unpack:
            _unpack(archive, by_hand, folder, console)
        return
    if not archive.unpack:
        _fetch(archive, folder, folder, console)
        return
    fetched = _fetch(archive, folder / WORK_FOLDER, folder, console)
    _unpack(archive, fetched, folder, console)
    fetched.unlink()


def _note(archive: Archive, folder: Path) -> Path:
    """Return the path of the note with the checksum of an archive and the names that it was unpacked to."""
    return folder / WORK_FOLDER / f"{archive.file_name}.unpacked.txt"


def _is_unpacked(archive: Archive, folder: Path) -> bool:
    """Return whether an archive with this checksum was unpacked completely, and its files at the top level still exist."""
    note = _note(archive, folder)
    if not archive.unpack or not note.is_file():
        return False
    lines = read_regular(note).decode().splitlines()  # none if writing the note was interrupted
    return lines[:1] == [archive.hash.lower()] and all((folder / name).exists() for name in lines[1:])


def _check_hash(archive: Archive, path: Path) -> None:
    """Raise CorpusError if a file that the user has put there is another one, or incomplete."""
    import pooch

    algorithm, digits = archive.hash.lower().split(":")
    computed = pooch.file_hash(path, alg=algorithm)
    if computed != digits:
        raise CorpusError(
            f"{path} is not the file of {archive.url}: its {algorithm} is {computed}; expected {digits}. It may be "
            "incomplete. Move it away, or download it again."
        )


def _fetch(archive: Archive, into: Path, folder: Path, console: Console) -> Path:
    """Download an archive unless the complete file exists; a partial or wrong file never remains."""
    import requests

    try:
        return fetch_file(archive.url, into / archive.file_name, console, known_hash=archive.hash.lower())
    except requests.HTTPError as error:
        answer = error.response
        reason = "the server denies access" if answer is None else f"the server returned {answer.status_code} {answer.reason}"
        raise CorpusError(_by_hand(archive, folder, reason)) from error
    except requests.Timeout as error:
        raise CorpusError(_by_hand(archive, folder, "the server did not respond in time")) from error
    except requests.RequestException as error:
        reason = f"no connection to {urlsplit(archive.url).netloc} ({type(error).__name__})"
        raise CorpusError(_by_hand(archive, folder, reason)) from error
    except ValueError as error:
        reason = f"the checksum of the download is not {archive.hash}: it was cut short, or the corpus has changed"
        raise CorpusError(_by_hand(archive, folder, reason)) from error


def _by_hand(archive: Archive, folder: Path, reason: str) -> str:
    """Return the message for a download that failed, with what to do instead."""
    return (
        f"{archive.url} cannot be downloaded: {reason}. Try again later, or download it yourself to {folder.absolute()} as "
        f"{archive.file_name} and give the same command again."
    )


def _unpack(archive: Archive, path: Path, folder: Path, console: Console) -> None:
    """Unpack an archive into a temporary folder, move its content into the folder when it is complete, and write a note."""
    console.print(f"Unpacking {archive.file_name}")
    aside = folder / WORK_FOLDER / f"{archive.file_name}.unpacking"
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir()
    try:
        if archive.file_name.lower().endswith(".zip"):
            _unzip(path, aside)
        else:
            _untar(path, aside)
        names = sorted(entry.name for entry in aside.iterdir())
        _move_content(aside, folder)
        _note(archive, folder).write_text("\n".join([archive.hash.lower(), *names]) + "\n", encoding="utf-8")
    except (*_DAMAGES, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:  # without a number, a decompressor found damage
            raise
        raise CorpusError(
            f"{path} cannot be unpacked: {brief(error, 200)}. Remove it and give the same command again."
        ) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _unzip(path: Path, into: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            is_link = stat.S_ISLNK(member.external_attr >> 16)
            _refuse_unsafe(path, member.filename, "a link" if is_link else "")
        _check_size(path, sum(member.file_size for member in archive.infolist()))
        archive.extractall(into)  # noqa: S202 - every member was checked


def _untar(path: Path, into: Path) -> None:
    with tarfile.open(path) as archive:
        for member in archive:
            _refuse_unsafe(path, member.name, "" if member.isfile() or member.isdir() else "a link or a device")
        _check_size(path, sum(member.size for member in archive))
        while archive.fileobj and archive.fileobj.read(1 << 20):
            pass  # read to the end, because the checksum of the last compressed block is after the last member
        archive.extractall(into, filter="data")


def _check_size(path: Path, n_bytes: int) -> None:
    """Raise CorpusError if an archive unpacks to far more than its own size, or to more than the disk has room for."""
    try:
        check_unpacked(path, n_bytes, path.stat().st_size)
    except IrregularFileError as error:
        raise CorpusError(f"{path}: {error.strerror}. It is not unpacked.") from error
    if n_bytes > (free_bytes := shutil.disk_usage(path.parent).free):
        raise CorpusError(f"{path} unpacks to {n_bytes / 1e9:.1f} GB, but the disk has room for {free_bytes / 1e9:.1f} GB.")


def _refuse_unsafe(path: Path, name: str, kind: str) -> None:
    """Raise CorpusError for a member that would be written outside of the folder, or into this module's own folder."""
    plain = name.replace("\\", "/")
    parts = PurePosixPath(plain).parts
    if plain.startswith("/") or re.match(r"[A-Za-z]:", plain) or ".." in parts or parts[:1] == (WORK_FOLDER,):
        kind = "a path outside the folder"
    if kind:
        raise CorpusError(f"{path} has '{name}', {kind}. It is not unpacked, because a dataset does not need it.")


def _move_content(source: Path, target: Path) -> None:
    """Move the content of a folder into another one, merging folders that exist in both."""
    for entry in source.iterdir():
        place = target / entry.name
        if entry.is_dir() and place.is_dir():
            _move_content(entry, place)
        else:
            entry.replace(place)
