"""Rules about audio that a dataset has more than once: identical, overlapping, copied or nearly identical."""

from collections.abc import Iterator
from typing import Literal

import pandas as pd

from preprocessing.audio.read import SILENCE_PEAK_DBFS
from preprocessing.clips.near_pairs import FILE_NAME, read_across_items
from preprocessing.clips.table import label_columns
from preprocessing.quality.rules import TASKS_WITH_CLASSES, Caution, Criteria, Fault, Features, Find, PreparingCaution, Reasons
from xval.base.findings import Finding
from xval.folds.shared_audio import describe_shared_file, find_shared_audio, find_shared_files

NEAR = Finding(
    "{n} {n:pair|pairs} of clips of different items have nearly the same {kind}, such as {clip} and {other_clip} ({file} lists "
    "all)",
    "Listen, and give both one item or remove one",
)
SHARED_FILE = Finding(
    "{file}{n:| ({n} such files)}, so one recording may be in training and test",
    "Give the segments of a file one item, unless different people speak in them",
)
ACROSS_ITEMS = Finding(
    "{n} clips have identical audio under several items, and folds do not separate them",
    "List them with xval prepare {corpus} ... --check",
)
CONTRADICTING = Finding(
    "{n} {n:clip|clips} have the same audio as another clip with another label, such as {first} and {second}",
    "Correct the labels or remove these clips, because any prediction is wrong for one of them",
)


def same_audio(differing: Literal["item", "label"] | None) -> Find:
    """Return a function of a rule that finds clips with the same decoded audio as another clip.

    Args:
        differing: The column in which these clips differ; None: all of them belong to the same item.
    """

    def find(facts: pd.DataFrame, _: Criteria) -> Reasons:
        if "audio_hash" not in facts:
            return {}
        labels = facts[label_columns(facts.columns)].map(str).agg(", ".join, axis=1)
        audible = facts.assign(label=labels)[facts["audio_hash"].notna() & (facts["peak_dbfs"] >= SILENCE_PEAK_DBFS)]
        repeated = audible[audible["audio_hash"].duplicated(keep=False)]
        return {
            row: text
            for _, group in repeated.groupby("audio_hash", sort=False)
            if (group[differing or "item"].nunique() > 1) is (differing is not None)
            for row, text in _others(group, differing)
        }

    return find


def nearly_identical(*, across_items: bool) -> Find:
    """Return a function of a rule that finds clips that contain the same recording as a clip of another, or the same, item."""

    def find(facts: pd.DataFrame, _: Criteria) -> Reasons:
        if "twin" not in facts:
            return {}
        clips = facts[facts["twin"].notna()]
        others = facts.loc[clips["twin"], ["clip", "item"]].itertuples(index=False)
        return {
            int(row): f"the recording of {clip} (item {other}), likeness {likeness:.2f}"
            for (row, item, likeness), (clip, other) in zip(clips[["item", "likeness"]].itertuples(), others, strict=True)
            if (item != other) is across_items
        }

    return find


def _others(group: pd.DataFrame, differing: str | None) -> Iterator[tuple[int, str]]:
    """Yield each row of a group of equal clips with a text that names another clip; given a column, one that differs in it."""
    clips = list(group["clip"])
    values = list(range(len(group)) if differing is None else group[differing])
    second = next(position for position, value in enumerate(values) if value != values[0])
    more = f" and {len(clips) - 2} more" if len(clips) > 2 else ""
    for row, value in zip(group.index, values, strict=True):
        other = 0 if value != values[0] else second
        named = "" if differing is None else f" ({differing} {values[other]})"
        yield int(row), f"same audio as {clips[other]}{named}{more}"


@PreparingCaution(1, ACROSS_ITEMS)
def _warn_of_items_with_the_same_audio(features: Features) -> Iterator[Finding]:
    clips, corpus = features.clips, features.corpus
    n_shared = int((clips.groupby("audio_hash")["item"].transform("nunique") > 1).sum())
    if n_shared and not corpus.is_custom:
        yield ACROSS_ITEMS.fill(n=n_shared, corpus=corpus.corpus)


@Caution(2, NEAR)
def _warn_of_near(features: Features) -> Iterator[Finding]:
    pairs = read_across_items(features.corpus.folder, features.corpus.index_hash)
    if pairs is not None and not pairs.empty:
        kind = "values" if features.corpus.is_custom else "audio"
        yield NEAR.fill(n=len(pairs), kind=kind, file=FILE_NAME, **pairs.iloc[0][["clip", "other_clip"]])


