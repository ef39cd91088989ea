"""Functions that the readers of this folder share: match the names of audio files with patterns, and choose item and label.

Errors say what was expected and what was found.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from preprocessing.clips.listing import ITEM_NAME, describe_folder, list_audio, shorten
from xval.base.errors import CorpusError, SettingsError, UsageError, counted, suggestion, verb_of

if TYPE_CHECKING:
    import pandas as pd


def read_names(folder: Path, pattern: re.Pattern[str], expected: str, paths: Sequence[str] | None = None) -> "pd.DataFrame":
    """Return the facts in the names of audio files: the column path, and a text column for every named group of a pattern.

    Args:
        folder: Folder of the corpus.
        pattern: Pattern of a whole path, relative to the folder.
        expected: An example of such a path, for errors.
        paths: Paths relative to the folder; None: all audio files in it and below it.

    Raises:
        CorpusError: There are no audio files, or a path does not match the pattern.
    """
    import pandas as pd

    names = list_audio(folder, expected) if paths is None else paths
    matches = {path: pattern.fullmatch(path) for path in names}
    wrong = [path for path, match in matches.items() if match is None]
    if len(wrong) == len(matches):
        raise CorpusError(f"{folder} has no {expected}. Found: {shorten(wrong) or describe_folder(folder)}.")
    if wrong:
        kinds = ", ".join(sorted({PurePosixPath(path).suffix.lstrip(".").lower() for path in wrong}))
        raise CorpusError(
            f"{folder} has {counted(len(wrong), f'{kinds} file')} that {verb_of(len(wrong))} not named like {expected}: "
            f"{shorten(wrong)}. Rename them or move them away."
        )
    return pd.DataFrame([{"path": path, **match.groupdict()} for path, match in matches.items() if match])


def prefer_folder(paths: Sequence[str], name: str) -> list[str]:
    """Return the paths in a folder of this name; if there are none, all paths."""
    return [path for path in paths if name in PurePosixPath(path).parts[:-1]] or list(paths)


def find_file(folder: Path, name: str, advice: str) -> Path:
    """Return the path of a file that describes the corpus: in the folder, in one of its subfolders, or next to it.

    Args:
        folder: The folder of the audio, or the folder into which an archive was unpacked.
        name: The name of the file, or the end of its path, such as ``meta/classes.csv``.
        advice: How the error continues after the name of the folder.

    Raises:
        CorpusError: There is no such file.
    """
    for path in (folder / name, *sorted(folder.glob(f"*/{name}")), folder.parent / name):
        if path.is_file():
            return path
    raise CorpusError(f"No {name} in {folder}{advice}")


def clip_table(
    facts: "pd.DataFrame",
    *,
    item: str,
    label: str,
    numbers: Collection[str] = (),
    folds: str = "none",
    keeps_others: bool = True,
) -> "pd.DataFrame":
    """Make the table of clips from the facts about each clip, by choosing its item and label.

    Args:
        facts: One row per clip: path, and a column for each fact; phase, fold, start_s, end_s and clip stay as they are.
        item: The fact that is the item; ``fold`` is possible if the corpus has folds.
        label: The fact that is the label, or several separated by commas: names are joined (``angry_strong``), numbers become
            the targets of a regression, ``label:<name>``. If a name is missing, the joined label is empty, for which
            `check_clips` raises an error.
        numbers: The facts that are numbers to predict.
        folds: ``gender``: add the column fold, with one fold that tests the women with a model of the men, and one that tests
            the men; ``none``: do not add it.
        keeps_others: Whether all other facts, and each part of a joined label, are additional columns, for scores by subgroup.
            False for tables whose columns may have any name.

    Returns:
        The table that `list_clips` returns, sorted by path.

    Raises:
        CorpusError: There is no such fact, a fact is named twice, or numbers and names are chosen together.
    """
    if folds == "gender":
        facts = add_gender_folds(facts, label)
    keys = [column for column in facts.columns if column not in _KEPT]
    chosen = split_names(label)
    for option, names, known in (("item", [item], [*keys, *facts.columns.intersection(["fold"])]), ("label", chosen, keys)):
        refuse_unknown(option, names, known, "unknown name.", keys)
    if len(set(chosen)) < len(chosen):
        raise CorpusError(f"--label {label}: a name appears twice. Give each once.")
    are_numbers = {name in numbers for name in chosen}
    if len(are_numbers) > 1:
        raise CorpusError(f"--label {label}: numbers ({', '.join(sorted(numbers))}) and names cannot be predicted together.")
    clips = facts[[column for column in facts.columns if column in _KEPT]].copy()
    clips.insert(1, "item", facts[item].astype(str))
    if are_numbers == {True}:
        for position, name in enumerate(chosen):
            clips.insert(2 + position, f"label:{name}", facts[name])
    elif len(chosen) == 1:
        clips.insert(2, "label", facts[chosen[0]])
    else:
        parts = facts[chosen].astype(object).where(facts[chosen].notna(), "").astype(str)
        clips.insert(2, "label", parts.agg("_".join, axis=1).where((parts != "").all(axis=1), ""))
    named = chosen if len(chosen) == 1 or are_numbers == {True} else []  # parts of a joined label are additional columns
    further = [name for name in keys if name not in (item, *named)] if keeps_others else []
    listed = clips.assign(**{name: facts[name] for name in further}).sort_values("path", kind="stable", ignore_index=True)
    listed.attrs[ITEM_NAME] = item
    return listed


def add_gender_folds(facts: "pd.DataFrame", label: str) -> "pd.DataFrame":
    """Add the column fold (int; 1: female, 2: male) from the column gender.

    Raises:
        SettingsError: The gender is a label, too.
        CorpusError: All clips are of one gender.
    """
    if "gender" in split_names(label):
        raise SettingsError(
            f"--folds gender --label {label}: every fold would test a gender that was never trained on. Remove --folds gender."
        )
    genders = sorted(set(facts["gender"]))
    if len(genders) < len(_GENDER_FOLDS):
        raise CorpusError(
            f"--folds gender: trains on one gender and tests on the other, but all clips are {genders[0]}. Remove --folds "
            "gender."
        )
    return facts.assign(fold=facts["gender"].map(_GENDER_FOLDS))


def refuse_unknown(
    option: str,
    names: Iterable[str],
    known: Collection[str],
    why: str,
    suggested: Collection[str] = (),
    error: type[UsageError] = CorpusError,
) -> None:
    """Check that the names in an option are known.

    Args:
        option: Name of the option without its dashes.
        names: The names that the option has.
        known: The allowed names.
        why: What is wrong with another name, for the error.
        suggested: The names that the error suggests; empty: all allowed names.
        error: Class of the error.

    Raises:
        UsageError: A name is not among the known ones; of the class ``error``.
    """
    for name in names:
        if name not in known:
            raise error(f"--{option} {name}: {why} {suggestion(name, suggested or known)}")


def split_names(text: str) -> list[str]:
    """Return the names in a text in which they are separated by commas."""
    return [name.strip() for name in text.split(",")]


_GENDER_FOLDS = {"female": 1, "male": 2}
_KEPT = ("path", "clip", "phase", "fold", "start_s", "end_s")
