"""Turn the names of items, which may be any text (``s01``, ``../../x``, ``CON``), into file names that are safe everywhere.

Each item gets one portable name without a suffix, and no two items get the same one.
"""

import re
from hashlib import blake2b

_SAFE = re.compile(r"[a-z0-9_][a-z0-9_-]{0,63}")
_RESERVED_ON_WINDOWS = re.compile(r"con|prn|aux|nul|(com|lpt)[0-9]")
_LONGEST_READABLE_PART = 40


def file_name(item: str) -> str:
    """Return the file name of an item, without a suffix.

    A name of up to 64 lower-case ASCII letters, digits, ``_`` and ``-`` stays as it is. Any other becomes its readable
    part, ``~`` and a hash of the exact name: ``S01`` gives ``s01~...``. As no result has capitals, ``S01`` and ``s01`` stay
    apart on file systems that ignore case; as no readable part contains ``~``, a hashed name never meets an untouched one.

    Args:
        item: Any text, the empty one included.

    Returns:
        1 to 73 characters out of ``a-z 0-9 _ - ~``. Two items share one only if their 128-bit BLAKE2b hashes are equal.
    """
    if _SAFE.fullmatch(item) and not _RESERVED_ON_WINDOWS.fullmatch(item):
        return item
    readable = re.sub(r"[^a-z0-9_]+", "-", item.lower()).strip("-")[:_LONGEST_READABLE_PART]
    return f"{readable}~{blake2b(item.encode('utf-8', 'surrogatepass'), digest_size=16).hexdigest()}"
