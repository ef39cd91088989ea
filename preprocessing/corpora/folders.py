"""Any recordings whose class is the name of a folder, or part of the file name.

Layout: ``{class}/.../{file}``, in any audio format. The label is the exact name of the folder, also for files in its
subfolders. If the folders of the classes are in different places, give each of them, ``low b/medium c/high``; --labels gives
other names for the classes. By default each file is a separate item. This is a random split: clips of one speaker (or
recording) are in training and test. For results on unseen speakers give --item-pattern, which takes the speaker from the
path. If folders are not classes (flat, or a folder per speaker), --label-pattern takes the label from the path too. Without
classes, for an autoencoder: --task-type representation uses all files in the folders and their subfolders.
Source and licence: those of the recordings.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from preprocessing.audio.formats import AUDIO_SUFFIXES
from preprocessing.clips.listing import (
    ITEM_NAME,
    files_below,
    first_names,
    is_of_mac,
    list_audio,
    list_audio_in_each,
)
from preprocessing.clips.notation import composed
from preprocessing.corpora._class_folders import ClassFolders, find_class_folders
from preprocessing.corpora._name_patterns import advise_patterns
from preprocessing.corpora._patterns import compile_pattern, find_in_each
from xval.base.errors import CorpusError, SettingsError, counted, verb_of
from xval.base.operating_system import quote

if TYPE_CHECKING:
    import pandas as pd

_EXPECTED = "{class}/{file}, such as dog/7.wav"
_OUTER, _INNER = "^([^/]+)/", "^[^/]+/([^/]+)/"


def list_clips(
    audio_folder: Path | Sequence[Path],
    *,
    item_pattern: str = "none",
    label_pattern: str = "none",
    labels: str = "none",
    task_type: Literal["classification", "representation"] = "classification",
) -> "pd.DataFrame":
    """List the audio files below the classes' folders.

    Args:
        audio_folder: The folder that has the folders of the classes, or several folders, each of which is a class.
        item_pattern: A regular expression that finds the item (such as the speaker) in a file's path below its class
            (sub/anna_07.wav), or, with --label-pattern or for representation, in its whole path, for example
            '([^/_]+)_[0-9]+[.]wav'. The item is the group named item, or else the first group, or else the whole match. A
            named group names the items in the results: '(?P<speaker>[a-z]+)_[0-9]+[.]wav'. none: each file is an item, a
            random split; results on unseen speakers need a pattern.
        label_pattern: A regular expression that finds the label in a file's path below the audio folder (anna/dog_07.wav), in
            the group named label, or else as above, for example '([^/_]+)_[0-9]+[.]wav'. none: the first folder is the label.
        labels: A class for each of several folders, in their order, separated by commas. Folders with the same class are
            joined. none: the names of the folders.
        task_type: classification; or representation: there is no target, and all audio in the folders and their subfolders is
            used.

    Returns:
        path, item, label (class), sorted by path; also clip where several folders are given: the path from their names on.
    """
    has_classes = task_type == "classification"
    clips = list_labelled(audio_folder, item_pattern, label_pattern, labels, has_classes=has_classes)
    given = find_class_folders(audio_folder, labels, are_classes=has_classes and label_pattern == "none")
    notes, named = [""], clips["clip" if "clip" in clips else "path"].tolist()
    if has_classes and (item_pattern, label_pattern) == ("none", "none"):
        notes = [_name_known(audio_folder), _look_at_inner_folders(audio_folder, named, are_given=given is not None)]
    elif has_classes and label_pattern == "none":
        notes = [_describe_shared_folders(named, set(clips["item"]))]
    classes = sorted(set(clips["label"]))
    if given is None:
        named_by_folders = classes if has_classes and label_pattern == "none" else None
        notes.append(_describe_passed_over(_places(audio_folder)[0], named_by_folders, is_whole=not has_classes))
    else:
        each = zip(given.places, given.names, strict=True)
        notes += [_describe_passed_over(place, None, called=name, is_whole=True) for place, name in each]
    clips.attrs["note"] = "; ".join(filter(None, dict.fromkeys(notes)))
    if len(classes) == 1 and has_classes:
        _refuse_one_class(audio_folder, classes[0], len(clips), label_pattern, given)
    return clips


def list_labelled(
    audio_folder: Path | Sequence[Path],
    item_pattern: str = "none",
    label_pattern: str = "none",
    labels: str = "none",
    *,
    has_classes: bool = True,
) -> "pd.DataFrame":
    """List the audio files below the folders of the classes, also of a single class, which can be tested.

    The arguments and the result are those of `list_clips`; if ``has_classes`` is false, the labels are empty.

    Raises:
        CorpusError: There are no such folders, audio is next to them, or a pattern finds nothing in some files.
        SettingsError: A pattern is no regular expression, or the labels do not fit the folders.
    """
    import pandas as pd

    item, label = _compile("item", item_pattern), _compile("label", label_pattern)
    if labels != "none" and (label or not has_classes):
        other = "--label-pattern takes the classes from file names" if label else "representation has no classes"
        raise SettingsError(f"--labels {labels}: names the class of each folder, but {other}. Remove one of the two.")
    are_classes = has_classes and label is None
    given = find_class_folders(audio_folder, labels, are_classes=are_classes)
    if given is not None:
        clips = _list_given(given)
    else:
        (folder,) = _places(audio_folder)
        paths = list_audio(folder, _EXPECTED if are_classes else "audio files")
        loose_files = [path for path in paths if "/" not in path]
        if loose_files and are_classes:
            raise CorpusError(
                f"{folder} has {len(loose_files)} audio files outside of class folders: {first_names(loose_files)}. Expected: "
                f"{_EXPECTED}. Move them into folders, one per class; or {advise_patterns(loose_files)}. If {folder} is one "
                "class, give the folders of the other classes too (evaluate accepts one class, with --labels NAME). Without "
                f"classes, for an autoencoder: xval prepare folders {quote(str(folder))} --task-type "
                "representation"
            )
        clips = pd.DataFrame({"path": paths, "label": [path.split("/", maxsplit=1)[0] for path in paths]})
    named = clips["clip" if "clip" in clips else "path"].tolist()
    searched = [path.split("/", maxsplit=1)[1] for path in named] if are_classes else named
    if given is not None and are_classes:
        searched = clips.pop("below").tolist()
    clips.insert(1, "item", _find("item", item, searched, named) if item else named)
    if label:
        clips["label"] = _find("label", label, named, named)
    elif not has_classes:
        clips["label"] = ""
    clips = clips.drop(columns="below", errors="ignore")
    clips.attrs[ITEM_NAME] = _word_of(item) if item else "file"
    return clips


def audio_folder_of(folders: Sequence[Path], *, labels: str, label_pattern: str, task_type: str, **_: object) -> Path:
    """Return the folder to which paths are relative if several folders are given: the nearest one that contains them all.

    Only files in the given folders are ever listed.
    """
    are_classes = task_type == "classification" and label_pattern == "none"
    given = find_class_folders(folders, labels, are_classes=are_classes)
    return folders[0] if given is None else given.audio_folder


def default_dataset(*, item_pattern: str, **_: object) -> str:
    """Return a name that shows whether folds are a random split."""
    return "folders_random_split" if item_pattern == "none" else "folders"


def _places(audio_folder: Path | Sequence[Path]) -> Sequence[Path]:
    return [audio_folder] if isinstance(audio_folder, Path) else audio_folder


def _list_given(given: ClassFolders) -> "pd.DataFrame":
    """Return the files of folders that are given one by one: path, label, clip (path from the folder's name on), and below.

    The column below is the path below the folder.
    """
    import pandas as pd

    rows = []
    listed = list_audio_in_each(given.places, "audio files")
    for place, name, label, names in zip(given.places, given.names, given.labels, listed, strict=True):
        prefix = place.relative_to(given.audio_folder).as_posix()
        rows += [(f"{prefix}/{below}", label, f"{name}/{below}", below) for below in names]
    return pd.DataFrame(sorted(rows), columns=["path", "label", "clip", "below"])


def _refuse_one_class(
    audio_folder: Path | Sequence[Path], label: str, n_clips: int, label_pattern: str, given: ClassFolders | None
) -> None:
    if label_pattern != "none":
        raise CorpusError(f"--label-pattern {label_pattern} finds only one class in {counted(n_clips, 'file')}: '{label}'.")
    if given is not None:
        raise CorpusError(
            f"{first_names(map(str, _places(audio_folder)))}: all files have one class, '{label}'. Give the folders of the "
            "other classes too."
        )
    raise CorpusError(
        f"{_places(audio_folder)[0]} has only one folder with audio, '{label}', which is one class. Expected: {_EXPECTED}. "
        "Give the folder whose subfolders are the classes, or the folder of each class."
    )


def _compile(what: str, pattern: str) -> re.Pattern[str] | None:
    return None if pattern == "none" else compile_pattern(f"--{what}-pattern", pattern)


def _word_of(pattern: re.Pattern[str]) -> str:
    """Return the name of the group that finds the item: ``speaker`` for ``(?P<speaker>[a-z]+)_``; empty: it has no name."""
    if "item" in pattern.groupindex:
        return ""
    return next((name for name, number in pattern.groupindex.items() if number == 1), "")


def _find(what: str, pattern: re.Pattern[str], texts: list[str], paths: list[str]) -> list[str]:
    """Return the match of a pattern in each text; raise CorpusError if there is none in some texts."""
    group: str | int = what if what in pattern.groupindex else min(pattern.groups, 1)
    names = find_in_each(pattern, group, texts)
    unmatched = [path for path, name in zip(paths, names, strict=True) if not name]
    if unmatched:
        where = "their full paths" if texts is paths else "the path below the class folder"
        raise CorpusError(
            f"--{what}-pattern {pattern.pattern} finds no {what} in {len(unmatched)} of {counted(len(paths), 'file')}: "
            f"{first_names(unmatched)}. It is matched against {where}."
        )
    return names


def _name_known(audio_folder: Path | Sequence[Path]) -> str:
    """Return a note with the reader that recognises the names of the files in the only folder; empty: none does."""
    from preprocessing.corpora import recognise

    places = _places(audio_folder)
    known = recognise(places[0]) if len(places) == 1 else []
    commands = " or ".join(f"xval prepare {name} {quote(str(places[0]))}" for name in known)
    return (
        (f"the files are named like those of a known corpus, whose reader finds speakers and labels: {commands}")
        if known
        else ""
    )


def _look_at_inner_folders(audio_folder: Path | Sequence[Path], paths: list[str], *, are_given: bool) -> str:
    """Raise CorpusError if all audio is in folders inside folders, so that either may be the classes.

    Returns:
        A note, if only a part of the audio is in inner folders, or if the classes are given one by one; otherwise empty.
    """
    inner: dict[str, set[str]] = {}
    for path in paths:
        first, *between, _ = path.split("/")
        inner.setdefault(first, set()).add(between[0] if between else "")
    first = max(inner, key=lambda name: len(inner[name]))
    names = sorted(inner[first] - {""})
    if len(names) < 2:
        return ""
    if are_given or any("" in folders for folders in inner.values()):
        return f"{first} has the folders {first_names(names)}; all of their audio gets the class {first}"
    raise CorpusError(
        f"The {len(inner)} folders in {_places(audio_folder)[0]} have no audio themselves, but folders with audio: {first} "
        f"has {first_names(names)}. If this is one folder too high, give the right one. If the inner folders are the "
        f"classes, give --label-pattern '{_INNER}', and if the outer ones are the speakers, --item-pattern '{_OUTER}' too. "
        f"If the outer folders are the classes, give --item-pattern '{_OUTER}' if the inner ones are the speakers, otherwise "
        f"--label-pattern '{_OUTER}'."
    )


def _describe_shared_folders(paths: list[str], items: set[str]) -> str:
    """Return a note if the folders of all classes have inner folders of the same names, which may be the real classes."""
    inner: dict[str, set[str]] = {}
    for path in map(composed, paths):
        first, *between, _ = path.split("/")
        inner.setdefault(first, set()).update(between[:1])
    shared = sorted(set.intersection(*inner.values()) - items)
    if len(inner) < 2 or len(shared) < 2:
        return ""
    return (
        f"the classes are the folders {first_names(sorted(inner))}, and each has the folders {first_names(shared)}. If those "
        f"are the classes, this is one folder too high. Give the right one, or --label-pattern '{_INNER}'"
    )


def _same_folder(audio_folder: Path, name: str, classes: list[str]) -> str:
    """Return the class whose folder is the same as a linked folder; empty: none is."""
    real = (audio_folder / name).resolve()
    return next((first for first in classes if (audio_folder / first).resolve() == real), "")


def _describe_passed_over(audio_folder: Path, classes: list[str] | None, *, called: str = "it", is_whole: bool) -> str:
    """Return a note about the skipped folders, which have no audio, and the skipped files, which are no audio; else empty.

    Args:
        audio_folder: The folder of the classes' folders, or one of several given folders.
        classes: The classes that are folders; None: folders are no classes.
        called: The name of the folder in the note.
        is_whole: Whether files in the folder itself count; next to the folders of classes there may be other files.
    """
    below = (path for path in files_below(audio_folder) if is_whole or path.parent != audio_folder)
    inside = [path.relative_to(audio_folder) for path in below]
    visible = [path for path in inside if not any(part.startswith((".", "__MACOSX")) for part in path.parts)]
    endings = [path.suffix.lower().lstrip(".") or "none" for path in visible if path.suffix.lower() not in AUDIO_SUFFIXES]
    folders = {path.name for path in audio_folder.iterdir() if path.is_dir() and not path.name.startswith((".", "__MACOSX"))}
    empty = sorted(folders - set(classes or folders))
    linked = {name: first for name in empty if (first := _same_folder(audio_folder, name, classes or []))}
    notes = [f"{name} is the same folder as {first} and is read once, as {first}" for name, first in linked.items()]
    if empty := [name for name in empty if name not in linked]:
        notes.append(f"no audio in the folders {first_names(empty)}, which are not classes")
    hidden = [path for path in inside if path not in visible and not is_of_mac(path) and path.suffix.lower() in AUDIO_SUFFIXES]
    if hidden:
        notes.append(
            f"{counted(len(hidden), 'hidden audio file')} in {called} {verb_of(len(hidden))} skipped "
            f"({first_names(sorted(path.as_posix() for path in hidden))}); rename hidden files to read them"
        )
    if endings:
        notes.append(
            f"{counted(len(endings), 'file')} in {called} {verb_of(len(endings))} skipped, because "
            f"{'it is' if len(endings) == 1 else 'they are'} not audio by {'its name' if len(endings) == 1 else 'their names'} "
            f"({first_names(sorted(set(endings)))})"
        )
    return "; ".join(notes)
