"""Recognise columns of tables by names that are often used for them, such as onset for start_s."""

import re
from collections.abc import Iterable

from preprocessing.clips.notation import composed

_SIDES = {
    **dict.fromkeys(("start", "onset", "begin", "xmin", "tmin"), "start_s"),
    **dict.fromkeys(("end", "offset", "stop", "xmax", "tmax"), "end_s"),
}
_PHASES = ("split", "subset", "partition", "set")
_LENGTHS = ("duration", "dur", "length")
_SECONDS = re.compile(r"[_(]+(s|sec|secs|seconds?)\)?$")
_OTHER_UNITS = re.compile(r"[_(]+(ms|msec|samples?|frames?|min)\)?$")


def lower_name(column: str) -> str:
    """Return the name of a column in lower case with ``_`` instead of blanks: file_name for ``File name``."""
    return composed(column).strip().lower().replace(" ", "_")


def usual_name(column: str) -> str:
    """Return xval's name for a column: start_s for ``Begin Time (s)``, end_s for Offset, phase for split; else empty."""
    plain = _SECONDS.sub("", lower_name(column))
    words = set(plain.split("_")) - {"t", "time", ""}
    return "phase" if plain in _PHASES else _SIDES.get(words.pop(), "") if len(words) == 1 else ""


def similar_name(column: str, columns: Iterable[str]) -> str:
    """Return xval's name for a column, also with other units, and end_s for a duration if there is a start; else empty."""
    plain = _OTHER_UNITS.sub("", lower_name(column))
    if _SECONDS.sub("", plain) in _LENGTHS:
        return "end_s" if "start_s" in map(usual_name, columns) else ""
    return usual_name(plain)
