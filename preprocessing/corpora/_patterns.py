"""Search names with the user's regular expressions."""

import re
from collections.abc import Sequence

from preprocessing.clips.notation import composed
from xval.base.errors import SettingsError


def compile_pattern(option: str, pattern: str) -> re.Pattern[str]:
    """Return a compiled pattern; ``option`` is its name on the command line, for the error.

    Raises:
        SettingsError: It is no valid regular expression.
    """
    try:
        return re.compile(composed(pattern))
    except (re.error, OverflowError, RecursionError) as error:
        raise SettingsError(f"{option} {pattern:.200}: not a regular expression ({error or type(error).__name__}).") from error


def find_in_each(pattern: re.Pattern[str], group: str | int, texts: Sequence[str]) -> list[str]:
    """Return the match of a group of a pattern in each text (in Unicode form NFC); an empty text: no match."""
    matches = [pattern.search(composed(text)) for text in texts]
    return [(match[group] or "") if match else "" for match in matches]
