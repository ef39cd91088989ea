"""ESC-10, the ten easily told classes of ESC-50: 400 clips of 5 s, in the same five published folds.

Layout: the folder of ESC-50, ``audio/1-100032-A-0.wav``; the clips of the other 40 classes are skipped. The item is the
fold, the label the category.
Source: https://github.com/karolpiczak/ESC-50 (Piczak, 2015). Licence: CC BY 3.0.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from preprocessing.corpora import esc50
from preprocessing.corpora._layout import clip_table
from xval.errors import CorpusError

if TYPE_CHECKING:
    import pandas as pd

DOWNLOADS = esc50.DOWNLOADS

CATEGORIES = (
    *("dog", "rooster", "rain", "sea_waves", "crackling_fire"),
    *("crying_baby", "sneezing", "clock_tick", "helicopter", "chainsaw"),
)
"""Those that meta/esc50.csv marks as esc10."""


def list_clips(audio_folder: Path, *, item: Literal["fold", "source"] = "fold") -> "pd.DataFrame":
    """List the clips of the ten classes.

    Args:
        audio_folder: The folder that holds ``audio/``, or that folder itself.
        item: What stays on one side of a split: the published fold, or the source recording.

    Returns:
        path, item, label (category), fold, sorted by path.

    Raises:
        CorpusError: The folder is missing, holds no clips of ESC-50, audio files of other names, or none of the ten classes.
    """
    facts = esc50.read_clips(audio_folder)
    chosen = facts[facts["category"].isin(CATEGORIES)]
    if chosen.empty:
        raise CorpusError(
            f"{audio_folder} holds {len(facts)} clips of ESC-50, but none of the ten classes of ESC-10: "
            f"{', '.join(CATEGORIES)}. Found: {', '.join(sorted(set(facts['category'])))}."
        )
    return clip_table(chosen, item=item, label="category")
