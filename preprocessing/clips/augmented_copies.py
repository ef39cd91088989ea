"""Add the augmented copies of audio files to a list of clips, by augmented.csv, which names the source of each copy.

``xval augment`` writes augmented.csv into its output folder. Each copy becomes a clip of the same item as its source, marked as
augmented.
"""

import posixpath
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path, PurePath, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from preprocessing.clips.listing import AudioFiles, is_copy
from xval.base.csv_text import read_csv
from xval.base.errors import CorpusError, counted, first_of, verb_of

if TYPE_CHECKING:
    import pandas as pd

COPIES_NAME = "augmented.csv"
NOTE_NAME = "augmentation.json"
"""A file next to the list that says how the copies were made."""
COPIES_COLUMNS = ("path", "source", "copy", "time_factor", "transforms", "parameters", "seed")
"""Columns of the list. path and source: the copy and the file of which it is a copy, posix, relative to the folder of the list;
copy: number of the copy, from 1; time_factor: length of the copy divided by that of its source; transforms: their names in
    order of use, separated by ``;``; parameters: JSON, the values that each transform drew; seed: seed of the copy."""


def add_copies(clips: "pd.DataFrame", audio_folder: Path) -> "pd.DataFrame":
    """Add the augmented copies that are in the audio folder to a list of clips.

    A copy or source that was converted to another audio format is found under its new ending. Copies that the corpus lists
    itself stay as listed.

    Args:
        clips: One row per clip, as `clips.table.check_clips` returns them.
        audio_folder: The folder to which paths are relative. augmented.csv is in it or in a folder above; or in folders of the
            clips, if each was augmented separately.

    Returns:
        The clips, followed by one row per copy: the item, label, phase and fold of its source, the clip of its source as
        ``source_clip``, and ``augmented`` true; start and end of a segment are multiplied by the time factor. Without copies,
        the clips as they are.

    Raises:
        CorpusError: augmented.csv is malformed; copies are listed as separate recordings; or files next to the clips are named
            like copies, but no list has them or their sources are missing.
    """
    import pandas as pd

    files, listed = AudioFiles(audio_folder), set(clips["path"])
    list_path = _find_list(audio_folder)
    if list_path is None:
        inner = _inner_lists(clips, audio_folder)
        tables = [_renamed(_read(path), partial(posixpath.join, place)) for place, path in inner.items()]
        list_path = next(iter(inner.values()), None)
    else:
        below = audio_folder.resolve().relative_to(list_path.parent.resolve()).as_posix()
        tables = [_renamed(_read(list_path), partial(posixpath.relpath, start=below))]
    copies = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame({"path": [], "source": []})
    for column in ("path", "source"):
        copies[column] = [path if path in listed else files.find(path) for path in copies[column]]
    marked = dict(zip(clips["path"], clips["augmented"], strict=True))
    _refuse_unmarked([path for path, is_marked in marked.items() if not is_marked], set(copies["path"]))
    _refuse_unexplained(listed, copies, files, audio_folder, list_path)
    copies = copies[~copies["path"].isin(listed)]
    if copies.empty:
        return clips
    merged = clips.merge(copies[["path", "source", "time_factor"]], left_on="path", right_on="source", suffixes=("", "_copy"))
    if merged.empty:
        return clips
    _refuse_neighbours(merged)
    added = merged[list(clips.columns)].copy()
    added["source_clip"] = merged["clip"]
    added["clip"] = [
        clip.replace(source, path, 1) if clip.startswith(source) else f"{clip} ({path})"
        for clip, source, path in zip(merged["clip"], merged["path"], merged["path_copy"], strict=True)
    ]
    added["path"] = merged["path_copy"]
    for column in ("start_s", "end_s"):
        added[column] = merged[column] * merged["time_factor"]
    added["augmented"] = True
    return pd.concat([clips, added], ignore_index=True)


def _refuse_unmarked(paths: Sequence[str], copies: set[str]) -> None:
    """Raise CorpusError if a corpus lists copies, recognised by their names or by augmented.csv, as separate recordings."""
    unmarked = [path for path in paths if is_copy(path) or path in copies]
    if unmarked:
        why = "by its name" if is_copy(unmarked[0]) else f"by {COPIES_NAME}"
        raise CorpusError(
            f"{unmarked[0]} is an augmented copy {why} ({counted(len(unmarked), 'such clip')}), but is listed as a separate "
            f"recording, which could be tested. Remove copies from the table ({COPIES_NAME} lists them), or set their columns "
            "augmented and source_clip."
        )


