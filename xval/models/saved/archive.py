"""Check names and sizes of the members of untrusted zip archives before they are unpacked."""

import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import BinaryIO

from xval.base.errors import UnsafeModelError
from xval.base.size_limits import IrregularFileError, check_unpacked

_CHUNK_BYTES = 1 << 20
_ENCRYPTED = 0x1
_ZIP, _HDF5 = b"PK\x03\x04", b"\x89HDF\r\n\x1a\n"
_PICKLE = tuple(bytes([0x80, protocol]) for protocol in range(2, 6))
_DAMAGES = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, OverflowError, IndexError, NotImplementedError)


@contextmanager
def open_archive(file: BinaryIO, path: Path, largest: Callable[[str], int | None]) -> Iterator[zipfile.ZipFile]:
    """Open an archive after checking its members.

    Args:
        file: The archive, open for reading at any position.
        path: Its name in messages.
        largest: Function from the name of a member to its largest size in bytes; None: the name is not allowed.

    Yields:
        The archive; read its members with `read_chunks` or `read_member`.

    Raises:
        UnsafeModelError: It is not a zip archive, it is damaged, or a member has another name, leads out of the archive, is a
            link, is encrypted, occurs twice, or is too large.
    """
    n_bytes = file.seek(0, io.SEEK_END)
    file.seek(0)
    head = file.read(len(_HDF5))
    if not head.startswith(_ZIP):
        raise UnsafeModelError(
            f"{path}: not loaded, because {_describe(head)}. Expected a zip archive written by Keras or xval."
        )
    try:
        archive = zipfile.ZipFile(file)
    except _DAMAGES as error:
        raise UnsafeModelError(
            f"{path}: not loaded, because its zip archive is cut short or damaged ({error}). Copy it again."
        ) from error
    with archive:
        _check_members(archive.infolist(), path, largest)
        try:
            check_unpacked(path, sum(member.file_size for member in archive.infolist()), n_bytes)
        except IrregularFileError as error:
            raise UnsafeModelError(f"{path}: not loaded, because {error.strerror}.") from error
        yield archive


def read_chunks(archive: zipfile.ZipFile, name: str, path: Path) -> Iterator[bytes]:
    """Yield the bytes of a member of `open_archive` in pieces.

    Raises:
        UnsafeModelError: It is damaged, or has another size or checksum than it declares.
    """
    declared, n_bytes = archive.getinfo(name).file_size, 0
    try:
        with archive.open(name) as member:
            while chunk := member.read(_CHUNK_BYTES):
                n_bytes += len(chunk)
                yield chunk
    except _DAMAGES as error:
        raise UnsafeModelError(
            f"{path}: not loaded, because its member {name} is damaged ({error}). Copy the file again."
        ) from error
    if n_bytes != declared:
        raise UnsafeModelError(f"{path}: not loaded, because its member {name} declares {declared} bytes, but has {n_bytes}.")


def read_member(archive: zipfile.ZipFile, name: str, path: Path) -> bytes:
    """Return the bytes of a member of `open_archive`.

    Raises:
        UnsafeModelError: As `read_chunks`.
    """
    return b"".join(read_chunks(archive, name, path))


def _check_members(members: list[zipfile.ZipInfo], path: Path, largest: Callable[[str], int | None]) -> None:
    names = set()
    for member in members:
        if fault := _fault(member, largest):
            raise UnsafeModelError(f"{path}: not loaded, because its member {member.orig_filename!r:.80} {fault}.")
        if member.filename in names:
            raise UnsafeModelError(f"{path}: not loaded, because its member {member.filename} is in it twice.")
        names.add(member.filename)


def _fault(member: zipfile.ZipInfo, largest: Callable[[str], int | None]) -> str | None:
    """Return what is wrong with a member, by its entry in the archive."""
    name = member.orig_filename
    parts = PurePosixPath(name).parts
    if name.startswith("/") or PureWindowsPath(name).drive or ".." in parts or "\\" in name:
        return "has a path outside the archive"
    allowed = largest(name) if name == member.filename else None
    if stat.S_ISLNK(member.external_attr >> 16):
        return "is a symbolic link"
    if allowed is None:
        return "does not belong in such a file"
    if member.flag_bits & _ENCRYPTED:
        return "is encrypted"
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return f"is compressed by method {member.compress_type}; deflate or none is allowed"
    if member.file_size > allowed:
        return f"declares {member.file_size} bytes; at most {allowed} are allowed"
    return None


def _describe(head: bytes) -> str:
    """Return the type of a file that is no zip archive, by its first bytes."""
    if not head:
        return "it is empty"
    if head.startswith(_HDF5):
        return "it is an HDF5 file, the older format of Keras models, which may contain code"
    if head.startswith(_PICKLE):
        return "it is a pickle, which runs code when it is read"
    return "it is not a zip archive"
