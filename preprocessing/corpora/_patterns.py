"""Regular expressions of the user, searched in names."""

import re
from collections.abc import Sequence

from preprocessing.clips.notation import composed
from xval.base.errors import SettingsError


def compile_pattern(option: str, pattern: str) -> re.Pattern[str]:
    """Return a pattern, ready to be searched.

    Raises:
        SettingsError: It is no regular expression.
    """
    try:
        return re.compile(composed(pattern))
    except (re.error, OverflowError, RecursionError) as error:
        raise SettingsError(f"{option} {pattern:.200}: not a regular expression ({error or type(error).__name__}).") from error


def find_in_each(pattern: re.Pattern[str], group: str | int, texts: Sequence[str]) -> list[str]:
    """Return what a group of a pattern finds in each text; empty where it finds nothing. Letters are composed (NFC) in both."""
    matches = [pattern.search(composed(text)) for text in texts]
    return [(match[group] or "") if match else "" for match in matches]
