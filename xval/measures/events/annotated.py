"""`AnnotatedRecordings`: the annotated events of new recordings, in the labels and frames of a given model."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from preprocessing.annotations import intervals
from preprocessing.annotations.annotation_settings import FrameSettings
from preprocessing.annotations.labels import BACKGROUND, COLUMNS, POLICIES, Resolved, frame_labels, resolve_recordings
from xval.base.errors import CorpusError, SettingsError
from xval.data.frames import Recording
from xval.measures.labels import LabelledData, MatchedLabels, match_labels


class AnnotatedRecordings(NamedTuple):
    """The annotated events of recordings.

    Attributes:
        known: For each clip, the events whose labels the model knows, and the disputed segments.
        unknown: For each clip, the other events: start_s, end_s, label.
        labels: The labels of all annotated events.
    """

    known: dict[str, Resolved]
    unknown: dict[str, pd.DataFrame]
    labels: MatchedLabels


def read_annotations(
    data: LabelledData, class_names: Sequence[str], policy: str, renames: Mapping[str, str]
) -> AnnotatedRecordings:
    """Return the events of the recordings that the policy's annotator has annotated.

    Args:
        data: Recordings with annotations.
        class_names: Class names of the model.
        policy: See `preprocessing.annotations.labels.resolve`.
        renames: Labels of the data with the class of the model that each becomes.
    """
    if data.annotations is None:
        raise CorpusError(f"{data.name}: has no annotated events.")
    annotations = data.annotations[data.annotations["clip"].isin(data.table["clip"])].rename(columns={"clip": "path"})
    events = annotations.loc[annotations["start_s"].notna(), "label"]
    matched = match_labels(events[events != BACKGROUND].tolist(), class_names, renames)
    try:
        resolved = resolve_recordings(annotations.assign(label=annotations["label"].replace(dict(renames))), policy)
    except SettingsError as error:
        raise SettingsError(f"{error} Give one of {', '.join(POLICIES)}, or an annotator, with --annotation-policy.") from error
    named = [name for name in class_names if name != BACKGROUND]
    known, unknown = {}, {}
    for clip, (annotated_events, disputed) in resolved.items():
        known[clip] = Resolved(annotated_events[annotated_events["label"].isin(named)], disputed[disputed["label"].isin(named)])
        unknown[clip] = annotated_events[~annotated_events["label"].isin([*named, BACKGROUND])]
    lacking = tuple(name for name in matched.lacking if name != BACKGROUND)
    return AnnotatedRecordings(known, unknown, matched._replace(lacking=lacking))


def label_frames(
    item: str,
    clip: str,
    annotated: AnnotatedRecordings,
    n_frames: int,
    class_names: Sequence[str],
    settings: FrameSettings,
    sample_rate_hz: int,
) -> Recording:
    """Return a recording with a label for each frame.

    With one class per frame, a frame that overlaps an event of an unknown label has no class of the model, so the frame and
    events found there do not count. With any number of labels per frame, such an event changes nothing.
    """
    events, disputed = annotated.known[clip]
    frame_samples = settings.frame_samples(sample_rate_hz)
    labels = frame_labels(
        events, disputed, class_names, n_frames=n_frames, frame_samples=frame_samples, sample_rate_hz=sample_rate_hz,
        overlap=settings.frame_overlap, form=settings.label_form,
    )  # fmt: skip
    weights, unknown = labels.weights, annotated.unknown[clip]
    if settings.label_form == "multi_class" and len(unknown):
        edges = np.arange(n_frames + 1, dtype=np.int64) * frame_samples
        segments = intervals.union(intervals.from_seconds(unknown["start_s"], unknown["end_s"], sample_rate_hz))
        weights = np.where(intervals.covered(segments, edges) > 0, np.float32(0), weights)
        rows = [unknown.assign(label=name)[list(COLUMNS)] for name in class_names if name != BACKGROUND]
        disputed = pd.concat([*([disputed] if len(disputed) else []), *rows], ignore_index=True)
    return Recording(item, clip, 0, labels.targets, weights, events, disputed)
