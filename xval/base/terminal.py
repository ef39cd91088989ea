"""Make text safe for terminals: nothing in it controls the terminal, and each character can be encoded. One line ends a script.

Names of files, classes and items may come from anywhere. Text that is written to files is not changed.

Source: escape sequences in names are CWE-150; for characters that change the order of the text, or are not seen, see Boucher
and Anderson, Trojan Source, USENIX Security 2023.
"""

import codecs
import io
import re
import sys
from types import TracebackType
from typing import TextIO

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130

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


def report_mistakes_in_one_line() -> None:
    """Let a script end as a command does where it does not catch a mistake: one line, exit code 2; a session continues.

    Where Ctrl-C stops it in a part of the project, as while that is imported, it ends with one line too.
    """
    if sys.excepthook is sys.__excepthook__:
        sys.excepthook = _report


def _report(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print a mistake, and end a script: Python takes the SystemExit of this function as that of the script.

    ``PYTHONDEVMODE=1`` (``python -X dev``) shows the traceback.
    """
    if isinstance(error, KeyboardInterrupt) and not (sys.flags.dev_mode or is_session()) and _is_in_project(trace):
        write_line(f"Interrupted. {error}".rstrip(), sys.stderr)
        raise SystemExit(EXIT_INTERRUPTED)
    from xval.base.errors import FirstJobError, UsageError, XvalError  # here, because `import xval` needs none of them

    if not isinstance(error, XvalError) or isinstance(error, FirstJobError) or sys.flags.dev_mode:
        sys.__excepthook__(kind, error, trace)
        return
    write_line("\n".join(f"error: {line}" for line in str(error).splitlines()), sys.stderr)
    if not is_session():
        raise SystemExit(EXIT_USAGE if isinstance(error, UsageError) else EXIT_FAILED)


def _is_in_project(trace: TracebackType | None) -> bool:
    """Return whether an error came through the project, and not only through code of the user's own."""
    packages = set[str]()
    while trace is not None:
        packages.add(str(trace.tb_frame.f_globals.get("__package__")).partition(".")[0])
        trace = trace.tb_next
    return not packages.isdisjoint(("xval", "preprocessing", "augmentation", "architectures"))


def is_session() -> bool:
    """Return whether Python prompts for further lines, now or behind the script (``python -i``): variables are to stay."""
    return hasattr(sys, "ps1") or bool(sys.flags.inspect)


def _escape(surrogate: re.Match[str]) -> str:
    if "\udc80" <= surrogate[0] <= "\udcff":  # how Python keeps a byte that it cannot decode
        return f"\\x{ord(surrogate[0]) - 0xDC00:02x}"
    return surrogate[0].encode("unicode_escape").decode("ascii")


def _in_ascii(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_IN_ASCII.get(character, "?") for character in error.object[error.start : error.end]), error.end


codecs.register_error(_HANDLER, _in_ascii)
