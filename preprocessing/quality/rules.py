"""Find what is wrong: one function for each kind of fault.

Comes in: the facts about every clip, and the criteria. Goes out: `Reasons`, by the row of the clip or by the name of the class,
item or sample rate that has the fault.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from preprocessing.audio.lost_sound import MOST_LOST, share_above, smallest_kept
from preprocessing.audio.read import SILENCE_PEAK_DBFS
from preprocessing.clips.label_sets import MULTI_LABEL
from preprocessing.clips.table import label_columns, natural_key
from preprocessing.features.feature_settings import FeatureSettings
from preprocessing.quality.cautions import measured_labels, one_label_per_row, padded_durations
from xval.base.errors import counted
from xval.folds.random_split import is_random_split
from xval.folds.shared_audio import find_shared_audio, find_shared_files
from xval.folds.shared_columns import SharedColumn

if TYPE_CHECKING:
    import pandas as pd

TASKS_WITH_CLASSES = ("classification", MULTI_LABEL)
SMALLEST_N_ITEMS = 3
LARGEST_SHARE_OF_DURATIONS = 0.5
_FEWEST_DURATIONS = 20

Reasons: TypeAlias = dict[int | str, str]
"""Why a fault was found, by the row of the clip, or by the name of the class, item or sample rate; what belongs together stands
together."""

Rule: TypeAlias = "Callable[[pd.DataFrame, Criteria], Reasons]"


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


def usable_clips(facts: "pd.DataFrame") -> "pd.DataFrame":
    """Return the clips that preprocessing does not leave out: those that can be read, without silent ones."""
    usable = facts[facts["broken"].isna()]
    return usable[~(usable["peak_dbfs"] < SILENCE_PEAK_DBFS)] if "peak_dbfs" in usable else usable


def count_clips(facts: "pd.DataFrame") -> "pd.DataFrame":
    """Return the clips that count for classes and items: those of `usable_clips` without augmented copies."""
    usable = usable_clips(facts)
    return usable[~usable["augmented"]]


def count_labels(facts: "pd.DataFrame", task_type: str) -> "pd.DataFrame":
    """Return the clips that count, in a row for each label that they have."""
    clips = count_clips(facts)
    return one_label_per_row(clips) if task_type == MULTI_LABEL else clips


def count_by_class_and_item(facts: "pd.DataFrame", task_type: str) -> "pd.DataFrame":
    """Return a row for each class that an item has: label, item, clips (int), in natural order; of the clips that count."""
    import pandas as pd

    counts: dict[Any, int] = count_labels(facts, task_type).groupby(["label", "item"]).size().to_dict()
    rows = sorted(
        ((str(label), str(item), n_clips) for (label, item), n_clips in counts.items()),
        key=lambda row: (natural_key(row[0]), natural_key(row[1])),
    )
    return pd.DataFrame(rows, columns=["label", "item", "clips"])


def same_audio(differing: Literal["item", "label"] | None) -> Rule:
    """Return a function that finds clips whose decoded audio is there again.

    Args:
        differing: What is another one there; None: it is there under the same item, and under no other.
    """

    def find(facts: "pd.DataFrame", _: Criteria) -> Reasons:
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


def copies_across_items(facts: "pd.DataFrame", _: Criteria) -> Reasons:
    """Find clips whose source, or a copy of which, stands under another item."""
    source = facts["source_clip"].fillna(facts["clip"])
    groups = [group for _, group in facts[source.duplicated(keep=False)].groupby(source, sort=False)]
    return {
        row: text.replace("same audio as", "copy, or source, of")
        for group in groups
        if group["item"].nunique() > 1 and group["source_clip"].notna().any()
        for row, text in _others(group, "item")
    }


def overlaps_across_items(facts: "pd.DataFrame", _: Criteria) -> Reasons:
    """Find stretches of one recording that overlap and stand under several items."""
    clips = facts.assign(path=facts["recording"], audio_hash=None, source_clip=None)
    return {
        row: text.replace("same audio as", "overlaps with")
        for _, group in find_shared_audio(clips)
        if group[["start_s", "end_s"]].notna().any(axis=None)
        for row, text in _others(group, "item")
    }


def columns_of_several_items(_: "pd.DataFrame", criteria: Criteria) -> Reasons:
    """Find columns with one value for each item, and several items for most values."""
    return {column.column: column.describe() for column in criteria.shared_columns}


def shared_files(facts: "pd.DataFrame", _: Criteria) -> Reasons:
    """Find segments of one recording that are under several items."""
    return {
        row: text.replace("same audio as", "a segment of the file of")
        for group in find_shared_files(facts.assign(path=facts["recording"]))
        for row, text in _others(group, "item")
    }


def nearly_identical(*, across_items: bool) -> Rule:
    """Return a function that finds clips that hold the recording of another clip, of another item or of the same one."""

    def find(facts: "pd.DataFrame", _: Criteria) -> Reasons:
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


def _others(group: "pd.DataFrame", differing: str | None) -> Iterator[tuple[int, str]]:
    """Yield each row of a group of equal clips with another clip of it: one that differs in a column, if one is given."""
    clips = list(group["clip"])
    values = list(range(len(group)) if differing is None else group[differing])
    second = next(position for position, value in enumerate(values) if value != values[0])
    more = f" and {len(clips) - 2} more" if len(clips) > 2 else ""
    for row, value in zip(group.index, values, strict=True):
        other = 0 if value != values[0] else second
        named = "" if differing is None else f" ({differing} {values[other]})"
        yield int(row), f"same audio as {clips[other]}{named}{more}"


def broken_clips(kind: str) -> "Rule":
    """Return a function that finds the clips that cannot be read, for this reason."""

    def find(facts: "pd.DataFrame", _: Criteria) -> Reasons:
        reasons = facts.loc[facts["broken"] == kind, "reason"]
        return dict(zip(map(int, reasons.index), map(str, reasons), strict=True))

    return find


def clips_where(column: str, is_wrong: "Callable[[pd.Series[float], Criteria], pd.Series[bool]]", text: str) -> "Rule":
    """Return a function that finds clips by one of their facts."""

    def find(facts: "pd.DataFrame", criteria: Criteria) -> Reasons:
        if column not in facts:
            return {}
        values = facts.loc[facts["broken"].isna(), column]
        wrong = values[is_wrong(values, criteria)]
        return {int(row): text.format(value) for row, value in zip(wrong.index, wrong, strict=True)}

    return find


def files_with(column: str) -> Rule:
    """Return the rule that finds clips whose file has a text in a column of its header's facts."""

    def find(facts: "pd.DataFrame", _: Criteria) -> Reasons:
        texts = facts.loc[facts["broken"].isna(), column].dropna()
        return dict(zip(map(int, texts.index), texts, strict=True))

    return find


