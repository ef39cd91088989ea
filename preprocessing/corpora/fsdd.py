"""Free Spoken Digit Dataset: English digits, spoken by a few speakers.

Layout: ``{digit}_{speaker}_{index}.wav`` (8 kHz), in the folder itself or in ``recordings/`` below it. The item is the
speaker, the label the digit. For speaker identification the item is the take, that is, a speaker's recordings of one index.
Source: https://github.com/Jakobovski/free-spoken-digit-dataset (Jackson and others, 2016); version 1.0.10 has six speakers.
Licence: CC BY-SA 4.0.
"""

import re
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Literal

from preprocessing.clips.listing import list_audio
from preprocessing.corpora._download import Archive
from preprocessing.corpora._layout import clip_table, read_names
from xval.base.errors import SettingsError

if TYPE_CHECKING:
    import pandas as pd

KNOWN_AS = ("FSDD",)
# Checksum: also that of ``git archive --format=zip`` of this tag, in the time zone of the server (America/Los_Angeles).
DOWNLOADS = (
    Archive(
        url="https://github.com/Jakobovski/free-spoken-digit-dataset/archive/refs/tags/v1.0.10.zip",
        hash="sha256:c680098f5d2355ba7cc4bd8b0ca9e0a24c00ebe3b4c552208889a4d28d4fbc2b",
        file_name="free-spoken-digit-dataset-1.0.10.zip",
    ),
)

_PATTERN = re.compile(r"(?:.*/)?(?P<digit>\d)_(?P<speaker>[^/]+)_(?P<index>\d+)\.wav", re.IGNORECASE)
_EXPECTED = "{digit}_{speaker}_{index}.wav, such as 7_jackson_32.wav"


def list_clips(
    audio_folder: Path,
    *,
    item: Literal["speaker", "take"] = "speaker",
    label: Literal["digit", "speaker"] = "digit",
) -> "pd.DataFrame":
    """List the recordings.

    Args:
        audio_folder: The folder of the recordings, or the one that holds ``recordings/``.
        item: speaker: folds over speakers; take: folds over takes, with the same speakers in training and test.
        label: The target: digit, or speaker, for which the item is the take.

    Returns:
        path, item, label, index, and those of digit and speaker that are neither item nor label, sorted by path.
    """
    if item == label:
        raise SettingsError(
            "--item speaker --label speaker: no fold would test a speaker that it was trained on. Give --item take."
        )
    paths = list_audio(audio_folder, f"files named {_EXPECTED}", suffixes=(".wav",))
    recordings = [path for path in paths if PurePosixPath(path).parent.name == "recordings"]
    facts = read_names(audio_folder, _PATTERN, _EXPECTED, recordings or [path for path in paths if "/" not in path])
    if item == "take":
        facts["take"] = facts["speaker"] + "/" + facts["index"]
    return clip_table(facts, item=item, label=label)
