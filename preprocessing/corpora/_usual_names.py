"""Names that columns of tables often have: which of the columns that xval knows one of another name likely is."""

import re

from preprocessing.clips.notation import composed

_SIDES = {
    **dict.fromkeys(("start", "onset", "begin"), "start_s"),
    **dict.fromkeys(("end", "offset", "stop"), "end_s"),
}
_PHASES = ("split", "subset", "partition", "set")
_SECONDS = re.compile(r"[_(]+(s|sec|secs|seconds?)\)?$")


def lower_name(column: str) -> str:
    """Return the name of a column without capitals and blanks: ``File name`` is file_name."""
    return composed(column).strip().lower().replace(" ", "_")


def usual_name(column: str) -> str:
    """Return ``start_s`` of Onset or ``Begin Time (s)``, ``end_s`` of their like, ``phase`` of split; empty: of others."""
    plain = _SECONDS.sub("", lower_name(column))
    words = set(plain.split("_")) - {"t", "time", ""}
    return "phase" if plain in _PHASES else _SIDES.get(words.pop(), "") if len(words) == 1 else ""
