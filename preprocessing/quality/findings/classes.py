"""Rules about classes and items with too few clips, numbers as classes, and labels that a review has changed."""

import re
from collections.abc import Iterator, Sequence
from functools import partial

import pandas as pd

from preprocessing.clips.label_sets import MULTI_LABEL
from preprocessing.clips.listing import first_names
from preprocessing.clips.table import natural_key
from preprocessing.corpora._tables import NUMBER, are_measurements
from preprocessing.quality.rules import (
    TASKS_WITH_CLASSES,
    Caution,
    Criteria,
    Fault,
    Features,
    Reasons,
    count_clips,
    count_labels,
    one_label_per_row,
)
from xval.base.errors import counted
from xval.base.findings import Finding
from xval.folds.random_split import is_random_split

SMALLEST_N_ITEMS = 3
_FEWEST_NUMBERS, _MOST_DIGITS = 3, 10  # two numbers, or numbers from 0 to 9, are names of classes
_first = partial(first_names, most=3)

CORRECTED = Finding(
    "a review corrected {n_changed} {n_changed:label|labels} and excluded {n_left_out} {n_left_out:clip|clips}, also tested "
    "ones, which favours the model whose predictions were reviewed",
    "Report the scores without the review too",
)
NUMBERS = Finding(
    "the {n} classes of {n_clips} {n_clips:clip|clips} are numbers ({names}) and are used as names",
    "If they are measured values, give --task-type regression (in a table)",
)
LONELY = Finding(
    "{n} of {n_classes} classes {n:has|have} clips of only one item ({names}), so the fold that tests it cannot train on them",
    "Remove them, merge them with others, or record more items",
)
NO_LABEL = Finding(
    "{n} of {n_clips} clips {n:has|have} no label, so {n:it is|they are} used as {n:a clip|clips} with nothing to find",
    "Remove clips whose labels are unknown",
)


@Fault(
    4,
    "too few items",
    "refused",
    f"Training, validation and test need one item each: at least {SMALLEST_N_ITEMS}.",
    "Check the choice of the item (--item, for folders --item-pattern), or add speakers.",
    "item",
)
def _too_few_items(facts: pd.DataFrame, _: Criteria) -> Reasons:
    items = sorted(set(count_clips(facts)["item"]), key=natural_key)
    return {} if len(items) >= SMALLEST_N_ITEMS else dict.fromkeys(items, f"one of {len(items)}") or {"none": "no usable clip"}


@Fault(
    5,
    "class of one item",
    "refused",
    "Only one item has clips of this class: when it is tested, the model has never seen the class.",
    "Remove the class, merge it with another, or give it at least two items, better three.",
    "class",
)
def _class_of_one_item(facts: pd.DataFrame, criteria: Criteria) -> Reasons:
    if criteria.task_type not in TASKS_WITH_CLASSES:
        return {}
    owners = count_labels(facts, criteria.task_type).groupby("label")["item"].unique()
    return {str(label): f"only item {items[0]}" for label, items in owners.items() if len(items) == 1}


@Fault(
    27,
    "class of one clip",
    "doubtful",
    "The class has only one clip.",
    "Remove the class, or merge it with another.",
    "class",
)
def _class_of_one_clip(facts: pd.DataFrame, criteria: Criteria) -> Reasons:
    if criteria.task_type not in TASKS_WITH_CLASSES:
        return {}
    return _single_clip_reasons(count_labels(facts, criteria.task_type), "label")


@Fault(
    28,
    "item of one clip",
    "doubtful",
    "The item has only one clip, while others have more; perhaps its name is misspelt.",
    "Check the name; its scores are based on one clip.",
    "item",
)
def _item_of_one_clip(facts: pd.DataFrame, _: Criteria) -> Reasons:
    clips = count_clips(facts)
    return {} if is_random_split(clips["item"].value_counts().tolist()) else _single_clip_reasons(clips, "item")


def _single_clip_reasons(clips: pd.DataFrame, column: str) -> Reasons:
    single = clips[~clips[column].duplicated(keep=False)]
    return {str(name): f"only {clip}" for name, clip in zip(single[column], single["clip"], strict=True)}


@Fault(
    19,
    "numbers as classes",
    "doubtful",
    "All labels are numbers, with fractions, gaps or few clips each: as classes, 20 is as far from 21 as from 90.",
    "If they are measured values, prepare the dataset with --task-type regression.",
    "class",
)
def _numbers_as_classes(facts: pd.DataFrame, criteria: Criteria) -> Reasons:
    clips = count_clips(facts)
    if criteria.task_type != "classification" or not are_measured(clips):
        return {}
    return {str(label): counted(n_clips, "clip") for label, n_clips in clips["label"].value_counts().items()}


def are_measured(clips: pd.DataFrame) -> bool:
    """Return whether all labels (column label) are numbers that look like measured values."""
    names = sorted(set(clips["label"]), key=natural_key)
    return all(NUMBER.fullmatch(name) for name in names) and (are_measurements(clips["label"].tolist()) or _are_no_codes(names))


def _are_no_codes(names: Sequence[str]) -> bool:
    """Return whether numbers have fractions or gaps, like ages; codes of classes are like 0 to 9, 1 to 50, or 01 and 03."""
    if any("." in name for name in names):
        return True
    if any(re.match(r"[+-]?0\d", name) for name in names):
        return False
    numbers = sorted(map(float, names))
    return len(names) >= _FEWEST_NUMBERS and numbers[-1] >= _MOST_DIGITS and numbers[-1] - numbers[0] >= len(names)


@Caution(1, CORRECTED)
def _warn_of_corrections(features: Features) -> Iterator[Finding]:
    if counts := features.corpus.corrections:
        yield CORRECTED.fill(n_changed=counts["n_changed"], n_left_out=counts["n_left_out"])


@Caution(4, NUMBERS)
def _warn_of_numbers(features: Features) -> Iterator[Finding]:
    if features.corpus.task_type == "classification" and are_measured(features.clips):
        names = sorted(set(features.clips["label"]), key=natural_key)
        yield NUMBERS.fill(n=len(names), n_clips=len(features.clips), names=_first(names))


@Caution(5, LONELY)
def _warn_of_lonely_classes(features: Features) -> Iterator[Finding]:
    task_type, clips = features.corpus.task_type, features.clips
    if task_type in TASKS_WITH_CLASSES:
        rows = one_label_per_row(clips) if task_type == MULTI_LABEL else clips
        n_items = rows.groupby("label")["item"].nunique()
        lonely = sorted(map(str, n_items.index[n_items == 1]), key=natural_key)
        if lonely:
            yield LONELY.fill(n=len(lonely), n_classes=len(n_items), names=_first(lonely))


@Caution(6, NO_LABEL)
def _warn_of_no_label(features: Features) -> Iterator[Finding]:
    if features.corpus.task_type == MULTI_LABEL and (n_without := int((features.clips["label"] == "").sum())):
        yield NO_LABEL.fill(n=n_without, n_clips=len(features.clips))
