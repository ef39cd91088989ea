"""SHA256SUMS of a bundle, as ``sha256sum --check SHA256SUMS`` reads it.

Comes in: a folder. Goes out: the file; or what is not as it was written.
"""

import hashlib
from pathlib import Path

from xval.base.errors import ResultsError

CHECKSUMS_NAME = "SHA256SUMS"


def write_checksums(folder: Path) -> None:
    """Write the checksums of all files in and below a folder."""
    lines = [f"{_sha256(folder / name)}  {name}\n" for name in file_names(folder)]
    (folder / CHECKSUMS_NAME).write_text("".join(lines), encoding="utf-8")


def file_names(folder: Path) -> list[str]:
    """Return the files in and below a folder, but for the checksums."""
    names = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(name for name in names if name != CHECKSUMS_NAME)


def find_changes(folder: Path) -> list[str]:
    """Return a line for each file that is missing, changed, or not among those that were written.

    Raises:
        ResultsError: The checksums cannot be read.
    """
    path = folder / CHECKSUMS_NAME
    try:
        rows = [line.split("  ", 1) for line in path.read_text(encoding="utf-8").splitlines()]
        noted = {name: digest for digest, name in rows}
    except (OSError, ValueError) as error:
        raise ResultsError(f"{path}: has no checksums as written by sha256sum ({error}). Make the bundle again.") from error
    there = file_names(folder)
    missing = [f"{name}: missing" for name in sorted(noted.keys() - set(there))]
    further = [f"{name}: not one of the bundle's files" for name in sorted(set(there) - noted.keys())]
    changed = [f"{name}: changed" for name in there if name in noted and _sha256(folder / name) != noted[name]]
    return [*missing, *changed, *further]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
