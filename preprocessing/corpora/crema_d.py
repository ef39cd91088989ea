"""CREMA-D, Crowd-sourced Emotional Multimodal Actors Dataset: 91 actors say twelve English sentences in six emotions.

Layout: ``AudioWAV/1001_DFA_ANG_XX.wav``: actor, sentence, emotion, intensity (LO, MD, HI; XX: not given). Next to AudioWAV/,
``VideoDemographics.csv`` has age and gender of the actors, and is needed only for these. The item is the actor. The label is
the emotion that was acted, with the same names as in the other corpora.
Source: ``git clone https://github.com/CheyneyComputerScience/CREMA-D`` (Cao and others, 2014), with git-lfs installed:
without it the files are small texts instead of audio. Licence: Open Database License.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from preprocessing.clips import listing
from preprocessing.corpora import _layout
from xval.base.csv_text import read_csv
from xval.base.errors import CorpusError

if TYPE_CHECKING:
    import pandas as pd

KNOWN_AS = ("CREMA-D",)
_EMOTIONS = {
    "ANG": "angry",
    "DIS": "disgust",
    "FEA": "fearful",
    "HAP": "happy",
    "NEU": "neutral",
    "SAD": "sad",
}
# One file of the distribution, 1040_ITH_SAD_X.wav, lacks an X.
_INTENSITIES = {"LO": "low", "MD": "medium", "HI": "high", "XX": "unspecified", "X": "unspecified"}
_PATTERN = re.compile(
    rf"(?:.*/)?(?P<actor>1\d{{3}})_(?P<sentence>[A-Z]{{3}})_(?P<emotion>{'|'.join(_EMOTIONS)})"
    rf"_(?P<intensity>{'|'.join(_INTENSITIES)})\.\w+"
)
_EXPECTED = "AudioWAV/1001_DFA_ANG_XX.wav"
_DEMOGRAPHICS = "VideoDemographics.csv"
NUMBERS = ("age",)


def list_clips(audio_folder: Path, *, label: str = "emotion", folds: Literal["gender", "none"] = "none") -> "pd.DataFrame":
    """List the recordings.

    Args:
        audio_folder: The folder that holds ``AudioWAV/``, or that folder itself.
        label: emotion, intensity, sentence, actor, gender, or age (a number, in years); several with commas are joined.
        folds: gender: the column fold, with two folds: one gender for the test, the other for training and validation, for
            fold_strategy = predefined; none: no such column.

    Returns:
        path, item (actor), label, fold if folds is gender, and sentence, intensity and all other facts that were read, sorted
        by path.
    """
    paths = _layout.prefer_folder(listing.list_audio(audio_folder, _EXPECTED), "AudioWAV")
    facts = _layout.read_names(audio_folder, _PATTERN, _EXPECTED, paths)
    facts["emotion"] = facts["emotion"].map(_EMOTIONS)
    facts["intensity"] = facts["intensity"].map(_INTENSITIES)
    if {"gender", "age"} & {folds, *_layout.split_names(label)}:
        facts = facts.join(_read_demographics(audio_folder, set(facts["actor"])), on="actor")
    return _layout.clip_table(facts, item="actor", label=label, numbers=NUMBERS, folds=folds)


def _read_demographics(audio_folder: Path, actors: set[str]) -> "pd.DataFrame":
    """Return gender and age (float64, years) of these actors, indexed by actor."""
    import pandas as pd

    path = _layout.find_file(audio_folder, _DEMOGRAPHICS, " or next to it. It has the gender and age of the actors.")
    try:
        table = read_csv(path, (), dtype=str, keep_default_na=True).set_index("ActorID")
        demographics = pd.DataFrame({"gender": table["Sex"].str.lower(), "age": table["Age"].astype("float64")})
    except (OSError, KeyError, ValueError) as error:
        raise CorpusError(
            f"{path}: cannot be read as the table of actors; expected the columns ActorID, Age and Sex ({error})."
        ) from error
    unknown = sorted(actors - set(demographics.index))
    if unknown:
        raise CorpusError(f"{path} lacks {len(unknown)} of {len(actors)} actors, such as {unknown[0]}.")
    return demographics