@Caution(3, SHARED_FILE)
def _warn_of_shared_files(features: Features) -> Iterator[Finding]:
    shared = list(find_shared_files(features.clips))
    if shared:
        yield SHARED_FILE.fill(file=describe_shared_file(shared[0]), n=len(shared))


@Caution(10, CONTRADICTING)
def _warn_of_contradicting_labels(features: Features) -> Iterator[Finding]:
    if features.corpus.is_custom or features.corpus.task_type not in (*TASKS_WITH_CLASSES, "regression"):
        return
    clips, columns = features.clips, list(features.corpus.target_columns.values()) or ["label"]
    labels = clips[columns].astype(str).agg(", ".join, axis=1)
    wrong = clips.assign(label=labels)[labels.groupby(clips["audio_hash"]).transform("nunique") > 1]
    if not wrong.empty:
        same = wrong[wrong["audio_hash"] == wrong["audio_hash"].iloc[0]].drop_duplicates("label")
        first, second, *_ = [f"{clip} ({label})" for clip, label in zip(same["clip"], same["label"], strict=True)]
        yield CONTRADICTING.fill(n=len(wrong), first=first, second=second)


@Fault(
    2,
    "overlapping across items",
    "refused",
    "Segments of one file, of links to it or of copies of it overlap and belong to several items (leakage).",
    "Give both clips the same item, or correct where they begin and end.",
)
def _overlaps_across_items(facts: pd.DataFrame, _: Criteria) -> Reasons:
    clips = facts.assign(path=facts["recording"], audio_hash=None, source_clip=None)
    return {
        row: text.replace("same audio as", "overlaps with")
        for _, group in find_shared_audio(clips)
        if group[["start_s", "end_s"]].notna().any(axis=None)
        for row, text in _others(group, "item")
    }


@Fault(
    3,
    "copies across items",
    "refused",
    "A clip and copies of it (column source_clip) belong to several items (leakage).",
    "Give a copy the item of its source.",
)
def _copies_across_items(facts: pd.DataFrame, _: Criteria) -> Reasons:
    source = facts["source_clip"].fillna(facts["clip"])
    groups = [group for _, group in facts[source.duplicated(keep=False)].groupby(source, sort=False)]
    return {
        row: text.replace("same audio as", "copy, or source, of")
        for group in groups
        if group["item"].nunique() > 1 and group["source_clip"].notna().any()
        for row, text in _others(group, "item")
    }


@Fault(
    6,
    "one file across items",
    "doubtful",
    "Segments of one file, of links to it or of copies of it belong to several items: one recording is in training and test.",
    "Give all of them the same item, unless different people speak in them (--shared-files keep).",
)
def _shared_files(facts: pd.DataFrame, _: Criteria) -> Reasons:
    return {
        row: text.replace("same audio as", "a segment of the file of")
        for group in find_shared_files(facts.assign(path=facts["recording"]))
        for row, text in _others(group, "item")
    }


@Fault(
    7,
    "items share a column",
    "doubtful",
    "Several items share one value of a column, as sessions of one speaker do: folds over items put it on two sides.",
    "To test on unseen values, make that column the item.",
    "column",
)
def _columns_of_several_items(_: pd.DataFrame, criteria: Criteria) -> Reasons:
    return {column.column: column.describe() for column in criteria.shared_columns}


FAULTS = (
    Fault(
        1,
        "identical across items",
        "refused",
        "The same decoded audio belongs to several items: a model trained on one is tested on the other (leakage).",
        "Give both clips the same item, or remove one of them from the dataset.",
    )(same_audio("item")),
    Fault(
        8,
        "nearly identical across items",
        "doubtful",
        "One recording belongs to several items, at another level, in another encoding or with other ends: a model trained "
        "on one is tested on the other (leakage). Folds do not detect this.",
        "Listen; give both clips the same item, or remove one of them from the dataset.",
    )(nearly_identical(across_items=True)),
    Fault(
        9,
        "identical, other label",
        "doubtful",
        "The same decoded audio has several labels.",
        "Listen and correct the wrong label; remove ambiguous clips.",
    )(same_audio("label")),
    Fault(
        16,
        "identical",
        "doubtful",
        "One item has the same decoded audio more than once.",
        "Remove one; it counts twice in training or test.",
    )(same_audio(None)),
    Fault(
        17,
        "nearly identical",
        "doubtful",
        "One item has a recording more than once, at another level, in another encoding or with other ends.",
        "Remove one; it counts twice in training or test.",
    )(nearly_identical(across_items=False)),
)
