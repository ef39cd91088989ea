"""RAVDESS, emotional speech and song: 24 actors say and sing two English sentences.

Layout: ``Actor_16/03-01-05-02-01-02-16.wav``: modality, vocal channel (01 speech, 02 song), emotion, intensity, statement,
repetition, actor (odd: male, even: female). The item is the actor, the label the emotion. Only audio (modality 03) is read,
not the video files 01 and 02. A well-known copy (Kaggle) has each file twice, in Actor_16/ and again in
audio_speech_actors_01-24/Actor_16/. Each file name is used once.
Source: https://zenodo.org/records/1188976 (Livingstone and Russo, 2018). Licence: CC BY-NC-SA 4.0.
"""

import re
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Literal

from preprocessing.clips.listing import list_audio
from preprocessing.corpora._download import Archive
from preprocessing.corpora._layout import clip_table, read_names
from xval.base.errors import CorpusError, counted, verb_of

if TYPE_CHECKING:
    import pandas as pd

KNOWN_AS = ("RAVDESS",)
# Checksums: those of the Zenodo record.
DOWNLOADS = (
    Archive("https://zenodo.org/records/1188976/files/Audio_Speech_Actors_01-24.zip", "md5:bc696df654c87fed845eb13823edef8a"),
    Archive("https://zenodo.org/records/1188976/files/Audio_Song_Actors_01-24.zip", "md5:5411230427d67a21e18aa4d466e6d1b9"),
)

_PATTERN = re.compile(
    r"(?:.*/)?(?P<modality>0[1-3])-(?P<vocal_channel>0[12])-(?P<emotion>0[1-8])-(?P<intensity>0[12])"
    r"-(?P<statement>0[12])-(?P<repetition>0[12])-(?P<actor>\d\d)\.\w+"
)
_EXPECTED = "Actor_16/03-01-05-02-01-02-16.wav"
_AUDIO_ONLY = "03"
_FIVE_FOLDS = ((2, 5, 14, 15, 16), (3, 6, 7, 13, 18), (10, 11, 12, 19, 20), (8, 17, 21, 23, 24), (1, 4, 9, 22))
_FOLD_OF_ACTOR = {actor: number for number, actors in enumerate(_FIVE_FOLDS, start=1) for actor in actors}
_NAMES = {
    "vocal_channel": ("speech", "song"),
    "emotion": ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised"),
    "intensity": ("normal", "strong"),
    "statement": ("kids", "dogs"),
    "repetition": ("first", "second"),
}


def list_clips(
    audio_folder: Path,
    *,
    label: str = "emotion",
    folds: Literal["five", "gender", "none"] = "none",
    vocal_channel: Literal["speech", "song", "both"] = "speech",
) -> "pd.DataFrame":
    """List the recordings.

    Args:
        audio_folder: The folder that holds Actor_01 to Actor_24.
        label: emotion, intensity, statement (kids or dogs are talking by the door), gender, actor, repetition, vocal_channel;
            several with commas are joined.
        folds: five: the column fold with the five folds of arXiv 2606.03359 and other papers; gender: two folds, one gender
            for the test and the other for training and validation; both for fold_strategy = predefined; none: no such column.
        vocal_channel: Recordings to use: speech, song or both. Song has six emotions, and none of actor 18.

    Returns:
        path, item (actor), label, fold unless folds is none, and those of vocal_channel, emotion, intensity, statement,
        repetition and gender that are not the label, sorted by path. ``attrs["note"]`` says how many files are excluded.
    """
    # Sorted, so that of two copies Actor_16/ comes before audio_speech_actors_01-24/.
    first_of_name = {PurePosixPath(path).name: path for path in reversed(list_audio(audio_folder, _EXPECTED))}
    facts = read_names(audio_folder, _PATTERN, _EXPECTED, sorted(first_of_name.values()))
    is_audio = facts["modality"] == _AUDIO_ONLY
    if not is_audio.any():
        raise CorpusError(
            f"{audio_folder} has only video ({counted(len(facts), 'file')} of modality 01 or 02, such as {facts['path'][0]}). "
            f"Expected the audio-only files, such as {_EXPECTED}: Audio_Speech_Actors_01-24.zip of the same source, or "
            "--download."
        )
    facts = facts[is_audio].drop(columns="modality")
    for fact, names in _NAMES.items():
        facts[fact] = [names[int(code) - 1] for code in facts[fact]]
    facts["gender"] = ["male" if int(actor) % 2 else "female" for actor in facts["actor"]]
    if vocal_channel != "both":
        facts = facts[facts["vocal_channel"] == vocal_channel]
    if facts.empty:
        raise CorpusError(f"{audio_folder} has no {vocal_channel}. Choose another --vocal-channel, or download its files.")
    n_video = int((~is_audio).sum())
    counts = {"video": n_video, "song" if vocal_channel == "speech" else "speech": len(is_audio) - n_video - len(facts)}
    if folds == "five":
        facts["fold"] = [_FOLD_OF_ACTOR[int(actor)] for actor in facts["actor"]]
    clips = clip_table(facts, item="actor", label=label, folds=folds)
    left_out = ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)
    clips.attrs["note"] = (
        f"{sum(counts.values())} of {len(is_audio)} files {verb_of(sum(counts.values()))} skipped: {left_out}"
        if left_out
        else ""
    )
    return clips
