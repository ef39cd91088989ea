"""Cut clips to their speech: from the first to the last word or phoneme in a table, with or without longer pauses."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from preprocessing.corpora._annotation_tables import Recordings, has_no_event, read_header_line, read_segments
from preprocessing.corpora._reading import Reading
from xval.base.errors import CorpusError, counted, first_of, verb_of

if TYPE_CHECKING:
    import pandas as pd

SILENCE = ("", "sil", "silence", "sp", "pau", "epi", "h#", "<eps>", "<sil>", "<p>", "<p:>")
"""Labels of pauses in the tables of TIMIT, HTK, Kaldi, Praat, MAUS and the Montreal Forced Aligner, in lower case."""


def cut_to_speech(
    clips: "pd.DataFrame", audio_folder: Path, table: Path, called: Mapping[str, str] | None = None
) -> "pd.DataFrame":
    """Cut every clip so that it begins with its first word and ends with its last one; pauses between words stay.

    Args:
        clips: The table that `list_clips` of a corpus returns. A clip that is a segment of a file is cut to the words in that
            segment.
        audio_folder: The folder to which their paths are relative.
        table: A table with a line per word or phoneme: path (with or without ending), start_s and end_s (seconds in the file)
            or ``Start sample`` and ``End sample``; and perhaps label: lines with a label of `SILENCE` are no words.
        called: Another path of each file, which the table may use; None: all files in the folder, by their own paths.

    Returns:
        The clips with start_s and end_s. Clips without a word stay as they are, and ``attrs["note"]`` says how many these are.

    Raises:
        CorpusError: The table cannot be read, or no clip has a word.
    """
    words = read_words(audio_folder, table, called)
    cut = clips.copy()
    segments, without = [], []
    for path, start_s, end_s in zip(clips["path"], _times(clips, "start_s"), _times(clips, "end_s"), strict=True):
        first_s, last_s = (0.0 if math.isnan(start_s) else start_s), (math.inf if math.isnan(end_s) else end_s)
        inside = [(start, end) for start, end in words.get(Path(path).as_posix(), []) if end > first_s and start < last_s]
        if inside:
            starts, ends = zip(*inside, strict=True)
            segments.append((max(first_s, min(starts)), min(last_s, max(ends))))
        else:
            segments.append((start_s, end_s))
            without.append(str(path))
    if len(without) == len(clips):
        raise CorpusError(
            f"{table}: none of the {counted(len(clips), 'clip')} ({first_of(without, 1)}) has a word in it. Check that it is "
            "the table of this dataset."
        )
    cut["start_s"], cut["end_s"] = zip(*segments, strict=True)
    if without:
        note = (
            f"{len(without)} of {len(clips)} clips {verb_of(len(without), 'have')} no word in {table.name} and "
            f"{verb_of(len(without))} not trimmed: {first_of(without, 1)}"
        )
        cut.attrs["note"] = "; ".join(filter(None, [clips.attrs.get("note"), note]))
    return cut


def read_words(
    audio_folder: Path, table: Path, called: Mapping[str, str] | None = None
) -> dict[str, list[tuple[float, float]]]:
    """Return start and end (s) of every word in a table, by the path of its file (posix, relative to the folder).

    Args:
        audio_folder: The folder to which paths are relative.
        table: The table, as for `cut_to_speech`.
        called: Another path of each file, which the table may use; None: all files in the folder, by their own paths.
    """
    every_text = Reading(missing=())  # because the text of a word may be "None" or "nan"
    columns, _ = read_header_line(table, reading=every_text)
    labels = [name for name in columns if name == "label"]
    words: dict[str, list[tuple[float, float]]] = {}
    # labels=(), because the label of silence may be empty, for which read_segments would raise an error.
    for row in read_segments(
        table, Recordings(audio_folder, called=called), item="recording", labels=(), alike=labels, reading=every_text
    ):
        if not has_no_event(row) and not (labels and str(row["label"]).lower() in SILENCE):
            words.setdefault(str(row["path"]), []).append((float(row["start_s"]), float(row["end_s"])))
    return words


def without_pauses(words: Sequence[tuple[float, float]], longest_pause_s: float) -> list[tuple[float, float]]:
    """Return the segments of a file that stay if longer pauses are shortened: start and end (s) of each, in their order.

    Args:
        words: Start and end of each word (s); they may overlap.
        longest_pause_s: How much of a longer pause stays (s): half of it after a word, and half before the next word.
    """
    kept: list[tuple[float, float]] = []
    for start_s, end_s in sorted(words):
        if kept and start_s - kept[-1][1] <= longest_pause_s:
            kept[-1] = kept[-1][0], max(kept[-1][1], end_s)
        else:
            kept.append((start_s, end_s))
    half_s = longest_pause_s / 2
    return [
        (start_s - half_s * (number > 0), end_s + half_s * (number < len(kept) - 1))
        for number, (start_s, end_s) in enumerate(kept)
    ]


def _times(clips: "pd.DataFrame", column: str) -> list[float]:
    """Return a column of times (s); NaN for missing ones, and if there is no such column."""
    return [float("nan" if time is None else time) for time in clips[column]] if column in clips else [math.nan] * len(clips)
