"""The facts about every clip that an index keeps: its length, its rate and a hash of its audio.

Comes in: a checked list of clips and the folder of their audio. Goes out: the list with these facts, or with the reason why a
clip cannot be used.
"""

from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from xval.errors import AudioError

if TYPE_CHECKING:
    import pandas as pd

    from preprocessing.parallel import Progress

_Stretch: TypeAlias = tuple[Path, float | None, float | None]


def describe_clips(
    clips: "pd.DataFrame", audio_folder: Path, *, n_processes: int = 1, progress: "Progress | None" = None
) -> "pd.DataFrame":
    """Decode every clip once.

    Args:
        clips: One row per clip, as `clips.table.check_clips` returns it: path, start_s and end_s are used.
        audio_folder: What the paths are relative to.
        n_processes: Processes that decode.
        progress: Told how many clips are read.

    Returns:
        The clips with duration_s, sample_rate_hz and audio_hash, and reason: null where the clip can be used.

    Raises:
        WorkerError: A process died.
    """
    import pandas as pd

    from preprocessing.parallel import map_in_processes

    stretches: list[_Stretch] = [
        (Path(audio_folder) / path, None if pd.isna(start_s) else start_s, None if pd.isna(end_s) else end_s)
        for path, start_s, end_s in zip(clips["path"], clips["start_s"], clips["end_s"], strict=True)
    ]
    outcomes = list(map_in_processes(_describe, stretches, n_processes=n_processes, progress=progress))
    facts = pd.DataFrame(outcomes, columns=["duration_s", "sample_rate_hz", "audio_hash", "reason"])
    return pd.concat([clips, facts], axis=1)


def _describe(stretch: _Stretch) -> dict[str, object]:
    """Read one clip; return its facts, or the reason why it cannot be used."""
    from preprocessing.audio.read import describe_audio

    try:
        facts = describe_audio(*stretch)
    except AudioError as error:
        return {"reason": str(error).removeprefix(f"{stretch[0]}: ")}
    return {"duration_s": facts.duration_s, "sample_rate_hz": facts.sample_rate_hz, "audio_hash": facts.audio_hash}
