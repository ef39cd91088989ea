"""Rules about files that cannot be read, contain no sound, or contain more than their header says."""

import pandas as pd

from preprocessing.audio.read import SILENCE_PEAK_DBFS
from preprocessing.quality.facts import DOES_NOT_DECODE, DOES_NOT_OPEN, EMPTY, MISSING, NOT_FETCHED, NOT_FINITE, OUTSIDE
from preprocessing.quality.rules import Criteria, Fault, Find, Reasons, clips_where

_UNREADABLE = {
    MISSING: (
        "The dataset lists a file that does not exist.",
        "Fetch the dataset again, or correct the path in its list.",
    ),
    EMPTY: (
        "The file has 0 bytes, or a header and no samples.",
        "Fetch the file again; its download or recording was cut short.",
    ),
    NOT_FETCHED: (
        "Instead of audio, the file is a pointer of Git LFS or git-annex, a web page, a server's message, or an archive.",
        "Pointers: git lfs pull (git annex get .) in the folder fetches the audio. Others: fetch the file again.",
    ),
    DOES_NOT_OPEN: (
        "The file has no audio header, an impossible sample rate, or fewer samples than its header states.",
        "Fetch the file again, or convert it to wav with the program that wrote it.",
    ),
    OUTSIDE: (
        "The annotated segment is not inside its file.",
        "Check the unit of the annotation (seconds, samples) and that it belongs to this file.",
    ),
    DOES_NOT_DECODE: (
        "The header can be read, but the audio cannot, or only in part.",
        "Fetch the file again; it is damaged or cut short.",
    ),
    NOT_FINITE: (
        "Some samples are NaN or infinite.",
        "Export the file again; a program that processed it probably divided by zero.",
    ),
}
"""For each value of the column ``broken``: what it means, and what to do."""


def broken_clips(kind: str) -> Find:
    """Return a function of a rule that finds the clips whose column ``broken`` has this value."""

    def find(facts: pd.DataFrame, _: Criteria) -> Reasons:
        reasons = facts.loc[facts["broken"] == kind, "reason"]
        return dict(zip(map(int, reasons.index), map(str, reasons), strict=True))

    return find


def files_with(column: str) -> Find:
    """Return a function of a rule that finds the clips with a text in a column, such as ``longer``."""

    def find(facts: pd.DataFrame, _: Criteria) -> Reasons:
        texts = facts.loc[facts["broken"].isna(), column].dropna()
        return dict(zip(map(int, texts.index), texts, strict=True))

    return find


UNREADABLE = tuple(
    Fault(10, kind, "left out", meaning, advice)(broken_clips(kind)) for kind, (meaning, advice) in _UNREADABLE.items()
)


FAULTS = (
    Fault(
        11,
        "silent",
        "left out",
        f"No sample reaches {SILENCE_PEAK_DBFS:g} dBFS.",
        "Check the recording; it is excluded from training and test.",
    )(clips_where("peak_dbfs", lambda peaks, _: peaks < SILENCE_PEAK_DBFS, "peak {:.1f} dBFS")),
    Fault(
        12,
        "longer than its header",
        "doubtful",
        "The file is longer than its header states, as after joining files or a power loss of the recorder.",
        "All of it is read. Check that it belongs to one recording; other programs may stop at the header.",
        shows_first=True,
    )(files_with("longer")),
    Fault(
        13,
        "several sound tracks",
        "doubtful",
        "The file has several sound tracks, for example one per microphone. Only the first is read.",
        "If the others are wanted, write them to separate files and list these.",
        shows_first=True,
    )(files_with("tracks")),
)
