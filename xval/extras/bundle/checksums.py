"""Write and check SHA256SUMS, the checksums of all files of a bundle, in the format of ``sha256sum --check SHA256SUMS``."""

from pathlib import Path

from xval.base.errors import ResultsError
from xval.base.operating_system import file_sha256

CHECKSUMS_NAME = "SHA256SUMS"


def write_checksums(folder: Path) -> None:
    """Write SHA256SUMS into a folder: the checksums of all files in the folder and its subfolders."""
    lines = [f"{file_sha256(folder / name)}  {name}\n" for name in file_names(folder)]
    (folder / CHECKSUMS_NAME).write_text("".join(lines), encoding="utf-8")


def file_names(folder: Path) -> list[str]:
    """Return the sorted relative paths of all files in a folder and its subfolders, except SHA256SUMS."""
    names = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(name for name in names if name != CHECKSUMS_NAME)


def find_changes(folder: Path) -> list[str]:
    """Compare a folder with its SHA256SUMS; return a line for each file that is missing, changed or not listed there.

    Raises:
        ResultsError: SHA256SUMS cannot be read.
    """
    path = folder / CHECKSUMS_NAME
    try:
        rows = [line.split("  ", 1) for line in path.read_text(encoding="utf-8").splitlines()]
        listed = {name: digest for digest, name in rows}
    except (OSError, ValueError) as error:
        raise ResultsError(f"{path}: has no checksums as written by sha256sum ({error}). Make the bundle again.") from error
    present = file_names(folder)
    missing = [f"{name}: missing" for name in sorted(listed.keys() - set(present))]
    unlisted = [f"{name}: not one of the bundle's files" for name in sorted(set(present) - listed.keys())]
    changed = [f"{name}: changed" for name in present if name in listed and file_sha256(folder / name) != listed[name]]
    return [*missing, *changed, *unlisted]