def too_few_items(facts: "pd.DataFrame", _: Criteria) -> Reasons:
    """Find the items of a corpus that has too few for training, validation and test."""
    items = sorted(set(count_clips(facts)["item"]), key=natural_key)
    return {} if len(items) >= SMALLEST_N_ITEMS else dict.fromkeys(items, f"one of {len(items)}") or {"none": "no usable clip"}


def class_of_one_item(facts: "pd.DataFrame", criteria: Criteria) -> Reasons:
    """Find classes that a single item has."""
    if criteria.task_type not in TASKS_WITH_CLASSES:
        return {}
    owners = count_labels(facts, criteria.task_type).groupby("label")["item"].unique()
    return {str(label): f"only item {items[0]}" for label, items in owners.items() if len(items) == 1}


def class_of_one_clip(facts: "pd.DataFrame", criteria: Criteria) -> Reasons:
    """Find classes that a single clip has."""
    if criteria.task_type not in TASKS_WITH_CLASSES:
        return {}
    return _of_one_clip(count_labels(facts, criteria.task_type), "label")


def item_of_one_clip(facts: "pd.DataFrame", _: Criteria) -> Reasons:
    """Find items of a single clip, unless most clips are such items."""
    clips = count_clips(facts)
    return {} if is_random_split(clips["item"].value_counts().tolist()) else _of_one_clip(clips, "item")


