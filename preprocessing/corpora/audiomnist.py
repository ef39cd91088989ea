"""AudioMNIST: 60 speakers say every English digit 50 times, with published folds over speakers.

Layout: ``data/01/7_01_32.wav``: digit, speaker, repetition. ``data/audioMNIST_meta.txt`` (JSON) has gender, age and accent of
the speakers, and is needed only for these. The item is the speaker, the label the digit. Five folds are published for digits,
and four for gender, over 24 speakers, as many women as men. Here they are the column fold, for ``fold_strategy =
predefined``. With ``validation = next_fold`` training, validation and test speakers are exactly the published ones.
Source: ``git clone https://github.com/soerenab/AudioMNIST`` (Becker and others, 2018). Licence: MIT.
"""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from preprocessing.corpora import _layout
from xval.base.errors import CorpusError, verb_of
from xval.base.operating_system import read_regular

if TYPE_CHECKING:
    import pandas as pd

KNOWN_AS = ("AudioMNIST",)
# The test speakers of each fold, in the reverse of the published order: there a fold validates on the one before it.
_FOLDS = {
    "digit": (
        (4, 11, 12, 15, 21, 27, 31, 41, 44, 47, 50, 59),
        (3, 10, 14, 20, 25, 30, 38, 40, 43, 49, 55, 58),
        (2, 8, 9, 17, 24, 29, 36, 37, 39, 48, 54, 57),
        (1, 6, 7, 16, 19, 23, 28, 34, 35, 46, 53, 56),
        (5, 13, 18, 22, 26, 32, 33, 42, 45, 51, 52, 60),
    ),
    "gender": (
        (28, 41, 43, 48, 52, 53),
        (12, 25, 26, 37, 45, 57),
        (2, 36, 44, 47, 50, 56),
        (7, 23, 38, 58, 59, 60),
    ),
}
_PATTERN = re.compile(r"(?:.*/)?(?P<speaker>\d\d)/(?P<digit>\d)_(?P=speaker)_(?P<repetition>\d+)\.\w+")
_EXPECTED = "data/01/7_01_32.wav"
_META = "audioMNIST_meta.txt"
_FROM_META = ("gender", "age", "accent", "native_speaker")
NUMBERS = ("age",)
_OLDEST = 120  # Speaker 45 is 1234 years old there.


def list_clips(
    audio_folder: Path,
    *,
    label: str = "digit",
    folds: Literal["digit", "gender", "none"] = "digit",
) -> "pd.DataFrame":
    """List the recordings.

    Args:
        audio_folder: The folder that holds ``data/``, or that folder itself.
        label: digit, speaker, gender, accent, native_speaker (yes, no), or age (a number, in years; speaker 45, whose age
            is a joke, is then excluded); several with commas are joined.
        folds: Published folds for the column fold: digit (5), gender (4; the other 36 speakers are excluded) or none.

    Returns:
        path, item (speaker), label, fold unless folds is none, repetition and all other facts that were read, sorted by path.
        Its ``attrs["note"]`` says how many speakers are excluded.
    """
    facts = _layout.read_names(audio_folder, _PATTERN, _EXPECTED)
    there = sorted(set(facts["speaker"]))
    if folds != "none":
        numbers = {f"{speaker:02}": fold for fold, group in enumerate(_FOLDS[folds], start=1) for speaker in group}
        facts = facts[facts["speaker"].isin(numbers.keys())]
        facts = facts.assign(fold=facts["speaker"].map(numbers).astype(int))
        if facts.empty:
            raise CorpusError(f"--folds {folds}: none of its speakers is in {audio_folder}. Found: {', '.join(there)}.")
    asked = set(_layout.split_names(label))
    if asked.intersection(_FROM_META):
        speakers = _read_meta(audio_folder, set(facts["speaker"]))
        for name in _FROM_META:
            facts[name] = [speakers[speaker][name] for speaker in facts["speaker"]]
    if "age" in asked:
        facts = facts[facts["age"] <= _OLDEST]
    clips = _layout.clip_table(facts, item="speaker", label=label, numbers=NUMBERS)
    left_out = sorted(set(there) - set(clips["item"]))
    if left_out:
        why = f"--folds {folds} --label {label}"
        clips.attrs["note"] = (
            f"{len(left_out)} of {len(there)} speakers {verb_of(len(left_out))} skipped ({why}): {', '.join(left_out)}."
        )
    return clips


def _read_meta(audio_folder: Path, wanted: set[str]) -> dict[str, dict[str, Any]]:
    path = _layout.find_file(audio_folder, _META, f", in data/ or next to it. It has {', '.join(_FROM_META)}.")
    try:
        speakers = json.loads(read_regular(path))
        return {
            speaker: {
                "gender": speakers[speaker]["gender"],
                "age": float(speakers[speaker]["age"]),
                # One speaker's accent is written "german".
                "accent": speakers[speaker]["accent"][:1].upper() + speakers[speaker]["accent"][1:],
                "native_speaker": speakers[speaker]["native speaker"],
            }
            for speaker in sorted(wanted)
        }
    except KeyError as error:
        raise CorpusError(f"{path} lacks {error} of a speaker in this folder.") from error
    except (ValueError, TypeError) as error:
        raise CorpusError(f"{path} is not the JSON file of the corpus: {error}.") from error
