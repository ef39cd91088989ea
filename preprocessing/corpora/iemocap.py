"""IEMOCAP: ten actors in five sessions of two, scripted and improvised dialogs in English, 12 hours.

Layout: ``Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_M000.wav``, spoken by the man of session 1 (speaker Ses01M) in
turn 000 of an improvised dialog (a scripted one: ``script01_1``), in which the motion of the woman (F) was captured. Its
labels are in ``Session1/dialog/EmoEvaluation/Ses01F_impro01.txt``. The item is the speaker. Partners talk with each other, so
``--item session`` is stricter. The label is the emotion, with the same names as in the other corpora.
Utterances without an agreed emotion (xxx), or with one that is not among the classes, are excluded, but not for valence,
arousal and dominance. Four classes have 5,531 of the 10,039 utterances.
Source: https://sail.usc.edu/iemocap/ (Busso and others, 2008), on request. Licence: for research, by agreement.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from preprocessing.clips import listing
from preprocessing.corpora import _layout
from xval.base.errors import CorpusError, verb_of
from xval.base.operating_system import read_regular

if TYPE_CHECKING:
    import pandas as pd

KNOWN_AS = ("IEMOCAP",)
_EMOTIONS = {
    "neu": "neutral",
    "hap": "happy",
    "exc": "excited",
    "sad": "sad",
    "ang": "angry",
    "fea": "fearful",
    "dis": "disgust",
    "sur": "surprised",
    "fru": "frustrated",
}
_FOUR = {"neu": "neutral", "hap": "happy", "exc": "happy", "sad": "sad", "ang": "angry"}
_CLASSES = {"four": _FOUR, "all": _EMOTIONS}
_SCENARIOS = {"impro": "improvised", "script": "scripted"}
NUMBERS = ("valence", "arousal", "dominance")
_PATTERN = re.compile(
    r"(?P<release>(?:.*/)?)Session(?P<session>[1-5])/sentences/wav/"
    r"(?P<dialog>Ses\d\d(?P<motion_capture>[FM])_(?P<script>\w+))/"
    r"(?P<utterance>(?P=dialog)_(?P<gender>[FM])(?P<turn>\w*))\.\w+"
)
_EXPECTED = "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav"
_EVALUATION = re.compile(
    r"^\[[\d.]+ - [\d.]+\]\t(?P<utterance>\w+)\t(?P<emotion>\w+)\t"
    r"\[(?P<valence>[\d.]+), (?P<arousal>[\d.]+), (?P<dominance>[\d.]+)\]",
    re.MULTILINE,
)


def list_clips(
    audio_folder: Path,
    *,
    item: Literal["speaker", "session", "dialog"] = "speaker",
    label: str = "emotion",
    classes: Literal["four", "all"] = "four",
) -> "pd.DataFrame":
    """List the utterances.

    Args:
        audio_folder: The folder that holds Session1 to Session5, IEMOCAP_full_release.
        item: The unit that folds keep together: speaker, session (both speakers), or dialog (training and test
            then have the same speakers).
        label: emotion, scenario, gender, speaker; or valence, arousal, dominance (numbers, 1 to 5), also several of them with
            commas.
        classes: The emotions to use: four (neutral, sad, angry, happy with excited), or all (nine).

    Returns:
        path, item, label or label:valence, ..., and those of session, dialog, script, scenario (improvised or scripted), turn,
        speaker, gender, motion_capture (the gender of the actor whose motion was captured) and emotion that are neither item
        nor label, sorted by path. Its ``attrs["note"]`` says how many utterances are excluded.
    """
    import pandas as pd

    # The recordings of whole dialogs are next to the utterances and are skipped.
    paths = [path for path in listing.list_audio(audio_folder, _EXPECTED) if "sentences/wav/" in path]
    facts = _layout.read_names(audio_folder, _PATTERN, _EXPECTED, paths)
    sheets = facts.pop("release") + "Session" + facts["session"] + "/dialog/EmoEvaluation/" + facts["dialog"] + ".txt"
    labels = {name: row for sheet in sorted(set(sheets)) for name, row in _read_labels(audio_folder / sheet).items()}
    facts = facts.join(pd.DataFrame.from_dict(labels, orient="index"), on="utterance")
    facts["session"] = "Ses0" + facts["session"]
    facts["speaker"] = facts["session"] + facts["gender"]
    for fact in ("gender", "motion_capture"):
        facts[fact] = facts[fact].map({"F": "female", "M": "male"})
    facts["scenario"] = facts["script"].str.extract(r"^(impro|script)", expand=False).map(_SCENARIOS)
    codes = facts["emotion"].fillna("no label")
    facts["emotion"] = facts["emotion"].map(_CLASSES[classes])
    targets = [name for name in _layout.split_names(label) if name in facts]
    is_usable = facts[targets].notna().all(axis=1)
    left_out = codes[~is_usable].value_counts()
    note = (
        f"{left_out.sum()} of {len(facts)} utterances {verb_of(left_out.sum())} skipped: "
        f"{', '.join(f'{n} {code}' for code, n in left_out.items())}"
    )
    if not is_usable.any():
        raise CorpusError(f"{audio_folder}: --label {label} --classes {classes}: no utterance is left. {note}.")
    others = ["utterance", *(name for name in NUMBERS if name not in targets)]
    clips = _layout.clip_table(facts[is_usable].drop(columns=others), item=item, label=label, numbers=NUMBERS)
    clips.attrs["note"] = note if len(left_out) else ""
    return clips


def _read_labels(sheet: Path) -> dict[str, dict[str, str | float]]:
    """Return emotion (a code of three letters), valence, arousal and dominance of every utterance of a dialog."""
    if not sheet.is_file():
        raise CorpusError(f"There is no {sheet}, which has the labels of that dialog. Give the whole IEMOCAP_full_release.")
    rows = [match.groupdict() for match in _EVALUATION.finditer(read_regular(sheet).decode("latin-1"))]
    if not rows:
        raise CorpusError(f"{sheet} labels no utterance; expected lines such as '[6.2901 - 8.2357] NAME neu [2.5, 2.5, 2.5]'.")
    return {row["utterance"]: {"emotion": row["emotion"], **{name: float(row[name]) for name in NUMBERS}} for row in rows}