def _of_one_clip(clips: "pd.DataFrame", column: str) -> Reasons:
    single = clips[~clips[column].duplicated(keep=False)]
    return {str(name): f"only {clip}" for name, clip in zip(single[column], single["clip"], strict=True)}


def durations_of_classes(facts: "pd.DataFrame", criteria: Criteria) -> Reasons:
    """Find classes that the length of a clip tells apart: they explain most of the variance of the ranks of the durations."""
    clips = facts[facts["broken"].isna()]
    if criteria.task_type != "classification" or clips["label"].nunique() < 2 or len(clips) < _FEWEST_DURATIONS:
        return {}
    ranks = clips["duration_s"].rank()
    whole = float(((ranks - ranks.mean()) ** 2).sum())
    between = float(((ranks.groupby(clips["label"]).transform("mean") - ranks.mean()) ** 2).sum())
    if not whole or between / whole < LARGEST_SHARE_OF_DURATIONS:
        return {}
    medians = clips.groupby("label")["duration_s"].median()
    return {str(label): f"median {median:.2g} s" for label, median in medians.items()}


def mixed_rates(facts: "pd.DataFrame", _: Criteria) -> Reasons:
    """Find the sample rates, where there are several."""
    counts = facts.loc[facts["broken"].isna(), "sample_rate_hz"].value_counts()
    return {f"{rate} Hz": counted(count, "clip") for rate, count in counts.items()} if len(counts) > 1 else {}


def upsampled_rates(facts: "pd.DataFrame", criteria: Criteria) -> Reasons:
    """Find the sample rates below that of the features."""
    rates, wanted_hz = facts.loc[facts["broken"].isna(), "sample_rate_hz"], criteria.settings.sample_rate_hz
    counts = rates[rates < wanted_hz].value_counts()
    return {f"{rate} Hz": f"{counted(count, 'clip')}, read at {wanted_hz} Hz" for rate, count in counts.items()}


def lost_above(facts: "pd.DataFrame", criteria: Criteria) -> Reasons:
    """Find the sample rates of the clips most of whose power lies above half of that of the features."""
    if "shares_above" not in facts:
        return {}
    wanted_hz, clips = criteria.settings.sample_rate_hz, count_clips(facts)
    lost = clips["shares_above"].map(lambda shares: share_above(shares, wanted_hz))
    is_lost = (lost > MOST_LOST) & (clips["sample_rate_hz"] > wanted_hz)
    return {
        f"{rate} Hz": f"{counted(len(shares), 'clip')}, {shares.min():.0%} to {shares.max():.0%} of the power above "
        f"{wanted_hz / 2000:g} kHz"
        for rate, shares in lost[is_lost].groupby(clips["sample_rate_hz"])
    }


def cancelling_channels(facts: "pd.DataFrame", criteria: Criteria) -> Reasons:
    """Find clips whose channels cancel in their mean, where that is what is read."""
    if "kept_in_mean" not in facts or criteria.settings.channel_number is not None:
        return {}
    clips = facts[facts["broken"].isna() & facts["kept_in_mean"].notna()]
    rows = zip(map(int, clips.index), clips["kept_in_mean"], clips["n_channels"], strict=True)
    return {row: f"{1 - kept:.0%} of the power is lost" for row, kept, n_channels in rows if kept < smallest_kept(n_channels)}


def padded_clips(facts: "pd.DataFrame", criteria: Criteria) -> Reasons:
    """Find clips that are padded with zeros to many times their length."""
    if not criteria.has_examples:
        return {}
    short, length_s = padded_durations(count_clips(facts), criteria.settings)
    rows = zip(map(int, short.index), short, strict=True)
    return {row: f"{seconds:.2g} s, padded to {length_s:.3g} s" for row, seconds in rows}


def numbers_as_classes(facts: "pd.DataFrame", criteria: Criteria) -> Reasons:
    """Find classes that look like measurements."""
    clips = count_clips(facts)
    if criteria.task_type != "classification" or not measured_labels(clips):
        return {}
    return {str(label): counted(n_clips, "clip") for label, n_clips in clips["label"].value_counts().items()}
