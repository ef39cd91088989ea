"""Free Spoken Digit Dataset: English digits, spoken by a few speakers.

Layout: ``{digit}_{speaker}_{index}.wav`` (8 kHz), in the folder itself or in ``recordings/`` below it. The item is the
speaker, the label the digit.
Source: https://github.com/Jakobovski/free-spoken-digit-dataset (Jackson and others, 2016). Licence: CC BY-SA 4.0.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from xval.errors import CorpusError

if TYPE_CHECKING:
    import pandas as pd

_PATTERN = re.compile(r"(?P<digit>\d)_(?P<speaker>.+)_(?P<index>\d+)\.wav")
_EXPECTED = "{digit}_{speaker}_{index}.wav, such as 7_jackson_32.wav"
_N_SHOWN = 3


def list_clips(audio_folder: Path) -> "pd.DataFrame":
    """List the recordings.

    Args:
        audio_folder: The folder of the recordings, or the one that holds ``recordings/``.

    Returns:
        path, item (speaker), label (digit), sorted by path.

    Raises:
        CorpusError: The folder is missing, holds no such recordings, or holds wav files of other names.
    """
    import pandas as pd

    recordings = audio_folder / "recordings" if (audio_folder / "recordings").is_dir() else audio_folder
    if not recordings.is_dir():
        raise CorpusError(f"No folder {recordings}. Give the folder that holds files named {_EXPECTED}.")
    names = sorted(path.name for path in recordings.iterdir() if not path.name.startswith("."))
    matches = {name: _PATTERN.fullmatch(name) for name in names}
    wrong = [name for name in names if matches[name] is None]
    recognised = [match for match in matches.values() if match]
    if not recognised:
        found = ", ".join(wrong[:_N_SHOWN]) + (", ..." if len(wrong) > _N_SHOWN else "") if wrong else "nothing"
        raise CorpusError(f"{recordings} holds no files named {_EXPECTED}. Found: {found}.")
    other_audio = [name for name in wrong if name.lower().endswith(".wav")]
    if other_audio:
        raise CorpusError(
            f"{recordings} holds {len(other_audio)} wav files that are not named {_EXPECTED}: "
            f"{', '.join(other_audio[:_N_SHOWN])}. Rename them or move them away."
        )
    prefix = recordings.relative_to(audio_folder)
    rows = [((prefix / match.string).as_posix(), match["speaker"], match["digit"]) for match in recognised]
    return pd.DataFrame(rows, columns=["path", "item", "label"])
