"""Make text safe for terminals: nothing in it controls the terminal, and each character can be encoded.

Names of files, classes and items may come from anywhere. Text that is written to files is not changed.

Source: escape sequences in names are CWE-150; for characters that change the order of the text, or are not seen, see Boucher
and Anderson, Trojan Source, USENIX Security 2023.
"""

import codecs
import io
import re
import sys
from typing import TextIO

_CONTROL = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f\ud800-\udfff]"
)
# Joiners shape the letters of Persian and Hindi, and emoji; next to ASCII they are not seen.
_USELESS_JOINERS = re.compile("(?<![^\x00-\x7f])[\u200c\u200d]+|[\u200c\u200d]+(?![^\x00-\x7f])")
_IN_ASCII = {"±": "+-", "×": "x", "–": "-", "—": "-", "−": "-", "…": "...", "→": "->", "≤": "<=", "≥": ">=", "µ": "u"}
_HANDLER = "xval-in-ascii"
_REPLACED = ("strict", "surrogateescape", "backslashreplace")  # how Python's own streams treat what they cannot encode


def visible(text: str) -> str:
    r"""Return a text with the Python escapes of its control characters (``\x1b``) but for ends of lines.

    Those that change the order of the text or are not seen, and the bytes of file names that are no UTF-8, are escaped too.
    """
    if text.isascii() and text.isprintable():
        return text
    return _USELESS_JOINERS.sub(_escape, _CONTROL.sub(_escape, text))


def allow_any_text() -> None:
    """Let the standard streams write what their encoding lacks (that of ``LC_ALL=C``, cp1252) as ``+-`` or ``?``, not fail."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors in _REPLACED:
            stream.reconfigure(errors=_HANDLER)


def write_line(line: str, stream: TextIO | None) -> None:
    """Write a line, escaped as `visible` has it; where the stream is closed, or its terminal or reader is gone, nothing."""
    if stream is None:  # as sys.stderr after 2>&-
        return
    try:
        stream.write(f"{visible(line)}\n")
        stream.flush()
    except OSError:
        return


def _escape(surrogate: re.Match[str]) -> str:
    if "\udc80" <= surrogate[0] <= "\udcff":  # how Python keeps a byte that it cannot decode
        return f"\\x{ord(surrogate[0]) - 0xDC00:02x}"
    return surrogate[0].encode("unicode_escape").decode("ascii")


def _in_ascii(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_IN_ASCII.get(character, "?") for character in error.object[error.start : error.end]), error.end


codecs.register_error(_HANDLER, _in_ascii)
