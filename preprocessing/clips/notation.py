"""Names that are written in several ways: which differ only in notation, and one form of them.

Inputs are names of items, classes, annotators or files. `notation_key` is the rule for all of them, by which names are asked
about and never joined in silence. `composed` finds files, whose names macOS decomposes.
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
    """Return what names have in common that differ only in notation.

    That is case, spaces, hyphens, underscores and points between letters and numbers, zeros in front (01) and behind the point
    (1.0), quotes around, characters without width, and compatibility forms of Unicode (NFKC). What separates two numbers
    counts: 1_5, 1.5 and 15 are three names, and -1 and 1 are two.
    """
    text = unicodedata.normalize("NFKC", name).casefold().translate(_TO_DASH).replace("_", " ")
    text = "".join(letter for letter in text if letter.isascii() or unicodedata.category(letter) != "Cf").strip()
    while len(text) > 1 and text[0] in _QUOTES and text[-1] in _QUOTES:
        text = text[1:-1].strip()
    text = _POINT_ZERO.sub(r"\1", text.removeprefix("+") if text[1:2].isdecimal() else text)
    return _BETWEEN.sub(_between, _LEADING_ZEROS.sub("", text)) or name


def _between(match: re.Match[str]) -> str:
    """Return what separates two parts of a name, as far as it counts."""
    before, after = match.string[: match.start()][-1:], match.string[match.end() :][:1]
    separator = "".join(match[0].split())
    if not before or not after:
        return separator  # of -1 and of the grade A-
    is_minus = after.isdecimal() and bool(re.search(r"[\s.]-$", match[0]))  # of snr_-5
    return ("." if separator == "." else " ") * (before.isdecimal() and after.isdecimal()) + "-" * is_minus


def similar_names(names: Iterable[str]) -> list[list[str]]:
    """Return the groups of names that differ only in notation, each sorted, in the order in which they occur."""
    alike: dict[str, list[str]] = {}
    for name in dict.fromkeys(names):
        alike.setdefault(notation_key(name), []).append(name)
    return [sorted(ways) for ways in alike.values() if len(ways) > 1]


def common_spellings(names: Iterable[str]) -> dict[str, str]:
    """Return the spelling of each name that differs from another only in notation: the most frequent, then the shortest."""
    counts = Counter(names)
    return {name: min(ways, key=lambda way: (-counts[way], len(way), way)) for ways in similar_names(counts) for name in ways}
