"""Let the disk fail, or kill a command, at the N-th call that makes, writes, flushes or renames something below a folder.

_faults.c intercepts the C library's calls of this process and of those that it forks; it is compiled when this starts. Calls
are counted, and the one that failed is reported. Linux, with a C compiler.
"""

import ctypes
import hashlib
import mmap
import os
import subprocess
import sys
import tempfile
from enum import IntEnum
from pathlib import Path

_SOURCE = Path(__file__).with_name("_faults.c")
_VARIABLE = "XVAL_TORTURE_LAYER"
_CALLS_AT, _SIZE = 8 + 4096 + 8, 8 + 4096 + 8 + (1 << 22)  # struct shared


class Action(IntEnum):
    """What happens at the N-th call, or that all that is read is noted; as in _faults.c."""

    COUNT = 1
    FAIL_ONCE = 2
    FAIL_FROM_HERE = 3
    KILL = 4
    READ = 5


class Fault:
    """What is to happen in a process that is forked, which calls `begin`."""

    def __init__(self, folder: Path, action: Action = Action.COUNT, at: int = 0) -> None:
        self._file = tempfile.NamedTemporaryFile()  # noqa: SIM115 - closed with this
        os.truncate(self._file.name, _SIZE)
        self._memory = mmap.mmap(self._file.fileno(), _SIZE)
        self._folder, self._action, self._at = folder.resolve(), action, at

    def begin(self) -> None:
        """Count, and fail or kill, from now on in this process."""
        address = ctypes.addressof(ctypes.c_char.from_buffer(self._memory))
        begin = ctypes.CDLL(os.environ[_VARIABLE]).torture_begin
        begin(ctypes.c_void_p(address), os.fsencode(self._folder), int(self._action), ctypes.c_long(self._at))

    @property
    def variables(self) -> dict[str, str]:
        """The environment by which programs that the process starts note what they read, too."""
        notes = {"XVAL_TORTURE_NOTES": self._file.name, "XVAL_TORTURE_FOLDER": str(self._folder)}
        return _preload(Path(os.environ[_VARIABLE])) | notes

    @property
    def count(self) -> int:
        """How many calls there were."""
        return int.from_bytes(self._memory[:8], sys.byteorder)

    @property
    def call(self) -> str:
        """The N-th call: its name and the path below the folder; empty: there were fewer."""
        return self._shown(self._memory[8:_CALLS_AT].split(b"\0")[0])

    @property
    def calls(self) -> list[str]:
        """All of them, where they were counted."""
        return [self._shown(text) for text in self._memory[_CALLS_AT:].split(b"\0\0")[0].split(b"\0") if text]

    @property
    def read(self) -> set[str] | None:
        """What was asked for, opened, listed, written or removed, by its path below the folder; None: that is not known."""
        used = int.from_bytes(self._memory[_CALLS_AT - 8 : _CALLS_AT], sys.byteorder)
        names = [call.partition(" ") for call in self.calls]
        if _CALLS_AT + used > _SIZE or any(name == "exec" for name, *_ in names):
            return None
        return {path for *_, path in names}

    def _shown(self, call: bytes) -> str:
        name, _, path = os.fsdecode(call).partition(" ")
        return f"{name} {os.path.relpath(path, self._folder)}" if path else ""


def _preload(library: Path) -> dict[str, str]:
    """Return the environment in which a program loads a library first: by its name, as LD_PRELOAD is split at spaces."""
    places = [str(library.parent), *filter(None, [os.environ.get("LD_LIBRARY_PATH")])]
    return {"LD_PRELOAD": library.name, "LD_LIBRARY_PATH": ":".join(places)}


def load_layer() -> None:
    """Start this program again with the layer before the C library, unless it is there."""
    if _VARIABLE in os.environ:
        return
    folder = Path(tempfile.gettempdir()) / f"xval_torture_{os.getuid()}"  # nothing else is in it: a place of libraries
    library = folder / f"{hashlib.sha256(_SOURCE.read_bytes()).hexdigest()[:16]}.so"
    if not library.exists():
        folder.mkdir(mode=0o700, exist_ok=True)
        temporary = library.with_suffix(f".{os.getpid()}")
        subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-w", "-o", temporary, _SOURCE, "-ldl"], check=True)
        temporary.replace(library)
    variables = {_VARIABLE: str(library)} | _preload(library)
    os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | variables)  # noqa: S606 - no shell is wanted
