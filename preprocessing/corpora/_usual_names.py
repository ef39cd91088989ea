"""Names that columns of tables often have: which of the columns that xval knows one of another name likely is."""

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
    """Return the name of a column without capitals and blanks: ``File name`` is file_name."""
    return composed(column).strip().lower().replace(" ", "_")


def usual_name(column: str) -> str:
    """Return ``start_s`` of Onset or ``Begin Time (s)``, ``end_s`` of their like, ``phase`` of split; empty: of others."""
    plain = _SECONDS.sub("", lower_name(column))
    words = set(plain.split("_")) - {"t", "time", ""}
    return "phase" if plain in _PHASES else _SIDES.get(words.pop(), "") if len(words) == 1 else ""


def similar_name(column: str, columns: Iterable[str]) -> str:
    """Return what `usual_name` does, also in other units; ``end_s`` of a duration next to a column of begins; or nothing."""
    plain = _OTHER_UNITS.sub("", lower_name(column))
    if _SECONDS.sub("", plain) in _LENGTHS:
        return "end_s" if "start_s" in map(usual_name, columns) else ""
    return usual_name(plain)
