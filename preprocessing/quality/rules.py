"""The kinds of rules in preprocessing/quality/findings/, their inputs, and functions that several of them use."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

import pandas as pd

from preprocessing.annotations.annotation_settings import FrameSettings
from preprocessing.audio.read import SILENCE_PEAK_DBFS
from preprocessing.clips.label_sets import MULTI_LABEL, split_labels
from preprocessing.clips.table import natural_key
from preprocessing.corpus import Corpus
from preprocessing.features.feature_settings import FeatureSettings
from xval.base.findings import Finding, Rule
from xval.folds.shared_columns import SharedColumn

TASKS_WITH_CLASSES = ("classification", MULTI_LABEL)
PACKAGE = "preprocessing.quality.findings"

Reasons: TypeAlias = dict[int | str, str]
"""Why a fault was found: a text for each clip (by its row), or for each class, item or sample rate (by its name); entries that
belong together are next to each other."""

Find: TypeAlias = "Callable[[pd.DataFrame, Criteria], Reasons]"


class Fault(Rule):
    """A rule that looks for a fault in the facts about every clip. Its slug is the name of the fault in quality.csv.

    Its level is refused (no folds can be made of such a dataset), left out (preprocessing skips the clip), or doubtful (the
    clip or dataset is used as it is). Fields in braces in its message are limits of `Criteria`.
    """

    def __init__(
        self,
        position: float,
        slug: str,
        level: Literal["refused", "left out", "doubtful"],
        message: str,
        advice: str,
        subject: str = "clip",
        *,
        shows_first: bool = False,
    ) -> None:
        finding = Finding(message, advice, slug, level=level, subject=subject, shows_first=shows_first)
        super().__init__(position, finding)


class Caution(Rule):
    """A rule about a prepared dataset for ``xval prepare`` and every run: `find` takes `Features` and yields findings."""


class PreparingCaution(Rule):
    """A rule like a `Caution`, whose findings only ``xval prepare`` prints."""


@dataclass(frozen=True)
class Criteria:
    """What counts as a fault.

    Attributes:
        min_duration_s: Clips shorter than this are too short (seconds).
        clipped_share: Clips with at least this share of clipped samples are clipped (0 to 1).
        task_type: Task of the dataset.
        settings: Settings of the features to be computed.
        has_examples: Whether clips or windows of them are examples; false if frames of whole recordings have labels.
        shared_columns: Additional columns of the dataset with values that several items share.
    """

    min_duration_s: float
    clipped_share: float
    task_type: str
    settings: FeatureSettings
    has_examples: bool = True
    shared_columns: Sequence[SharedColumn] = ()


class Features(NamedTuple):
    """A prepared dataset and the features to be computed of it.

    Attributes:
        corpus: The opened dataset.
        clips: The rows of its index without augmented copies.
        settings: Settings of the features.
        frames: How recordings are cut into labelled frames; None: clips have labels.
    """

    corpus: Corpus
    clips: pd.DataFrame
    settings: FeatureSettings
    frames: FrameSettings | None = None

    @property
    def has_whole_clips(self) -> bool:
        """Whether examples are clips or windows of clips, and not frames of recordings or arrays of a script."""
        return not self.corpus.is_custom and self.corpus.task_type != "frame_classification"


def usable_clips(facts: pd.DataFrame) -> pd.DataFrame:
    """Return the clips that preprocessing uses: those that can be read and are not silent."""
    usable = facts[facts["broken"].isna()]
    return usable[~(usable["peak_dbfs"] < SILENCE_PEAK_DBFS)] if "peak_dbfs" in usable else usable


def count_clips(facts: pd.DataFrame) -> pd.DataFrame:
    """Return the clips that are counted for classes and items: `usable_clips` without augmented copies."""
    usable = usable_clips(facts)
    return usable[~usable["augmented"]]


def count_labels(facts: pd.DataFrame, task_type: str) -> pd.DataFrame:
    """Return the clips of `count_clips`, with one row for each label of a clip."""
    clips = count_clips(facts)
    return one_label_per_row(clips) if task_type == MULTI_LABEL else clips


def count_by_class_and_item(facts: pd.DataFrame, task_type: str) -> pd.DataFrame:
    """Return the number of clips of each class and item: columns label, item, clips (int), in natural order.

    Counted are the clips of `count_clips`; pairs without clips have no row.
    """
    counts: dict[Any, int] = count_labels(facts, task_type).groupby(["label", "item"]).size().to_dict()
    rows = sorted(
        ((str(label), str(item), n_clips) for (label, item), n_clips in counts.items()),
        key=lambda row: (natural_key(row[0]), natural_key(row[1])),
    )
    return pd.DataFrame(rows, columns=["label", "item", "clips"])


def clips_where(column: str, is_wrong: "Callable[[pd.Series[float], Criteria], pd.Series[bool]]", text: str) -> Find:
    """Return a function of a rule that finds clips by one of their facts.

    Args:
        column: The fact; nothing is found if it was not measured.
        is_wrong: Returns which values are a fault.
        text: The reason, a format string for the value.
    """

    def find(facts: pd.DataFrame, criteria: Criteria) -> Reasons:
        if column not in facts:
            return {}
        values = facts.loc[facts["broken"].isna(), column]
        wrong = values[is_wrong(values, criteria)]
        return {int(row): text.format(value) for row, value in zip(wrong.index, wrong, strict=True)}

    return find


def one_label_per_row(clips: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each label of each clip; a clip without labels has none."""
    return clips.assign(label=clips["label"].map(split_labels)).explode("label").dropna(subset=["label"])
