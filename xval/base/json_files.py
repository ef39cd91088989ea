"""The JSON files of results: written completely or not at all, and checked when read, because they may be untrusted.

Such files are first written under a temporary name (`part_path`), which names the writing process. If that process was killed,
the next run removes its temporary files (`remove_stale_parts`).
"""

import errno
import json
import os
import re
import shutil
import socket
import time
import uuid
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from hashlib import blake2b
from math import isfinite
from pathlib import Path
from typing import Any

from xval.base.errors import REMEDY, ResultsError
from xval.base.operating_system import flush, read_regular, replace
from xval.base.size_limits import IrregularFileError

FORMAT_VERSION = 1

JsonObject = dict[str, Any]
_OF_DISKS = {getattr(errno, name) for name in ("ENOSPC", "EDQUOT", "EFBIG", "EROFS", "EIO") if hasattr(errno, name)}
_MOST_FLUSHED_AT_ONCE = 8
_LONGEST_WITHIN_PART, _N_KEPT = 120, 24  # bytes, characters: names end at 255 bytes, and the machine's takes up to 80
_PART = re.compile(r"\.(?P<name>.+)\.(?P<machine>[^.]+)-(?P<process>\d+)-(?P<started>\d+)\.[0-9a-f]{8}\.part")
_N_TRIES, _SECONDS_OF_A_TRY = 20, 0.05
_SECONDS_UNTIL_STALE = 3600.0  # where nobody can tell whether the writer lives: on another machine, or without /proc


def write_json(path: Path, content: Mapping[str, Any], *, flushed: bool = True) -> None:
    """Write a dict as JSON, completely or not at all; NaN and infinities become null.

    It is flushed to the disk, unless ``flushed=False``, for a folder that is flushed as a whole before it gets its name.
    """
    if flushed:
        write_atomically(path, json_text(content).encode())
    else:
        path.write_bytes(json_text(content).encode())


def write_if_changed(path: Path, content: Mapping[str, Any]) -> None:
    """Write a dict like `write_json`, unless the file has the same content, because reading is faster than writing."""
    with suppress(ResultsError):  # what is damaged is written anew
        if path.exists() and read_json(path) == without_nan(content):
            return
    write_atomically(path, json_text(content).encode())


def json_text(content: Mapping[str, Any]) -> str:
    """Return the text of `write_json` for a dict: a value per line, NaN and infinities as null."""
    try:
        return _encode(content)  # few files have a NaN, and looking for one takes as long as writing
    except (ValueError, TypeError):
        return _encode(without_nan(content))


_ESCAPED_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def read_json(path: Path) -> JsonObject | None:
    """Return a JSON file as a dict, or None if there is none.

    Raises:
        ResultsError: The file is no JSON object, of a newer format, too large, nested too deeply, or no
            regular file.
    """
    return read_hashed_json(path)[0]


def read_hashed_json(path: Path) -> tuple[JsonObject | None, str]:
    """Return the result of `read_json`, and a hash (16 hex digits) of the content."""
    try:
        text = read_regular(path)
        content = json.loads(text)
        if _ESCAPED_SURROGATE.search(text):
            json.dumps(content, ensure_ascii=False).encode()  # half a character can be written nowhere
    except (FileNotFoundError, NotADirectoryError):
        return None, ""
    except IrregularFileError as error:
        raise ResultsError(f"{path}: {error.strerror}. Move its folder away to run that part again.") from None
    except RecursionError:
        raise ResultsError(
            f"{path}: its JSON is nested too deeply to be a results file. Move its folder away to run that part again."
        ) from None
    except ValueError as error:
        raise ResultsError(f"{path}: not readable as JSON ({error}). {REMEDY}") from error
    if not isinstance(content, dict):
        raise ResultsError(f"{path}: not a JSON object; received {content!r:.60}. {REMEDY}")
    version = content.get("format_version", FORMAT_VERSION)
    if not isinstance(version, int):
        raise ResultsError(f"{path}: format_version is damaged; received {version!r:.60}; expected {FORMAT_VERSION}. {REMEDY}")
    if version > FORMAT_VERSION:
        raise ResultsError(
            f"{path}: written by a newer version of xval; received format_version {version!r:.60}; expected "
            f"{FORMAT_VERSION}. Update xval to read it."
        )
    return content, hash_text(text)


def hash_text(text: bytes) -> str:
    """Return a hash (16 hex digits) of a text."""
    return blake2b(text, digest_size=8).hexdigest()


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file under a temporary name next to it, flush it, and rename it; if that fails, an earlier file stays."""
    with part_of(path) as temporary:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        replace(temporary, path)
        flush(path.parent)


@contextmanager
def part_of(path: Path) -> Iterator[Path]:
    """Yield a temporary name for a file, and remove the file of that name if it still exists at the end of the block.

    Disk errors within the block get the name of the file if they have none.
    """
    temporary = part_path(path)
    try:
        with naming(path):
            yield temporary
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Add the name of a file or folder to disk errors within the block that have none."""
    try:
        yield
    except OSError as error:
        name_refused(error, path)
        raise


def name_refused(error: BaseException | None, path: Path) -> bool:
    """Add the name of a file or folder to a disk error that has none; return whether it is a disk error."""
    if isinstance(error, OSError) and error.errno is None and " requested and " in str(error):  # NumPy: "... and 0 written"
        error.errno, error.strerror = errno.ENOSPC, f"{os.strerror(errno.ENOSPC)} ({error})"
    if not isinstance(error, OSError) or error.errno not in _OF_DISKS:
        return False
    if error.filename is None:
        error.filename = str(path)
    return True


