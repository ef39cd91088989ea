"""Class folders that are given one by one and may be in different places: the class of each, and their common folder."""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from preprocessing.corpora._layout import split_names
from xval.base.errors import CorpusError, SettingsError, counted
from xval.base.operating_system import quote


@dataclass(frozen=True)
class ClassFolders:
    """Folders that are given one by one, in their order.

    Attributes:
        audio_folder: The nearest folder that contains them all.
        places: The paths of the folders.
        names: The names of the folders in clips: their own, or, if two have the same name, their paths below `audio_folder`.
        labels: The class of each folder.
    """

    audio_folder: Path
    places: tuple[Path, ...]
    names: tuple[str, ...]
    labels: tuple[str, ...]


def find_class_folders(folders: Path | Sequence[Path], labels: str, *, are_classes: bool) -> ClassFolders | None:
    """Return the class folders if they are given one by one; None: one folder is given, which contains the class folders.

    Args:
        folders: The folders as the user gives them.
        labels: The class of each, separated by commas; then a single folder is a class, too. ``none``: the folders' names.
        are_classes: Whether the folders' names are the classes, so that two equal names are an error.

    Raises:
        CorpusError: A folder is missing, is no folder, is given twice, is inside another one, or has the name of another one.
        SettingsError: There are not as many labels as folders.
    """
    given = [folders] if isinstance(folders, Path) else list(folders)
    if len(given) == 1 and labels == "none":
        return None
    _check_each(given)
    # The folder keeps its own name, also if it is a link. Its parent is resolved, because x/.. is elsewhere if x is a link.
    places = [folder.resolve() if folder.name in ("", "..") else folder.parent.resolve() / folder.name for folder in given]
    _refuse_shared(given)
    own = [place.name for place in places]
    chosen = own if labels == "none" else split_names(labels)
    if len(chosen) != len(given) or not all(chosen):
        advice = " Subfolders are given one by one too, as in dogs/low dogs/high." if len(given) == 1 else ""
        raise SettingsError(
            f"--labels {labels}: received {counted(sum(map(bool, chosen)), 'name')} for {counted(len(given), 'folder')}; "
            f"expected one for each, in their order.{advice}"
        )
    repeated = [name for name, count in Counter(chosen).items() if count > 1]
    if repeated and are_classes and labels == "none":
        same = [number for number, name in enumerate(own) if name == repeated[0]]
        apart = [f"{name}_{same.index(number) + 1}" if number in same else name for number, name in enumerate(own)]
        raise CorpusError(
            f"{' and '.join(str(given[number]) for number in same)} have the same name, '{repeated[0]}'. If they are one "
            f"class, give --labels {quote(','.join(own))}; if several, give --labels {quote(','.join(apart))}."
        )
    audio_folder = Path(os.path.commonpath([place.parent for place in places]))
    are_unlike = len(set(own)) == len(own)
    names = own if are_unlike else [place.relative_to(audio_folder).as_posix() for place in places]
    return ClassFolders(audio_folder, tuple(places), tuple(names), tuple(chosen))


def _check_each(given: Sequence[Path]) -> None:
    for folder in given:
        if folder.is_file():
            raise CorpusError(f"{folder} is a file among folders. Give only folders. For a table: xval prepare table")
        if not folder.is_dir():
            words = " ".join(map(str, given))
            whole = f", as in {quote(words)}" if Path(words).exists() else ""
            raise CorpusError(
                f"There is no folder {folder}. Each folder given is a class. A path with spaces needs quotes around it{whole}."
            )


def _refuse_shared(given: Sequence[Path]) -> None:
    """Raise CorpusError if folders are the same, or one is inside another, also by links: audio would have two classes."""
    real = [folder.resolve() for folder in given]
    for first in range(len(given)):
        for second in range(len(given)):
            if first < second and real[first] == real[second]:
                twice = f"{given[first]} is given twice" if given[first] == given[second] else (
                    f"{given[first]} and {given[second]} are the same folder"
                )  # fmt: skip
                raise CorpusError(f"{twice}. Give it once.")
            if first != second and real[second].is_relative_to(real[first]) and real[first] != real[second]:
                raise CorpusError(
                    f"{given[second]} is inside {given[first]}, so its audio would count twice. Give separate folders, or "
                    "one folder whose subfolders are the classes."
                )
