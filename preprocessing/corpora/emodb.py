"""EmoDB, the Berlin Database of Emotional Speech: ten actors say ten German sentences in seven emotions.

Layout: ``wav/03a01Fa.wav``: speaker 03, sentence a01, emotion F (Freude), version a. Other folders next to wav/, such as the
laryngograms of version 2, are skipped. The item is the speaker. The label is the emotion, with the same names as in the other
corpora.
Source: https://zenodo.org/records/7447302 (Burkhardt and others, 2005). Licence: CC BY 4.0 by that record, CC0 1.0 by the
table in the archive.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from preprocessing.clips import listing
from preprocessing.corpora import _layout
from preprocessing.corpora._download import Archive

if TYPE_CHECKING:
    import pandas as pd

KNOWN_AS = ("EmoDB",)
# Version 1.3.0; checksum: that of the Zenodo record.
DOWNLOADS = (Archive("https://zenodo.org/records/7447302/files/emodb.zip", "md5:9d21362dbc5676ef3ab4745d83ced0db"),)

_SPEAKERS = {
    "03": ("male", 31),
    "08": ("female", 34),
    "09": ("female", 21),
    "10": ("male", 32),
    "11": ("male", 26),
    "12": ("male", 30),
    "13": ("female", 32),
    "14": ("female", 35),
    "15": ("male", 25),
    "16": ("female", 31),
}
"""Gender and age in years, as the source lists them."""

# German initials: Wut, Langeweile, Ekel, Angst, Freude, Trauer, neutral.
_EMOTIONS = {
    "W": "angry",
    "L": "bored",
    "E": "disgust",
    "A": "fearful",
    "F": "happy",
    "T": "sad",
    "N": "neutral",
}
_PATTERN = re.compile(
    rf"(?:.*/)?(?P<speaker>{'|'.join(_SPEAKERS)})(?P<sentence>[ab]\d\d)(?P<emotion>[{''.join(_EMOTIONS)}])(?P<version>[a-z]?)\.\w+"
)
_EXPECTED = "wav/03a01Fa.wav"
NUMBERS = ("age",)


def list_clips(audio_folder: Path, *, label: str = "emotion", folds: Literal["gender", "none"] = "none") -> "pd.DataFrame":
    """List the recordings.

    Args:
        audio_folder: The folder that holds ``wav/``, or that folder itself.
        label: emotion, sentence, gender, speaker, or age (a number, in years); several with commas are joined.
        folds: gender: the column fold, with two folds: one gender for the test, the other for training and validation, for
            fold_strategy = predefined; none: no such column.

    Returns:
        path, item (speaker), label, fold if folds is gender, and those of sentence, emotion, version, gender and age that are
        not the label, sorted by path.
    """
    paths = _layout.prefer_folder(listing.list_audio(audio_folder, _EXPECTED), "wav")
    facts = _layout.read_names(audio_folder, _PATTERN, _EXPECTED, paths)
    facts["emotion"] = facts["emotion"].map(_EMOTIONS)
    facts["gender"] = [_SPEAKERS[speaker][0] for speaker in facts["speaker"]]
    facts["age"] = [float(_SPEAKERS[speaker][1]) for speaker in facts["speaker"]]
    return _layout.clip_table(facts, item="speaker", label=label, numbers=NUMBERS, folds=folds)