def final_name(path: Path) -> Path:
    """Return the final path of a path that may have temporary names of `part_path`."""
    return Path(*(match["name"] if (match := _PART.fullmatch(part)) else part for part in path.parts))


def part_path(path: Path) -> Path:
    """Return a temporary name next to a file or folder that this process will write."""
    process = os.getpid()
    writer = f"{_machine()}-{process}-{_start_of(process) or 0}"
    return path.with_name(f".{_shortened(path.name)}.{writer}.{uuid.uuid4().hex[:8]}.part")


def _shortened(name: str) -> str:
    """Return a name, shortened to its beginning and a hash if temporary names made from it would be too long."""
    encoded = os.fsencode(name)
    if len(encoded) <= _LONGEST_WITHIN_PART:
        return name
    return f"{name[:_N_KEPT]}~{blake2b(encoded, digest_size=8).hexdigest()}"


def process_name() -> str:
    """Return a name of this process that is unique across machines, without spaces."""
    process = os.getpid()
    return f"{_machine()}-{_boot()}-{process}-{_start_of(process) or 0}"


def has_died(name: str) -> bool:
    """Return whether a process of this machine has ended, by its `process_name`; False where nobody can tell."""
    return is_alive(name) is False


def is_alive(name: str) -> bool | None:
    """Return whether a process is alive, by its `process_name`; None: nobody can tell, as of one of another machine."""
    machine, _, process = name.partition(f"-{_boot()}-")
    number, _, started = process.partition("-")
    is_known = machine == _machine() and number.isdecimal() and started.isdecimal() and bool(_start_of(os.getpid()))
    return _start_of(int(number)) == started if is_known else None


def remove_stale_parts(folder: Path, name: str | None = None, *, folders: bool = True) -> None:
    """Remove temporary files of killed writers in a folder (names of `part_path`), as far as permissions allow.

    Only the folder itself is searched; it may not exist. `name` is the final name of the files; None: any.
    """
    try:
        names = os.listdir(folder)  # noqa: PTH208 - Path.iterdir takes three times as long
    except OSError:
        return
    for match in filter(None, map(_PART.fullmatch, names)):
        path = folder / match.string
        if (name is not None and _shortened(name) != match["name"]) or not _is_stale(path, match):
            continue
        if not path.is_dir():
            with suppress(OSError):
                path.unlink()
        elif folders:
            shutil.rmtree(path, ignore_errors=True)


@contextmanager
def only_writer(target: Path, option: str) -> Iterator[Path]:
    """Yield a temporary folder for making a file or folder, which is removed at the end; a second process gets an error.

    Args:
        target: The file or folder to make.
        option: The option of the command that names another path.

    Raises:
        ResultsError: Another process is making it.
    """
    remove_stale_parts(target.parent, target.name)
    temporary = part_path(target)
    temporary.mkdir(parents=True)
    try:
        for wait_s in (*[_SECONDS_OF_A_TRY] * _N_TRIES, 0):
            parts = map(_PART.fullmatch, os.listdir(target.parent))  # noqa: PTH208 - as above
            others = {part.string for part in parts if part and part["name"] == _shortened(target.name)} - {temporary.name}
            if not others:
                break
            # Of two that begin at once, the one whose name comes first waits for the other to give up: else both would.
            if not wait_s or min(others) < temporary.name:
                raise ResultsError(f"{target}: another process is writing it now. Choose another path with {option}.")
            time.sleep(wait_s)
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def refuse_appeared(target: Path, option: str, *, overwrite: bool) -> None:
    """Raise an error if another process has made the target in the meantime."""
    if target.exists() and not overwrite:
        raise ResultsError(
            f"{target}: another process has written it in the meantime, so it is not replaced. Choose another path with "
            f"{option}."
        )


def _is_stale(path: Path, part: re.Match[str]) -> bool:
    if part["machine"] == _machine() and _start_of(os.getpid()):
        return _start_of(int(part["process"])) != part["started"]  # the id alone may be another process's by now
    try:
        return time.time() - path.stat().st_mtime > _SECONDS_UNTIL_STALE
    except FileNotFoundError:
        return False  # it has got its name meanwhile


def _machine() -> str:
    """Return a name of the machine or container to which process ids belong."""
    try:
        container = Path("/proc/self/ns/pid").stat().st_ino
    except OSError:
        container = 0
    return f"{re.sub('[^A-Za-z0-9]', '_', socket.gethostname())}_{container}"


def _boot() -> str:
    """Return an id of this boot of the system, because machines may share a host name; empty: not known."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip().replace("-", "")
    except OSError:
        return ""


def _start_of(process: int) -> str | None:
    """Return when a process started, in ticks since boot; None: it has ended, or this is not known."""
    try:
        state, *values = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if state in "ZX" else values[18]


def flush_all(paths: Collection[Path]) -> None:
    """Flush files and folders to the disk in parallel, because each waits for the disk."""
    with ThreadPoolExecutor(_MOST_FLUSHED_AT_ONCE) as pool:
        list(pool.map(flush, paths))


def _encode(plain: object) -> str:
    return json.dumps(plain, indent=1, allow_nan=False)


def without_nan(value: Any) -> Any:
    """Return plain values with None for NaN and infinities."""
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): without_nan(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(inner) for inner in value]
    return value