def _refuse_unexplained(
    listed: set[str], copies: "pd.DataFrame", files: AudioFiles, audio_folder: Path, list_path: Path | None
) -> None:
    """Raise CorpusError if files next to the clips are named like copies, but are in no list or have no source any more."""
    folders = sorted({posixpath.dirname(path) for path in listed})
    there = {posixpath.join(folder, name) for folder in folders for name in files.names(folder) if is_copy(name)} - listed
    unexplained = sorted(there - set(copies["path"]))
    if unexplained:
        reason = f"no {COPIES_NAME} names their sources" if list_path is None else f"{list_path} does not list them"
        raise CorpusError(
            f"{audio_folder} has {counted(len(unexplained), 'file')} named like augmented copies, such as {unexplained[0]}, "
            f"but {reason}. Run xval augment again, give the folder that it wrote, or move them away."
        )
    sources = dict(zip(copies["path"], copies["source"], strict=True))
    orphans = [path for path in sorted(there) if sources[path] not in listed and not (audio_folder / sources[path]).is_file()]
    if orphans:
        raise CorpusError(
            f"{audio_folder} has {counted(len(orphans), 'augmented copy')} whose source files are missing, such as "
            f"{orphans[0]} of {sources[orphans[0]]}. Move them away, or run xval augment again."
        )


def _refuse_neighbours(merged: "pd.DataFrame") -> None:
    """Raise CorpusError for copies of a file with clips of several items: reverberation would mix one into the next."""
    shared = merged[merged.groupby("path")["item"].transform("nunique") > 1]
    if not shared.empty:
        path = shared["path"].iloc[0]
        items = first_of(sorted(set(shared.loc[shared["path"] == path, "item"])), 3)
        raise CorpusError(
            f"{path} has clips of several items ({items}), so its augmented copies would mix their sound. Augment files of "
            "one item each, or move the copies away."
        )


def _find_list(audio_folder: Path) -> Path | None:
    """Return the augmented.csv of the audio folder, or of the nearest folder above with the note of a run next to it."""
    folder = audio_folder.resolve()
    for path in (parent / COPIES_NAME for parent in (folder, *folder.parents)):
        if path.is_file() and (path.parent == folder or path.with_name(NOTE_NAME).is_file()):
            return path
    return None


def _inner_lists(clips: "pd.DataFrame", audio_folder: Path) -> dict[str, Path]:
    """Return the augmented.csv files in the folders of the clips, and between these and the audio folder, by folder (posix)."""
    places = {place.as_posix() for path in clips["path"] for place in PurePosixPath(path).parents} - {"."}
    paths = {place: audio_folder / place / COPIES_NAME for place in sorted(places)}
    return {place: path for place, path in paths.items() if path.is_file() and path.with_name(NOTE_NAME).is_file()}


def _renamed(copies: "pd.DataFrame", name_in: Callable[[str], str]) -> "pd.DataFrame":
    """Return a list of copies with paths relative to the audio folder, as those of the clips."""
    return copies.assign(path=copies["path"].map(name_in), source=copies["source"].map(name_in))


def _read(path: Path) -> "pd.DataFrame":
    try:
        copies = read_csv(path, ("path", "source"))
        copies["time_factor"] = copies["time_factor"].astype("float64")
    except (OSError, ValueError, KeyError) as error:
        raise CorpusError(
            f"{path}: cannot be read as the list of augmented copies ({error}). Run xval augment again."
        ) from error
    missing = [column for column in COPIES_COLUMNS if column not in copies]
    if missing:
        raise CorpusError(f"{path}: no column '{missing[0]}'. Run xval augment again with --overwrite.")
    factors = copies["time_factor"]
    faults = {
        "a time_factor that is not a finite number above 0": ~(np.isfinite(factors) & (factors > 0)),
        "no path or no source": (copies["path"] == "") | (copies["source"] == ""),
        "a path outside its folder": copies["path"].map(_leads_out) | copies["source"].map(_leads_out),
        "a path that another line has too": copies["path"].duplicated(),
    }
    for fault, is_wrong in faults.items():
        if is_wrong.any():
            path_there, source, factor = copies.loc[is_wrong, ["path", "source", "time_factor"]].iloc[0]
            raise CorpusError(
                f"{path}: {counted(is_wrong.sum(), 'line')} {verb_of(is_wrong.sum(), 'have')} {fault}, such as "
                f"'{path_there},{source},...,{factor}'. Run xval augment again with --overwrite."
            )
    return copies


def _leads_out(path: str) -> bool:
    """Return whether a path leads out of the folder of its list of copies, which may come from somebody else."""
    plain = PurePath(path.replace("\\", "/"))
    return bool(plain.anchor) or ".." in plain.parts
