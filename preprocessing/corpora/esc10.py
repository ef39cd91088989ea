"""ESC-10, ten classes of ESC-50 that are easy to distinguish: 400 clips of 5 s, in the same five published folds.

Layout: the folder of ESC-50, ``audio/1-100032-A-0.wav``, whose clips of the other 40 classes are skipped. Or ESC-10 as it was
first published, ``001 - Dog bark/1-100032-A.ogg``, whose names lack the number of the class. The item is the fold, the label
the category.
Source: https://github.com/karolpiczak/ESC-50 (Piczak, 2015). Licence: CC BY 3.0.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from preprocessing.clips.listing import list_audio
from preprocessing.corpora import esc50
from preprocessing.corpora._layout import clip_table, read_names
from xval.base.errors import CorpusError, counted

if TYPE_CHECKING:
    import pandas as pd

KNOWN_AS = ("ESC-10", "ESC-50", "Freesound")
DOWNLOADS = esc50.DOWNLOADS
ADVISED = esc50.ADVISED

CATEGORIES = (
    *("dog", "rooster", "rain", "sea_waves", "crackling_fire"),
    *("crying_baby", "sneezing", "clock_tick", "helicopter", "chainsaw"),
)
"""The classes that meta/esc50.csv marks as esc10."""

_FIRST_NUMBERS = {
    "001": "dog",
    "002": "rain",
    "003": "sea_waves",
    "004": "crying_baby",
    "005": "clock_tick",
    "006": "sneezing",
    "007": "helicopter",
    "008": "chainsaw",
    "009": "rooster",
    "010": "crackling_fire",
}
_FIRST_PATTERN = re.compile(
    r"(?:.*/)?(?P<number>0(?:0[1-9]|10)) - [^/]+/(?P<fold>[1-5])-(?P<source>\d+)-(?P<take>[A-Z])\w*\.\w+"
)
_FIRST_EXPECTED = "001 - Dog bark/1-100032-A.ogg"


def list_clips(audio_folder: Path, *, item: Literal["fold", "source"] = "fold") -> "pd.DataFrame":
    """List the clips of the ten classes.

    Args:
        audio_folder: The folder that holds ``audio/``, or that folder itself; or the one that holds ``001 - Dog bark/``.
        item: The unit that folds keep together: the published fold, or the source recording.

    Returns:
        path, item, label (category), fold, source, take and, with the files of ESC-50, group, sorted by path.
    """
    paths = list_audio(audio_folder, f"audio/1-100032-A-0.wav or {_FIRST_EXPECTED}")
    if any(_FIRST_PATTERN.fullmatch(path) for path in paths):
        facts = read_names(audio_folder, _FIRST_PATTERN, _FIRST_EXPECTED, paths)
        facts["category"] = facts["number"].map(_FIRST_NUMBERS)
        return clip_table(facts.drop(columns="number").astype({"fold": int}), item=item, label="category")
    facts = esc50.read_clips(audio_folder)
    chosen = facts[facts["category"].isin(CATEGORIES)]
    if chosen.empty:
        raise CorpusError(
            f"{audio_folder} has {counted(len(facts), 'clip')} of ESC-50, but none of the ten classes of ESC-10: "
            f"{', '.join(CATEGORIES)}. Found: {', '.join(sorted(set(facts['category'])))}."
        )
    return clip_table(chosen, item=item, label="category")
