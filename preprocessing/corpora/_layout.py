"""What the files of this folder share: list a corpus's audio files, match their names, choose item and label.

Comes in: a folder as a corpus is distributed. Goes out: paths, matches, and the table that `list_clips` returns; or an error
that names what was expected and what was found.
"""

import re
from collections.abc import Collection, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from preprocessing.clips.listing import describe_folder, shorten
from xval.base.errors import CorpusError, SettingsError, suggestion

if TYPE_CHECKING:
    import pandas as pd


def match_paths(paths: Sequence[str], pattern: re.Pattern[str], expected: str, folder: Path) -> dict[str, re.Match[str]]:
    """Return the match of every path.

    Args:
        paths: Relative to the folder.
        pattern: Matches the whole path.
        expected: What it describes, for the error.
        folder: For the error.
    """
    matches = {path: pattern.fullmatch(path) for path in paths}
    wrong = [path for path, match in matches.items() if match is None]
    if len(wrong) == len(paths):
        raise CorpusError(f"{folder} holds no {expected}. Found: {shorten(wrong) or describe_folder(folder)}.")
    if wrong:
        kinds = ", ".join(sorted({PurePosixPath(path).suffix.lstrip(".").lower() for path in wrong}))
        raise CorpusError(
            f"{folder} holds {len(wrong)} {kinds} files that are not named as {expected}: {shorten(wrong)}. Rename them or "
            "move them away."
        )
    return {path: match for path, match in matches.items() if match is not None}


def read_names(paths: Sequence[str], pattern: re.Pattern[str], expected: str, folder: Path) -> "pd.DataFrame":
    """Return what the names of the files say: ``path``, and a text column for every named group of the pattern.

    Args are those of `match_paths`.
    """
    import pandas as pd

    matches = match_paths(paths, pattern, expected, folder)
    return pd.DataFrame([{"path": path, **match.groupdict()} for path, match in matches.items()])


def prefer_folder(paths: Sequence[str], name: str) -> list[str]:
    """Return the paths that lead through a folder of this name where there are any; else all of them."""
    return [path for path in paths if name in PurePosixPath(path).parts[:-1]] or list(paths)


def find_file(folder: Path, name: str) -> Path | None:
    """Return a file that describes the corpus: in the folder, in one of its folders, or beside it; None: nowhere there.

    Args:
        folder: Where the audio lies, or what an archive was unpacked to.
        name: The file's name, or the end of its path: ``meta/classes.csv``.
    """
    candidates = (folder / name, *sorted(folder.glob(f"*/{name}")), folder.parent / name)
    return next((path for path in candidates if path.is_file()), None)


def clip_table(facts: "pd.DataFrame", *, item: str, label: str, numbers: Collection[str] = ()) -> "pd.DataFrame":
    """Choose item and label among what is known of each clip.

    Args:
        facts: path, and a column per fact; phase, fold, start_s, end_s and clip are kept as they are, and gender, age, accent
            and native_speaker as further columns, for figures by group.
        item: The column of the foldable item; ``fold`` too, where the corpus comes in folds.
        label: The column of the target, or several with commas: names are joined (``angry_strong``), numbers become
            the targets of a regression, ``label:<name>``. Where a name is missing, the label is empty, which `check_clips`
            refuses.
        numbers: The columns that are numbers to be predicted.

    Returns:
        What `list_clips` returns, sorted by path.
    """
    keys = [column for column in facts.columns if column not in _KEPT]
    chosen = split_names(label)
    for option, names, known in (("item", [item], [*keys, "fold"]), ("label", chosen, keys)):
        for name in names:
            if name not in known or name not in facts:
                raise CorpusError(f"--{option} {name}: nothing of that name is known here. {suggestion(name, keys)}")
    if len(set(chosen)) < len(chosen):
        raise CorpusError(f"--label {label}: a name stands there twice; give each once.")
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
    further = [name for name in _FURTHER if name in facts and name not in (item, *chosen)]
    return clips.assign(**{name: facts[name] for name in further}).sort_values("path", kind="stable", ignore_index=True)


def add_gender_folds(facts: "pd.DataFrame", label: str) -> "pd.DataFrame":
    """Add the column fold: the women are tested by what the men trained, and the other way round.

    Args:
        facts: Its column gender is female or male.
        label: What is predicted, for it cannot be the gender then.

    Returns:
        The facts with fold, int: 1 female, 2 male.
    """
    if "gender" in split_names(label):
        raise SettingsError(
            f"--folds gender --label {label}: every fold would test a gender that nothing trained. Leave --folds gender out."
        )
    found = sorted(set(facts["gender"]))
    if len(found) < len(_GENDER_FOLDS):
        raise CorpusError(f"--folds gender: one gender is trained and the other tested, but all clips are {found[0]}.")
    return facts.assign(fold=facts["gender"].map(_GENDER_FOLDS))


def task_type(label: str, numbers: Collection[str]) -> str:
    """Return ``regression`` where the label is a number, or several."""
    return "regression" if all(name in numbers for name in split_names(label)) else "classification"


def split_names(text: str) -> list[str]:
    """Return the names in a text that separates them with commas."""
    return [name.strip() for name in text.split(",")]


_GENDER_FOLDS = {"female": 1, "male": 2}
_KEPT = ("path", "clip", "phase", "fold", "start_s", "end_s")
_FURTHER = ("gender", "age", "accent", "native_speaker")
