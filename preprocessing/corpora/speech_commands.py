"""Speech Commands 0.02: 105,829 utterances of one second, 35 English words from 2,618 speakers, with a published split.

Layout: ``right/a69b9b3e_nohash_0.wav``: word, speaker, number. ``validation_list.txt`` and ``testing_list.txt`` give the
phase (all others are for training), for ``fold_strategy = predefined``. The background noise is excluded. The item is the
speaker.
Source: https://arxiv.org/abs/1804.03209 (Warden, 2018). Licence: CC BY 4.0.
"""

import re
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from preprocessing.clips.listing import list_audio
from preprocessing.corpora._download import Archive
from preprocessing.corpora._layout import clip_table, find_file, read_names, split_names
from preprocessing.corpora._tables import read_text
from xval.base.errors import CorpusError, suggestion

if TYPE_CHECKING:
    import pandas as pd

KNOWN_AS = ("Speech Commands",)
# Checksum: that of torchaudio and tensorflow_datasets.
DOWNLOADS = (
    Archive(
        url="https://storage.googleapis.com/download.tensorflow.org/data/speech_commands_v0.02.tar.gz",
        hash="sha256:af14739ee7dc311471de98f5f9d2c9191b18aedfe957f4a6ff791c709868ff58",
    ),
)

_PATTERN = re.compile(r"(?:.*/)?(?P<word>[a-z]+)/(?P<speaker>[0-9a-f]+)_nohash_(?P<number>\d+)\.\w+")
_EXPECTED = "right/a69b9b3e_nohash_0.wav"
_NOISE = "_background_noise_"
_LISTS = {"validation": "validation_list.txt", "test": "testing_list.txt"}
_TEN = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")


def list_clips(audio_folder: Path, *, words: str = "35", unknown: bool = False) -> "pd.DataFrame":
    """List the utterances.

    Args:
        audio_folder: The folder that holds one folder per word, and the two lists.
        words: 35 (all), 10 (yes, no, up, down, left, right, on, off, stop, go), or words with commas, such as yes,no.
        unknown: true: the other words are one more class, unknown; false: they are excluded.

    Returns:
        path, item (speaker), label (word), phase, number and, if there is the class unknown, word, sorted by path.
    """
    paths = [path for path in list_audio(audio_folder, _EXPECTED) if _NOISE not in PurePosixPath(path).parts]
    facts = read_names(audio_folder, _PATTERN, _EXPECTED, paths)
    # The lists have paths of this form, also if the corpus is inside another folder.
    listed = ["/".join(PurePosixPath(path).parts[-2:]) for path in facts["path"]]
    phases = _read_phases(audio_folder)
    facts["phase"] = [phases.get(str(PurePosixPath(path).with_suffix(".wav")), "training") for path in listed]
    chosen = _choose_words(words, set(facts["word"]))
    if unknown:
        facts["class"] = facts["word"].where(facts["word"].isin(chosen), "unknown")
        return clip_table(facts, item="speaker", label="class")
    return clip_table(facts[facts["word"].isin(chosen)], item="speaker", label="word")


def _choose_words(words: str, there: set[str]) -> set[str]:
    if words == "35":
        return there
    chosen = _TEN if words == "10" else split_names(words)
    for word in chosen:
        if word not in there:
            raise CorpusError(
                f"--words {words}: there are no utterances of '{word}'; expected 35, 10 or words. {suggestion(word, there)}"
            )
    return set(chosen)


def _read_phases(audio_folder: Path) -> dict[str, str]:
    """Return the phase of every utterance in the two lists, by its path in them."""
    phases: dict[str, str] = {}
    for phase, name in _LISTS.items():
        path = find_file(audio_folder, name, f". Without it the {phase} clips would be used for training. Copy it there.")
        text = read_text(path, "It comes with the corpus. Unpack the corpus again.")
        phases |= dict.fromkeys(text.split(), phase)
    return phases
