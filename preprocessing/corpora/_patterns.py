"""Regular expressions of the user, searched in names: a pattern that tries without end is stopped, and named.

Comes in: the option and its pattern, and texts. Goes out: what the pattern finds in each of them.

Source: patterns such as ``(a+)+b`` take a time that doubles with each letter, CWE-1333.
"""

import json
import re
import subprocess
import sys
from collections.abc import Sequence

from preprocessing.clips.notation import composed
from xval.base.errors import SettingsError

LONGEST_S = 30.0
"""For all names: 100,000 of them take a second."""

# In a process of its own: nothing in this one stops a search.
_SEARCH = """
import json, re, sys
pattern, group, texts = json.load(sys.stdin)
search = re.compile(pattern).search
for text in texts:
    match = search(text)
    print(json.dumps(match and match[group]), flush=True)
"""


def compile_pattern(option: str, pattern: str) -> re.Pattern[str]:
    """Return a pattern, ready to be searched.

    Raises:
        SettingsError: It is no regular expression.
    """
    try:
        return re.compile(composed(pattern))
    except (re.error, OverflowError, RecursionError, MemoryError) as error:
        raise SettingsError(f"{option} {pattern:.200}: not a regular expression ({error or type(error).__name__}).") from error


def find_in_each(option: str, pattern: re.Pattern[str], group: str | int, texts: Sequence[str]) -> list[str]:
    """Return what a group of a pattern finds in each text; empty where it finds nothing. Letters are composed (NFC) in both.

    Raises:
        SettingsError: It takes longer than `LONGEST_S`, or more memory than there is.
    """
    command = [sys.executable, "-I", "-S", "-c", _SEARCH]
    given = json.dumps([pattern.pattern, group, list(map(composed, texts))])
    try:
        ended = subprocess.run(command, input=given.encode(), capture_output=True, timeout=LONGEST_S, check=True)
    except subprocess.TimeoutExpired as error:
        text = texts[min((error.stdout or b"").count(b"\n"), len(texts) - 1)]
        raise SettingsError(
            f"{option} {pattern.pattern:.200}: the search took more than {LONGEST_S:.0f} s, at '{text}'. A repetition inside "
            "a repetition, as in (a+)+, tries all ways to divide a name. Use a single one."
        ) from error
    except subprocess.CalledProcessError as error:
        last = error.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise SettingsError(f"{option} {pattern.pattern:.200}: the search failed ({last or error.returncode}).") from error
    return [json.loads(line) or "" for line in ended.stdout.splitlines()]
