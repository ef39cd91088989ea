"""What the rules of preprocessing/quality/findings/ are given, and what several of them use."""

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
"""Why a fault was found, by the row of the clip, or by the name of the class, item or sample rate; what belongs together stands
together."""

Find: TypeAlias = "Callable[[pd.DataFrame, Criteria], Reasons]"


class Fault(Rule):
    """Looks for a fault in the facts about every clip. Its slug is the name of the fault in quality.csv.

    Its level is refused: no folds are made of such a corpus; left out: preprocessing passes over the clip; or doubtful: it is
    used as it is. Fields of its message are `Criteria`.
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
    """Looks in the table of a corpus: `find` takes `Features` and yields findings."""


class PreparingCaution(Rule):
    """Looks as a `Caution` does; only ``xval prepare`` prints what it finds."""


@dataclass(frozen=True)
class Criteria:
    """What counts as a fault.

    Attributes:
        min_duration_s: Clips shorter than this are too short.
        clipped_share: Clips with this share of their samples in flat tops, or more, are clipped.
        task_type: Of the corpus, as of `TASKS_WITH_CLASSES`, or without classes.
        settings: The features that are to be made of the clips.
        shared_columns: Further columns of the corpus whose values several items share.
        has_examples: Clips or windows of them are examples; not so where frames of whole recordings are labelled.
    """

    min_duration_s: float
    clipped_share: float
    task_type: str
    settings: FeatureSettings
    has_examples: bool = True
    shared_columns: Sequence[SharedColumn] = ()


class Features(NamedTuple):
    """The features that are to be made of a corpus.

    Attributes:
        clips: Of its index, without augmented copies.
        settings: Of the features.
        frames: How its recordings are cut into frames, each with a label; None: clips have labels.
    """

    corpus: Corpus
    clips: pd.DataFrame
    settings: FeatureSettings
    frames: FrameSettings | None = None

    @property
    def has_whole_clips(self) -> bool:
        """Whether clips, and not frames or arrays, are made into examples."""
        return not self.corpus.is_custom and self.corpus.task_type != "frame_classification"


def usable_clips(facts: pd.DataFrame) -> pd.DataFrame:
    """Return the clips that preprocessing does not leave out: those that can be read, without silent ones."""
    usable = facts[facts["broken"].isna()]
    return usable[~(usable["peak_dbfs"] < SILENCE_PEAK_DBFS)] if "peak_dbfs" in usable else usable


def count_clips(facts: pd.DataFrame) -> pd.DataFrame:
    """Return the clips that count for classes and items: those of `usable_clips` without augmented copies."""
    usable = usable_clips(facts)
    return usable[~usable["augmented"]]


def count_labels(facts: pd.DataFrame, task_type: str) -> pd.DataFrame:
    """Return the clips that count, in a row for each label that they have."""
    clips = count_clips(facts)
    return one_label_per_row(clips) if task_type == MULTI_LABEL else clips


def count_by_class_and_item(facts: pd.DataFrame, task_type: str) -> pd.DataFrame:
    """Return a row for each class that an item has: label, item, clips (int), in natural order; of the clips that count."""
    counts: dict[Any, int] = count_labels(facts, task_type).groupby(["label", "item"]).size().to_dict()
    rows = sorted(
        ((str(label), str(item), n_clips) for (label, item), n_clips in counts.items()),
        key=lambda row: (natural_key(row[0]), natural_key(row[1])),
    )
    return pd.DataFrame(rows, columns=["label", "item", "clips"])


def clips_where(column: str, is_wrong: "Callable[[pd.Series[float], Criteria], pd.Series[bool]]", text: str) -> Find:
    """Return a function that finds clips by one of their facts."""

    def find(facts: pd.DataFrame, criteria: Criteria) -> Reasons:
        if column not in facts:
            return {}
        values = facts.loc[facts["broken"].isna(), column]
        wrong = values[is_wrong(values, criteria)]
        return {int(row): text.format(value) for row, value in zip(wrong.index, wrong, strict=True)}

    return find


def one_label_per_row(clips: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each label of each clip, where a clip may have several or none."""
    return clips.assign(label=clips["label"].map(split_labels)).explode("label").dropna(subset=["label"])
