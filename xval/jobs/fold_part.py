"""Reduce a fold to the part that an instance uses, by train_where, test_where, train_fraction and enrolment_s.

Folds are assigned before and are the same for all instances, so that instances stay comparable.
"""

import math
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from preprocessing.clips.columns import COLUMNS_NAME, with_columns
from preprocessing.clips.index_file import INDEX_NAME, read_index
from preprocessing.clips.label_sets import labels_of
from preprocessing.clips.listing import shorten
from xval.base.errors import FoldsError, SettingsError, counted, suggestion
from xval.data.item_scaling import enrolment_of
from xval.folds.condition import Condition
from xval.folds.plan import Fold
from xval.folds.predefined import SIDES
from xval.settings.schema import Settings

if TYPE_CHECKING:
    import pandas as pd

Clips = Mapping[str, frozenset[str]]
"""The clips that count, by side; all clips of a side that is missing."""


def uses_part(settings: Settings) -> bool:
    """Return whether an instance uses only a part of its folds."""
    return settings.train_fraction < 1 or _chooses_clips(settings)


def _chooses_clips(settings: Settings) -> bool:
    return any(value is not None for value in (settings.train_where, settings.test_where, settings.enrolment_s))


def choose_clips(settings: Settings, clips: "pd.DataFrame") -> Clips:
    """Return the training, validation and test clips of an instance: those of its conditions, without its enrolment.

    The table is from `preprocessing.clips.columns.with_columns`.

    Raises:
        SettingsError: A condition names an unknown column, or compares a text with a number.
    """
    chosen, everything = _choose_by_condition(settings, clips), frozenset(clips["clip"])
    return chosen | {side: chosen.get(side, everything) - first for side, first in choose_enrolment(settings, clips).items()}


def choose_enrolment(settings: Settings, clips: "pd.DataFrame") -> Clips:
    """Return the first clips of each item, by side, which scale it and are not used for validation or test (enrolment_s).

    Raises:
        SettingsError: As for `choose_clips`; or the clips have no length.
    """
    if settings.enrolment_s is None:
        return {}
    chosen, originals, first = _choose_by_condition(settings, clips), clips[~clips["augmented"].astype(bool)], {}
    for side in ("validation", "test"):
        side_clips = originals[originals["clip"].isin(chosen[side])] if side in chosen else originals
        is_first = enrolment_of(side_clips["item"], side_clips["duration_s"], settings.enrolment_s)
        first[side] = frozenset(side_clips["clip"][is_first])
    return first


def _choose_by_condition(settings: Settings, clips: "pd.DataFrame") -> dict[str, frozenset[str]]:
    conditions = {"training": settings.train_where, "validation": settings.train_where, "test": settings.test_where}
    clips_of_side = {}
    for side, text in conditions.items():
        if text is not None:
            try:
                clips_of_side[side] = frozenset(clips.loc[Condition(text).choose(clips), "clip"])
            except SettingsError as error:
                raise SettingsError(f"{'test' if side == 'test' else 'train'}_where, {error}") from error
    return clips_of_side


def read_clips_of(settings: Settings, corpus_folder: Path) -> Clips:
    """Return the result of `choose_clips`; if all clips count, no file of the corpus is read.

    Raises:
        SettingsError: As `choose_clips`.
        CorpusError: The index or its further columns cannot be read.
    """
    return choose_clips(settings, _read_clips(corpus_folder)) if _chooses_clips(settings) else {}


def read_enrolment_of(settings: Settings, corpus_folder: Path) -> Clips:
    """Return the result of `choose_enrolment`; without enrolment_s no file of the corpus is read.

    Raises:
        SettingsError: As `choose_enrolment`.
        CorpusError: The index or its further columns cannot be read.
    """
    return {} if settings.enrolment_s is None else choose_enrolment(settings, _read_clips(corpus_folder))


def read_clip_weights(settings: Settings, corpus_folder: Path) -> dict[str, float] | None:
    """Return the weight of each clip in the training loss, by name; a copy has that of its source. None: equal weights.

    Raises:
        SettingsError: The corpus has no such column, or a weight is not a number above 0.
    """
    if settings.weight_column is None:
        return None
    clips = _read_clips(corpus_folder).set_index("clip")
    if settings.weight_column not in clips:
        known = suggestion(settings.weight_column, sorted(map(str, clips.columns)))
        raise SettingsError(
            f"weight_column={settings.weight_column}: the dataset has no such column. {known} Prepare it again "
            "from a table with this column (xval prepare table)."
        )
    sources = [clip if source not in clips.index else source for clip, source in clips["source_clip"].items()]
    given: dict[str, Any] = dict(zip(map(str, clips.index), clips.loc[sources, settings.weight_column], strict=True))
    wrong = [
        clip for clip, weight in given.items() if not (isinstance(weight, int | float | np.number) and 0 < weight < math.inf)
    ]
    if wrong:
        raise SettingsError(
            f"weight_column={settings.weight_column}: the clip {wrong[0]} has the weight {given[wrong[0]]} "
            f"({counted(len(wrong), 'such clip')}); expected finite numbers above 0. To exclude a clip, remove it "
            "from the dataset."
        )
    return {clip: float(weight) for clip, weight in given.items()}


