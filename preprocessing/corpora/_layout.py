"""What the readers of this folder share: list audio files, match their names with patterns, and choose item and label.

Errors name what was expected and what was found.
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
    """Return what the names of audio files say: ``path``, and a text column for every named group of the pattern.

    Args:
        folder: Of the corpus.
        pattern: Matches the whole path.
        expected: What it describes, for the error.
        paths: Relative to the folder; None: all audio files in it and below.
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
    """Return the paths that lead through a folder of this name where there are any; else all of them."""
    return [path for path in paths if name in PurePosixPath(path).parts[:-1]] or list(paths)


def find_file(folder: Path, name: str, advice: str) -> Path:
    """Return a file that describes the corpus: in the folder, in one of its folders, or next to it; else refuse the corpus.

    Args:
        folder: Where the audio is, or what an archive was unpacked to.
        name: The file's name, or the end of its path: ``meta/classes.csv``.
        advice: How the error continues behind the folder.
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
    """Choose item and label among what is known of each clip.

    Args:
        facts: path, and a column per fact; phase, fold, start_s, end_s and clip are kept as they are.
        item: The column of the foldable item; ``fold`` too, where the corpus comes in folds.
        label: The column of the target, or several with commas: names are joined (``angry_strong``), numbers become
            the targets of a regression, ``label:<name>``. Where a name is missing, the label is empty, which `check_clips`
            refuses.
        numbers: The columns that are numbers to be predicted.
        folds: gender: add the column fold, in which the women are tested by what the men trained, and the other way round.
        keeps_others: What is neither the item nor the label, and each part of a joined label, are further columns, for scores
            by group. Not for tables from elsewhere, whose columns have any name.

    Returns:
        What `list_clips` returns, sorted by path.
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
    named = chosen if len(chosen) == 1 or are_numbers == {True} else []  # of a joined label the parts are further columns
    further = [name for name in keys if name not in (item, *named)] if keeps_others else []
    listed = clips.assign(**{name: facts[name] for name in further}).sort_values("path", kind="stable", ignore_index=True)
    listed.attrs[ITEM_NAME] = item
    return listed


def add_gender_folds(facts: "pd.DataFrame", label: str) -> "pd.DataFrame":
    """Add the column fold, int, 1 female, 2 male, from the column gender, which cannot be the label then."""
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
    """Refuse a name in an option that is not among those that are known.

    Args:
        option: Without its dashes.
        names: What was received.
        known: What is allowed.
        why: What is wrong with another name, for the error.
        suggested: What is suggested in its place, where that is not all that is known.
        error: What is raised.
    """
    for name in names:
        if name not in known:
            raise error(f"--{option} {name}: {why} {suggestion(name, suggested or known)}")


def split_names(text: str) -> list[str]:
    """Return the names in a text that separates them with commas."""
    return [name.strip() for name in text.split(",")]


_GENDER_FOLDS = {"female": 1, "male": 2}
_KEPT = ("path", "clip", "phase", "fold", "start_s", "end_s")
