"""UrbanSound8K: 8732 clips of up to 4 s in ten classes of city sounds, in ten published folds.

Layout: ``audio/fold5/100032-3-0-0.wav``: Freesound id of the source recording, class number, occurrence, slice. The path has
everything, so metadata/UrbanSound8K.csv is not read. The item is the fold, because clips from one source are in one fold. The
dataset also has the column fold, for ``fold_strategy = predefined``, which is the published protocol. Scores of other folds
are not comparable with it.
Source: https://zenodo.org/records/1203745 (Salamon and others, 2014). Licence: CC BY-NC 4.0.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from preprocessing.corpora import esc50
from preprocessing.corpora._download import Archive
from preprocessing.corpora._layout import clip_table, read_names

if TYPE_CHECKING:
    import pandas as pd

KNOWN_AS = ("UrbanSound8K", "Freesound")
ADVISED = esc50.ADVISED  # for similar sounds of the same length; not measured on this corpus
# Checksum: that of the Zenodo record.
DOWNLOADS = (Archive("https://zenodo.org/records/1203745/files/UrbanSound8K.tar.gz", "md5:9aa69802bbf37fb986f71ec1483a196e"),)

_CLASSES = (
    *("air_conditioner", "car_horn", "children_playing", "dog_bark", "drilling"),
    *("engine_idling", "gun_shot", "jackhammer", "siren", "street_music"),
)
_PATTERN = re.compile(r"(?:.*/)?fold(?P<fold>[1-9]|10)/(?P<source>\d+)-(?P<number>\d)-(?P<occurrence>\d+)-(?P<slice>\d+)\.\w+")
_EXPECTED = "audio/fold5/100032-3-0-0.wav"


def list_clips(audio_folder: Path, *, item: Literal["fold", "source"] = "fold") -> "pd.DataFrame":
    """List the clips.

    Args:
        audio_folder: The folder that holds ``audio/``, or one that holds fold1 to fold10.
        item: The unit that folds keep together: the published fold, or the source recording.

    Returns:
        path, item, label (class), fold, and source, occurrence and slice, sorted by path.
    """
    facts = read_names(audio_folder, _PATTERN, _EXPECTED)
    facts["fold"] = facts["fold"].astype(int)
    facts["class"] = [_CLASSES[int(number)] for number in facts.pop("number")]
    return clip_table(facts, item=item, label="class")
