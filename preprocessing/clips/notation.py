"""Find names that differ only in notation, such as ``Speaker 1`` and ``speaker_01``, and choose one spelling of them.

`notation_key` is the rule for names of items, classes and annotators. Such names are never merged silently: the user is asked.
`composed` is for names of files, which macOS writes in another Unicode form.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable

_QUOTES = "\"'`´‘’‚‛“”„‟«»‹›"
_TO_DASH = str.maketrans(dict.fromkeys("‐‑‒–—―−", "-"))
_POINT_ZERO = re.compile(r"(?<!\d)(?<!\d\.)(\d+)\.0+(?!\.?\d)")  # 1.0, but not 1.05, 2.1.0 or 1.0.3
_LEADING_ZEROS = re.compile(r"(?<!\d)(?<!\d\.)0+(?=\d)")  # of 01, but not of 1.05
_BETWEEN = re.compile(r"[\s.-]+")


def composed(name: str) -> str:
    """Return a name in NFC, in which a letter with its accent is one character."""
    return unicodedata.normalize("NFC", name)


def notation_key(name: str) -> str:
    """Return a key that is equal for names that differ only in notation.

    It ignores case, spaces, hyphens, underscores and points between letters and numbers, leading zeros (01), zeros after the
    point (1.0), quotes around the name, characters without width, and compatibility forms of Unicode (NFKC). A separator of two
    numbers and a minus sign count: 1_5, 1.5 and 15 are three names, and -1 and 1 are two.
    """
    text = unicodedata.normalize("NFKC", name).casefold().translate(_TO_DASH).replace("_", " ")
    text = "".join(letter for letter in text if letter.isascii() or unicodedata.category(letter) != "Cf").strip()
    while len(text) > 1 and text[0] in _QUOTES and text[-1] in _QUOTES:
        text = text[1:-1].strip()
    text = _POINT_ZERO.sub(r"\1", text.removeprefix("+") if text[1:2].isdecimal() else text)
    return _BETWEEN.sub(_between, _LEADING_ZEROS.sub("", text)) or name


def _between(match: re.Match[str]) -> str:
    """Return the part of a separator between two parts of a name that counts in the key."""
    before, after = match.string[: match.start()][-1:], match.string[match.end() :][:1]
    separator = "".join(match[0].split())
    if not before or not after:
        return separator  # such as the minus of -1, and of the grade A-
    is_minus = after.isdecimal() and bool(re.search(r"[\s.]-$", match[0]))  # as in snr_-5
    return ("." if separator == "." else " ") * (before.isdecimal() and after.isdecimal()) + "-" * is_minus


def similar_names(names: Iterable[str]) -> list[list[str]]:
    """Return the groups of names that differ only in notation, each sorted, in the order of their first occurrence."""
    alike: dict[str, list[str]] = {}
    for name in dict.fromkeys(names):
        alike.setdefault(notation_key(name), []).append(name)
    return [sorted(ways) for ways in alike.values() if len(ways) > 1]


def common_spellings(names: Iterable[str]) -> dict[str, str]:
    """Return, for each name that differs from another only in notation, the most frequent spelling (ties: the shortest)."""
    counts = Counter(names)
    return {name: min(ways, key=lambda way: (-counts[way], len(way), way)) for ways in similar_names(counts) for name in ways}
