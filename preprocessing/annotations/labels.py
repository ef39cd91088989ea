"""Combine the annotations of a recording by several annotators into events, disputed segments, and targets of frames."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from preprocessing.annotations import intervals
from preprocessing.annotations.intervals import NS_PER_S, Intervals
from xval.base.errors import CorpusError, SettingsError, suggestion

if TYPE_CHECKING:
    import pandas as pd

Annotations: TypeAlias = "pd.DataFrame"
"""A row per annotated segment: start_s and end_s (float64, seconds from the begin of the recording), label (text) and annotator
(text, empty if there is only one). A row without start_s and end_s (NaN) means that this annotator found no event in the
recording, which differs from not having annotated it. Several recordings also have a column path."""

LabelForm = Literal["multi_class", "multi_label"]
BACKGROUND = "background"
"""The label of a segment without events, and the class of frames without events if each frame has one class."""
POLICIES = ("union", "intersection", "ignore_disagreement")
COLUMNS = ("start_s", "end_s", "label")


class Resolved(NamedTuple):
    """The combined annotations of one recording.

    Attributes:
        events: start_s, end_s, label, sorted by start; events of one label neither overlap nor touch.
        disputed: The same columns for segments that some annotators gave this label and others did not.
    """

    events: "pd.DataFrame"
    disputed: "pd.DataFrame"


class FrameLabels(NamedTuple):
    """Targets and weights of frames.

    Attributes:
        targets: multi_class: int64 (n_frames,), class numbers; multi_label: float32 (n_frames, n_classes), 0 or 1.
        weights: float32 (n_frames,), 0 for frames with a disputed target, else 1.
    """

    targets: NDArray[Any]
    weights: NDArray[np.float32]


def count_frame_samples(frame_s: float, sample_rate_hz: int) -> int:
    """Return the number of samples of a labelled frame."""
    return max(1, round(frame_s * sample_rate_hz))


def resolve(annotations: Annotations, policy: str) -> Resolved:
    """Combine the annotations of one recording.

    Args:
        annotations: The annotations of one recording.
        policy: ``union``: segments of any annotator; ``intersection``: segments of all annotators; ``ignore_disagreement``: the
            same, and segments of only some annotators are disputed; or the name of the only annotator to use. Annotators
            without a row did not annotate the recording and do not count.
    """
    by_label = intervals_by_label(annotations)
    if policy not in POLICIES:
        _check_annotator(policy, annotations)
        return Resolved(_table({label: annotated[policy] for label, annotated in by_label.items()}), _table({}))
    joined = {label: intervals.join(annotated.values()) for label, annotated in by_label.items()}
    if policy == "union":
        return Resolved(_table(joined), _table({}))
    agreed = {label: common(annotated) for label, annotated in by_label.items()}
    if policy == "intersection":
        return Resolved(_table(agreed), _table({}))
    disputed = {label: intervals.subtract(joined[label], agreed[label]) for label in by_label}
    return Resolved(_table(agreed), _table(disputed))


def resolve_recordings(annotations: Annotations, policy: str) -> dict[str, Resolved]:
    """Combine the annotations of each recording that has an annotator who counts.

    Args:
        annotations: Annotations with the column path.
        policy: As in `resolve`.

    Returns:
        The result by path. With a single annotator, recordings without annotation by this annotator are skipped, because they
        are not negative examples.
    """
    if policy not in POLICIES:
        _check_annotator(policy, annotations)
        annotations = annotations[annotations["annotator"] == policy]
    return {str(path): resolve(rows, policy) for path, rows in annotations.groupby("path", sort=True)}


def intervals_by_label(annotations: Annotations) -> dict[str, dict[str, Intervals]]:
    """Return the intervals of each label by each annotator of one recording.

    Returns:
        ``{label: {annotator: int64 (n, 2), ns}}``; all annotators of the recording are under every label.
    """
    # Columns are taken out once: a corpus has thousands of recordings, and a look into a table costs as much as all the rest.
    starts_s, ends_s, labels, annotators = (annotations[name].to_numpy() for name in (*COLUMNS, "annotator"))
    is_event = ~np.isnan(starts_s.astype(np.float64))
    edges = intervals.from_seconds(starts_s[is_event], ends_s[is_event])
    event_labels, event_annotators = labels[is_event], annotators[is_event]
    names = sorted(set(annotators))
    return {
        label: {name: intervals.union(edges[(event_labels == label) & (event_annotators == name)]) for name in names}
        for label in sorted(set(event_labels))
    }


def common(annotated: dict[str, Intervals]) -> Intervals:
    """Return the intervals that all annotators have labelled: int64 (n, 2), ns."""
    first, *others = annotated.values()
    for other in others:
        first = intervals.intersect(first, other)
    return first


def frame_labels(
    events: "pd.DataFrame",
    disputed: "pd.DataFrame",
    class_names: Sequence[str],
    *,
    n_frames: int,
    frame_samples: int,
    sample_rate_hz: int,
    overlap: float = 0.5,
    form: LabelForm = "multi_class",
) -> FrameLabels:
    """Return target and weight of every frame of a recording.

    Frame k covers the samples from k * frame_samples up to, but excluding, (k + 1) * frame_samples. A class is active in it if
    the union of its events covers at least the share ``overlap`` of these samples.

    Args:
        events: start_s, end_s, label.
        disputed: The same columns; a frame has weight 0 if these segments would change its target, that is, if the annotators'
            own targets differ.
        class_names: multi_class: the first is the background, the class of frames without events (events with that label are
            ignored); multi_label: the events' labels.
        n_frames: How many, from the begin of the recording.
        frame_samples: Length of a frame.
        sample_rate_hz: Rate at which samples are counted.
        overlap: Above 0, up to 1.
        form: multi_class: one class per frame, the active class that covers most of it, in a tie the first in class_names.
            multi_label: every active class.
    """
    if not 0 < overlap <= 1 or frame_samples < 1:
        raise SettingsError(
            f"frames of {frame_samples} samples with an overlap of {overlap:g}; expected 1 sample or more, and an overlap "
            "above 0 and at most 1."
        )
    event_names = class_names[1:] if form == "multi_class" else class_names
    unknown = sorted({*events["label"], *disputed["label"]} - set(class_names))
    if unknown:
        raise CorpusError(f"Events have the label '{unknown[0]}', which is not a class. {suggestion(unknown[0], class_names)}")

    def targets(*tables: "pd.DataFrame") -> NDArray[Any]:
        annotated = annotated_samples(tables, event_names, n_frames, frame_samples, sample_rate_hz)
        needed = needed_samples(overlap, frame_samples)
        return (annotated >= needed).astype(np.float32) if form == "multi_label" else largest_classes(annotated, needed)

    values = targets(events)
    differs = (values != targets(events, disputed)).reshape(n_frames, -1).any(axis=1)
    return FrameLabels(values, np.where(differs, 0, 1).astype(np.float32))


def annotated_samples(
    tables: "Sequence[pd.DataFrame]", names: Sequence[str], n_frames: int, frame_samples: int, sample_rate_hz: int
) -> NDArray[np.int64]:
    """Return the number of samples of each frame that events of each class cover.

    Args:
        tables: Events: start_s, end_s, label; they may overlap.
        names: The classes.
        n_frames: How many, from the begin of the recording.
        frame_samples: Length of a frame.
        sample_rate_hz: Rate at which samples are counted.

    Returns:
        int64 (n_frames, n_classes).
    """
    edges = np.arange(n_frames + 1, dtype=np.int64) * frame_samples
    # Columns are taken out once: a look into a table costs as much as all the rest.
    starts_s, ends_s, labels = (np.concatenate([table[name].to_numpy() for table in tables]) for name in COLUMNS)
    covered = np.zeros((n_frames, len(names)), dtype=np.int64)
    for number, name in enumerate(names):
        own = labels == name
        covered[:, number] = intervals.covered(intervals.from_seconds(starts_s[own], ends_s[own], sample_rate_hz), edges)
    return covered


def needed_samples(overlap: float, frame_samples: int) -> int:
    """Return the number of samples of a frame that a class must cover to be active in it."""
    return max(1, math.ceil(overlap * frame_samples - 1e-6))  # the share times the length may miss a whole number


def largest_classes(annotated: NDArray[np.int64], needed: int) -> NDArray[np.int64]:
    """Return the active class that covers most of each frame, from 1; 0 if none covers enough.

    Args:
        annotated: As from `annotated_samples`.
        needed: As from `needed_samples`.
    """
    # One more column, so that there is a largest one where the background is the only class.
    largest = np.argmax(np.column_stack([annotated, np.zeros(len(annotated), dtype=np.int64)]), axis=1)
    return np.where((annotated >= needed).any(axis=1), largest + 1, 0).astype(np.int64)


def _check_annotator(name: str, annotations: Annotations) -> None:
    """Raise an error for a policy that is neither one of `POLICIES` nor the name of an annotator."""
    names = set(annotations["annotator"])
    if name not in names:
        raise SettingsError(f"unknown annotation policy '{name}'. {suggestion(name, [*POLICIES, *filter(None, names)])}")


def _table(by_label: dict[str, Intervals]) -> "pd.DataFrame":
    """Return start_s, end_s, label of intervals in ns, by begin."""
    import pandas as pd

    edges = np.concatenate([np.empty((0, 2), dtype=np.int64), *by_label.values()])
    labels = np.repeat(np.array(list(by_label), dtype=object), [len(rows) for rows in by_label.values()])
    order = np.lexsort((edges[:, 1], edges[:, 0]))
    starts_s, ends_s = (edges[order] / NS_PER_S).T
    return pd.DataFrame({"start_s": starts_s, "end_s": ends_s, "label": labels[order]})
