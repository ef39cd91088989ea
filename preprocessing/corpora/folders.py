"""Any corpus whose folders, or file names, say its classes.

Layout: ``{class}/.../{file}``, in any audio format: the folder's exact name is the label, and folders inside it belong to it.
By default every file is an item of its own: that is a random split, and clips of one speaker (or of one recording) are trained
on and tested. For results on unseen speakers give --item-pattern, which takes the speaker from the path. Where files lie
otherwise, flat or speaker by speaker, --label-pattern takes the label from the path too.
Source and licence: those of the recordings.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from preprocessing.clips.listing import AUDIO_SUFFIXES, ITEM_NAME, files_below, first_names, list_audio
from preprocessing.corpora._name_patterns import advise_patterns
from preprocessing.corpora._patterns import compile_pattern, find_in_each
from xval.base.errors import CorpusError

if TYPE_CHECKING:
    import pandas as pd

_EXPECTED = "{class}/{file}, such as dog/7.wav"
_OUTER, _INNER = "^([^/]+)/", "^[^/]+/([^/]+)/"


def list_clips(audio_folder: Path, *, item_pattern: str = "none", label_pattern: str = "none") -> "pd.DataFrame":
    """List the audio files below the classes' folders.

    Args:
        audio_folder: The folder of the classes' folders.
        item_pattern: A regular expression that finds the item in a file's path below its class (sub/anna_07.wav), or, with
            --label-pattern, in its whole path: its group named item, else its first group, else all that it matches; as in
            '([a-z]+)_[0-9]+[.]wav'. Results call an item by the name of the group: '(?P<speaker>[a-z]+)_[0-9]+[.]wav'. none:
            every file is an item, a random split; results on unseen speakers need a pattern.
        label_pattern: A regular expression that finds the label in a file's path below the audio folder (anna/dog_07.wav),
            by its group named label, else as above; as in '([a-z]+)_[0-9]+[.]wav'. none: the first folder is the label.

    Returns:
        path, item, label (class), sorted by path.
    """
    clips = list_labelled(audio_folder, item_pattern, label_pattern)
    if (item_pattern, label_pattern) == ("none", "none"):
        clips.attrs["note"] = _look_at_inner_folders(audio_folder, clips["path"].tolist())
    elif label_pattern == "none":
        clips.attrs["note"] = _describe_shared_folders(clips["path"].tolist(), set(clips["item"]))
    labels = sorted(set(clips["label"]))
    passed_over = _describe_passed_over(audio_folder, None if label_pattern != "none" else labels)
    clips.attrs["note"] = "; ".join(filter(None, [clips.attrs.get("note"), passed_over]))
    if len(labels) == 1 and label_pattern != "none":
        raise CorpusError(f"--label-pattern {label_pattern} finds one class only in {len(clips)} files, '{labels[0]}'.")
    if len(labels) == 1:
        raise CorpusError(
            f"{audio_folder} holds one folder with audio only, '{labels[0]}': that is one class. Expected: {_EXPECTED}. Give "
            "the folder whose folders are the classes."
        )
    return clips


def list_labelled(audio_folder: Path, item_pattern: str = "none", label_pattern: str = "none") -> "pd.DataFrame":
    """List the audio files below the classes' folders, of which there may be one only: a class can be tested alone.

    Args and result are those of `list_clips`.

    Raises:
        CorpusError: There are no such folders, audio lies beside them, or a pattern finds nothing in some files.
        SettingsError: A pattern is no regular expression.
    """
    import pandas as pd

    item, label = _compile("item", item_pattern), _compile("label", label_pattern)
    paths = list_audio(audio_folder, _EXPECTED if label is None else "audio files")
    beside = [path for path in paths if "/" not in path]
    if beside and label is None:
        raise CorpusError(
            f"{audio_folder} holds {len(beside)} audio files that lie in no class's folder: {first_names(beside)}. Expected: "
            f"{_EXPECTED}. Move them into folders, one for each class; or {advise_patterns(beside)}"
        )
    below = paths if label else [path.split("/", maxsplit=1)[1] for path in paths]
    labels = _find("label", label, paths, paths) if label else [path.split("/", maxsplit=1)[0] for path in paths]
    items = _find("item", item, below, paths) if item else paths
    clips = pd.DataFrame({"path": paths, "item": items, "label": labels})
    clips.attrs[ITEM_NAME] = _word_of(item) if item else "file"
    return clips


def default_dataset(*, item_pattern: str, **_: object) -> str:
    """Return a name that tells a random split."""
    return "folders_random_split" if item_pattern == "none" else "folders"


def _compile(what: str, pattern: str) -> re.Pattern[str] | None:
    return None if pattern == "none" else compile_pattern(f"--{what}-pattern", pattern)


def _word_of(pattern: re.Pattern[str]) -> str:
    """Return what the group that finds the item is called: ``speaker`` of ``(?P<speaker>[a-z]+)_``; empty: no word."""
    if "item" in pattern.groupindex:
        return ""
    return next((name for name, number in pattern.groupindex.items() if number == 1), "")


def _find(what: str, pattern: re.Pattern[str], texts: list[str], paths: list[str]) -> list[str]:
    """Return what a pattern finds in each text; refuse texts in which it finds nothing."""
    group: str | int = what if what in pattern.groupindex else min(pattern.groups, 1)
    names = find_in_each(f"--{what}-pattern", pattern, group, texts)
    unmatched = [path for path, name in zip(paths, names, strict=True) if not name]
    if unmatched:
        where = "their whole paths" if texts is paths else "what follows the class's folder"
        raise CorpusError(
            f"--{what}-pattern {pattern.pattern} finds no {what} in {len(unmatched)} of {len(paths)} files: "
            f"{first_names(unmatched)}. It is searched in {where}."
        )
    return names


def _look_at_inner_folders(audio_folder: Path, paths: list[str]) -> str:
    """Ask which folders are the classes, where all audio lies in folders inside folders; return a note where some does."""
    inner: dict[str, set[str]] = {}
    for path in paths:
        first, *between, _ = path.split("/")
        inner.setdefault(first, set()).add(between[0] if between else "")
    first = max(inner, key=lambda name: len(inner[name]))
    names = sorted(inner[first] - {""})
    if len(names) < 2:
        return ""
    if any("" in folders for folders in inner.values()):
        return f"{first} holds the folders {first_names(names)}: all of their audio is of the class {first}"
    raise CorpusError(
        f"The {len(inner)} folders in {audio_folder} hold no audio themselves, but folders with audio: {first} holds "
        f"{first_names(names)}. Is this one folder too high? Then give the right one. Are the inner folders the "
        f"classes? Give --label-pattern '{_INNER}', and where the outer ones are the speakers --item-pattern '{_OUTER}' too. "
        f"Are the outer ones the classes? Give --item-pattern '{_OUTER}' where the inner ones are the speakers, else "
        f"--label-pattern '{_OUTER}'."
    )


def _describe_shared_folders(paths: list[str], items: set[str]) -> str:
    """Return a note where the folders of all classes hold folders of the same names, which are no items: classes, perhaps."""
    inner: dict[str, set[str]] = {}
    for path in paths:
        first, *between, _ = path.split("/")
        inner.setdefault(first, set()).update(between[:1])
    shared = sorted(set.intersection(*inner.values()) - items)
    if len(inner) < 2 or len(shared) < 2:
        return ""
    return (
        f"the classes are the folders {first_names(sorted(inner))}, and each holds the folders {first_names(shared)}. If those "
        f"are the classes, this is one folder too high: give the right one, or --label-pattern '{_INNER}'"
    )


def _describe_passed_over(audio_folder: Path, classes: list[str] | None) -> str:
    """Return a note of the folders that are no classes, where folders are, and of the files in folders that are no audio."""
    inside = [path.relative_to(audio_folder) for path in files_below(audio_folder) if path.parent != audio_folder]
    visible = [path for path in inside if not any(part.startswith((".", "__MACOSX")) for part in path.parts)]
    endings = [path.suffix.lower().lstrip(".") or "none" for path in visible if path.suffix.lower() not in AUDIO_SUFFIXES]
    folders = {path.name for path in audio_folder.iterdir() if path.is_dir() and not path.name.startswith((".", "__MACOSX"))}
    empty = sorted(folders - set(classes or folders))
    notes = [f"no audio in the folders {first_names(empty)}, which are not classes"] if empty else []
    if endings:
        notes.append(f"{len(endings)} files in it are not audio by their names ({first_names(sorted(set(endings)))})")
    return "; ".join(notes)
