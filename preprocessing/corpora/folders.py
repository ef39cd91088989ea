"""Any corpus whose folders are its classes.

Layout: ``{class}/.../{file}``, in any audio format: the folder's exact name is the label, and folders inside it belong to it.
By default every file is an item of its own: that is a random split, and clips of one speaker (or of one recording) are trained
on and tested. For results on unseen speakers give --item-pattern, which takes the speaker from the path.
Source and licence: those of the recordings.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from preprocessing.clips.listing import list_audio
from xval.errors import CorpusError, SettingsError

if TYPE_CHECKING:
    import pandas as pd

_EXPECTED = "{class}/{file}, such as dog/7.wav"
_N_SHOWN = 3


def list_clips(audio_folder: Path, *, item_pattern: str = "none") -> "pd.DataFrame":
    """List the audio files below the classes' folders.

    Args:
        audio_folder: The folder of the classes' folders.
        item_pattern: A regular expression that finds the item in a file's path below its class (sub/anna_07.wav): its group
            named item, else its first group, else all that it matches; as in '([a-z]+)_[0-9]+[.]wav'. none: every file is an
            item, a random split; results on unseen speakers need a pattern.

    Returns:
        path, item, label (class), sorted by path.

    Raises:
        CorpusError: There are no such folders, audio lies beside them, there is one class only, or the pattern finds nothing in
            some files.
        SettingsError: The pattern is no regular expression.
    """
    clips = list_labelled(audio_folder, item_pattern)
    labels = sorted(set(clips["label"]))
    if len(labels) == 1:
        raise CorpusError(
            f"{audio_folder} holds one folder with audio only, '{labels[0]}': that is one class. Expected: {_EXPECTED}. Give "
            "the folder whose folders are the classes."
        )
    return clips


def list_labelled(audio_folder: Path, item_pattern: str = "none") -> "pd.DataFrame":
    """List the audio files below the classes' folders, of which there may be one only: a class can be tested alone.

    Args and result are those of `list_clips`.

    Raises:
        CorpusError: There are no such folders, audio lies beside them, or the pattern finds nothing in some files.
        SettingsError: The pattern is no regular expression.
    """
    import pandas as pd

    try:
        pattern = None if item_pattern == "none" else re.compile(item_pattern)
    except re.error as error:
        raise SettingsError(f"--item-pattern {item_pattern}: no regular expression ({error}).") from error
    paths = list_audio(audio_folder, _EXPECTED)
    beside = [path for path in paths if "/" not in path]
    if beside:
        raise CorpusError(
            f"{audio_folder} holds {len(beside)} audio files that lie in no class's folder: {_shorten(beside)}. Expected: "
            f"{_EXPECTED}. Move them into folders, one for each class."
        )
    labels = [path.split("/", maxsplit=1)[0] for path in paths]
    items = [_find_item(pattern, path) for path in paths]
    unmatched = [path for path, item in zip(paths, items, strict=True) if not item]
    if unmatched:
        raise CorpusError(
            f"--item-pattern {item_pattern} finds no item in {len(unmatched)} of {len(paths)} files: {_shorten(unmatched)}. It "
            "is searched in what follows the class's folder."
        )
    return pd.DataFrame({"path": paths, "item": items, "label": labels})


def default_dataset(*, item_pattern: str, **_: object) -> str:
    """Return a name that tells a random split."""
    return "folders_random_split" if item_pattern == "none" else "folders"


def _find_item(pattern: re.Pattern[str] | None, path: str) -> str:
    """Return the item of a file; empty where the pattern finds none. The class is no part of it: a speaker is one in all."""
    if pattern is None:
        return path
    match = pattern.search(path.split("/", maxsplit=1)[1])
    if match is None:
        return ""
    group: str | int = "item" if "item" in pattern.groupindex else min(pattern.groups, 1)
    return match[group] or ""


def _shorten(paths: list[str]) -> str:
    return ", ".join(paths[:_N_SHOWN]) + (", ..." if len(paths) > _N_SHOWN else "")
