"""One hash of several files, such as those of the code."""

from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path


def hash_code(files: Mapping[str, Path]) -> str:
    """Return sixteen hex digits of the names and contents of files, in the order of the names."""
    digest = blake2b(digest_size=8)
    for name, path in sorted(files.items()):
        content = path.read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()