def part_of_fold(fold: Fold, settings: Settings, clips: "pd.DataFrame", seed: int) -> Fold:
    """Return a fold with the items that an instance uses.

    Items without a clip that satisfies the conditions are excluded. The share ``train_fraction`` of the remaining training
    items stays, rounded, at least one: the first ones of an order that depends on the seed, so that a smaller share is a subset
    of a larger one. The order begins with items that together have every label.

    A side of the fold may be empty; `clips` is from `preprocessing.clips.columns.with_columns`; the seed is that of the job.

    Raises:
        SettingsError: As for `choose_clips`, or enrolment_s leaves no clip of an item.
        FoldsError: A side has no item left, a validation or test label has no training item, or enrolment_s leaves no clip of a
            label to test.
    """
    original = clips[~clips["augmented"].astype(bool)]
    chosen, enrolment = choose_clips(settings, original), choose_enrolment(settings, original)
    labels: dict[str, dict[str, set[str]]] = {}
    for side in SIDES:
        side_clips = original[original["item"].isin(getattr(fold, side))]
        if side in chosen:
            enrolled = side_clips[side_clips["clip"].isin(enrolment.get(side, ()))]
            side_clips = side_clips[side_clips["clip"].isin(chosen[side])]
            if len(enrolled):
                _check_enrolment(fold, side, enrolled, side_clips, settings)
        names: list[list[str]] = [[]] * len(side_clips)
        if settings.task.stratifies_classes:
            names = labels_of(side_clips["label"], settings.task.corpus_type)
        labels[side] = {item: set() for item in sorted(set(side_clips["item"]))}
        for item, label in zip(side_clips["item"], names, strict=True):
            labels[side][item].update(label)
        if getattr(fold, side) and not labels[side]:
            name = "test_where" if side == "test" else "train_where"
            raise FoldsError(
                f"fold {fold.number}: {name}={getattr(settings, name)!r} excludes all clips of its "
                f"{counted(len(getattr(fold, side)), f'{side} item')}. Use another condition or other folds."
            )
    order = _order(labels["training"], seed)
    n_training = max(1, round(settings.train_fraction * len(order)))
    labels["training"] = {item: labels["training"][item] for item in sorted(order[:n_training])}
    trained = set().union(*labels["training"].values())
    for side in ("validation", "test"):
        if unseen := set().union(*labels[side].values()) - trained:
            raise FoldsError(
                f"fold {fold.number}: the {n_training} training items (train_fraction={settings.train_fraction:g}, train_where="
                f"{settings.train_where!r}) lack the label '{min(unseen)}' of {side} items. Use a larger share or "
                "another condition."
            )
    return Fold(fold.number, *(tuple(labels[side]) for side in SIDES))


def describe_left_out(fold: Fold, part: Fold, settings: Settings) -> str:
    """Return a line on the items that a condition excludes from a fold; empty if it excludes none."""
    sides = SIDES if settings.train_fraction == 1 else ("validation", "test")  # a share is no condition
    lost = {side: sorted(set(getattr(fold, side)) - set(getattr(part, side))) for side in sides}
    listed = "; ".join(f"{side}: {', '.join(items)}" for side, items in lost.items() if items)
    return listed and f"fold {fold.number}: no clip is left of the items {listed}"


def _order(labels: Mapping[str, set[str]], seed: int) -> list[str]:
    """Return items in the order of their use: first a few that together have every label, found greedily."""
    names = sorted(labels)
    waiting = [names[place] for place in np.random.default_rng(seed).permutation(len(names))]
    missing, first = set().union(*labels.values()), list[str]()
    while missing:
        best = max(waiting, key=lambda item: len(labels[item] & missing))  # the first of those that have as many
        waiting.remove(best)
        first.append(best)
        missing -= labels[best]
    return [*first, *waiting]


def _check_enrolment(fold: Fold, side: str, enrolled: "pd.DataFrame", counted: "pd.DataFrame", settings: Settings) -> None:
    """Raise an error for items whose clips are all needed for scaling, and for an enrolment with all clips of a label."""
    seconds = enrolled[~enrolled["item"].isin(counted["item"])].groupby("item")["duration_s"].sum()
    if len(seconds):
        listed = shorten([f"{item} ({in_all_s:.3g} s in all)" for item, in_all_s in seconds.items()], 5)
        raise SettingsError(
            f"fold {fold.number}: enrolment_s={settings.enrolment_s:g} leaves no clip for {side} of {listed}: the first "
            "clips, up to so many seconds, scale a speaker, and the others are tested. Lower enrolment_s, or exclude such "
            f"items by {'test' if side == 'test' else 'train'}_where."
        )
    if side == "test" and settings.task.stratifies_classes:
        enrolled_labels, tested = (
            set().union(*labels_of(clips["label"], settings.task.corpus_type)) for clips in (enrolled, counted)
        )
        if lost := sorted(enrolled_labels - tested):
            raise FoldsError(
                f"fold {fold.number}: enrolment_s={settings.enrolment_s:g} leaves no clip of {', '.join(lost)} to test, "
                "because the first clips of each speaker (by name) have these labels. Lower enrolment_s, or name the clips "
                "in the order of recording."
            )


def _read_clips(corpus_folder: Path) -> "pd.DataFrame":
    """Return the index with its further columns."""
    stamps = [path.stat().st_mtime_ns for name in (INDEX_NAME, COLUMNS_NAME) if (path := corpus_folder / name).exists()]
    return _read_clips_once(corpus_folder.resolve(), tuple(stamps))


@lru_cache(maxsize=1)
def _read_clips_once(corpus_folder: Path, _stamps: tuple[int, ...]) -> "pd.DataFrame":
    """Return the same, once per process and state of the files."""
    return with_columns(read_index(corpus_folder / INDEX_NAME)[0], corpus_folder)
