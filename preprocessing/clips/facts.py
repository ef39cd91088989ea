"""Measure the facts about every clip that an index stores: length, sample rate, level and a hash of the audio.

For a clip that cannot be used the reason is stored instead.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from preprocessing.clips.columns import LEVEL
from xval.base.errors import AudioError

if TYPE_CHECKING:
    import pandas as pd

    from preprocessing.parallel import Progress


_FACTS = ("duration_s", "sample_rate_hz", "audio_hash", LEVEL, "n_channels", "peak", "kept_in_mean", "shares_above", "n_tracks")

MOST_RATE_RATIO = 100
"""Largest ratio between the sample rate of a file and the median of its corpus, either way; 8 kHz and 500 kHz are within it."""


class FileSegment(NamedTuple):
    """A file, or a segment of it, that is decoded as one clip.

    Attributes:
        path: Path of the file.
        start_s: Start of the segment (seconds); None: the start of the file.
        end_s: End of the segment (seconds); None: the end of the file.
    """

    path: Path
    start_s: float | None
    end_s: float | None


def list_segments(clips: "pd.DataFrame", audio_folder: Path) -> list[FileSegment]:
    """Return the segment of a file that each clip is, from its path, start_s and end_s."""
    import pandas as pd

    return [
        FileSegment(audio_folder / path, None if pd.isna(start_s) else start_s, None if pd.isna(end_s) else end_s)
        for path, start_s, end_s in zip(clips["path"], clips["start_s"], clips["end_s"], strict=True)
    ]


def describe_clips(
    clips: "pd.DataFrame", audio_folder: Path, *, n_processes: int = 1, progress: "Progress | None" = None
) -> "pd.DataFrame":
    """Decode every clip once and return the facts about it.

    Args:
        clips: One row per clip, as `clips.table.check_clips` returns it: path, start_s and end_s are used.
        audio_folder: The folder to which paths are relative.
        n_processes: Number of processes that decode.
        progress: Called with the number of clips that have been read.

    Returns:
        The clips with a column for each fact of `preprocessing.audio.read.AudioFacts`, and the column reason: null if the clip
        can be used, else why not. A clip whose sample rate is implausible (`implausible_rates`) cannot be used.
    """
    import pandas as pd

    from preprocessing.parallel import map_in_processes

    segments = list_segments(clips, Path(audio_folder))
    described = map_in_processes(_describe, segments, n_processes=n_processes, progress=progress, is_first_reading=True)
    outcomes = list(described)
    facts = pd.DataFrame(outcomes, columns=[*_FACTS, "reason"]).astype({"reason": object})
    for row, reason in implausible_rates(facts["sample_rate_hz"].where(facts["reason"].isna())).items():
        facts.loc[row, "reason"] = reason
    return pd.concat([clips, facts], axis=1)


def implausible_rates(rates_hz: "pd.Series") -> "dict[Any, str]":
    """Return the rows whose sample rate differs from the median by more than `MOST_RATE_RATIO`, with the reason for each.

    A damaged header with a rate of 1 Hz turns a clip of a second into one of hours, to whose length all others would be padded.

    Args:
        rates_hz: Sample rate of every clip (Hz); NaN: not known.
    """
    rates = rates_hz.dropna().astype("float64")
    usual = rates.median()
    odd = rates[(rates * MOST_RATE_RATIO < usual) | (rates > usual * MOST_RATE_RATIO)]
    return {
        row: f"its header is probably damaged: it says {rate:.0f} Hz, but most clips have about {usual:.0f} Hz. If it is "
        "right, convert the file, or prepare the dataset without it."
        for row, rate in odd.items()
    }


def _describe(segment: FileSegment) -> dict[str, object]:
    """Read one clip; return its facts, or the reason why it cannot be used."""
    from preprocessing.audio.read import describe_audio

    try:
        facts = describe_audio(*segment)
    except AudioError as error:
        return {"reason": str(error).removeprefix(f"{segment.path}: ")}
    return {name: getattr(facts, name) for name in _FACTS}
