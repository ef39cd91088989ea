"""One hash of several files, such as those of a script's code or of xval itself."""

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from pathlib import Path

from xval.base.config_file import ROOT
from xval.base.user_code.shipped_architectures import HASHES

_PACKAGES = ("xval", "preprocessing", "augmentation")


def hash_code(files: Mapping[str, Path]) -> str:
    """Return a hash (sixteen hex digits) of the names and contents of files, sorted by name."""
    digest = blake2b(digest_size=8)
    for name, path in sorted(files.items()):
        content = path.read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def find_changed_copies(code_folder: Path, codes: Iterable[str]) -> list[str]:
    """Return the copies of the code whose xval differs from the running one; missing copies are skipped.

    Args:
        code_folder: ``code`` in the results folder.
        codes: The names of copies in it.
    """
    copies = {code: _hash_xval(code_folder / code) for code in sorted(set(codes)) if code.isalnum()}
    now = _hash_xval(ROOT) if copies else None
    return [code for code, copied in copies.items() if copied not in (None, now)]


def _hash_xval(root: Path) -> str | None:
    """Return a hash of xval itself, at the root of the project or in a copy of the code; None: it is missing."""
    paths = [path for package in _PACKAGES for path in (root / package).rglob("*.py")]
    paths += [path for name in HASHES if (path := root / "architectures" / f"{name}.py").is_file()]
    return hash_code({path.relative_to(root).as_posix(): path for path in paths}) if paths else None
