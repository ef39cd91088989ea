"""Rules about annotated events: recordings without any, classes of only one item, and events that are lost in frames."""

import math
from collections import Counter
from collections.abc import Iterator

import numpy as np
import pandas as pd

from preprocessing.annotations.annotation_settings import FrameSettings
from preprocessing.annotations.labels import (
    BACKGROUND,
    COLUMNS,
    POLICIES,
    annotated_samples,
    largest_classes,
    needed_samples,
    resolve_recordings,
)
from preprocessing.clips.listing import first_names
from preprocessing.clips.table import natural_key
from preprocessing.quality.rules import Caution, Features
from xval.base.findings import Finding

NOT_ANNOTATED = Finding(
    "{n} of {n_clips} recordings {n:has|have} no row among the events, so {n:it counts|they count} as not annotated and "
    "{n:is|are} not used",
    "For a recording without events, add a row without start_s and end_s",
)
LONELY = Finding(
    "{n} {n:class|classes} of events ({names}) annotated in only one item, so the fold that tests it cannot train on them",
    "Record more items with such events, or remove these classes",
)
NO_FRAME = Finding(
    "{n} of {n_events} {n_events:event|events} {n:is|are} in no frame, too short for label_frame_s={length_s:g} at "
    "frame_overlap={overlap:g} ({shares})",
    "Lower these in the experiment, or remove such events",
)
SHARED_FRAME = Finding(
    "{n} of {n_labelled} frames with events {n:has|have} several classes, of which label_form=multi_class keeps only one "
    "(frames lost: {shares})",
    "Give --set label_form=multi_label in the experiment",
)


@Caution(7, NOT_ANNOTATED, LONELY, NO_FRAME, SHARED_FRAME)
def _warn_of_events(features: Features) -> Iterator[Finding]:
    if features.corpus.task_type != "frame_classification":
        return
    annotations, clips = features.corpus.annotations(), features.clips
    if n_without := int((~clips["clip"].isin(annotations["clip"])).sum()):
        yield NOT_ANNOTATED.fill(n=n_without, n_clips=len(clips))
    events = annotations.dropna(subset=["start_s"]).merge(clips[["clip", "item"]], on="clip")
    n_items = events.groupby("label")["item"].nunique()
    if lonely := sorted(n_items.index[n_items == 1]):
        yield LONELY.fill(n=len(lonely), names=first_names(lonely, most=3))
    if features.frames:
        yield from lost_events(annotations, clips, features.frames, features.settings.sample_rate_hz)


def lost_events(
    annotations: pd.DataFrame, clips: pd.DataFrame, frames: FrameSettings, sample_rate_hz: int
) -> Iterator[Finding]:
    """Yield findings on events that are in no frame, and on frames of which only one of several classes is kept.

    Args:
        annotations: One row per event: clip, start_s, end_s, label, annotator.
        clips: One row per recording: clip, duration_s.
        frames: How recordings are cut into frames. If its policy names an annotator who is not in the annotations, nothing is
            yielded, because the run raises an error.
        sample_rate_hz: Sample rate of the features (Hz).
    """
    if frames.annotation_policy not in (*POLICIES, *annotations["annotator"]):
        return
    events, lost = Counter[str](), Counter[str]()
    labelled, taken = Counter[str](), Counter[str]()
    n_labelled = n_shared = 0
    size, durations = frames.frame_samples(sample_rate_hz), dict(zip(clips["clip"], clips["duration_s"], strict=True))
    needed = needed_samples(frames.frame_overlap, size)
    resolved = resolve_recordings(annotations.rename(columns={"clip": "path"}), frames.annotation_policy)
    for clip, (annotated, _) in resolved.items():
        names = sorted(set(annotated["label"]) - {BACKGROUND}, key=natural_key)
        if not names or math.isnan(durations.get(clip, math.nan)):
            continue
        samples = annotated_samples([annotated], names, round(durations[clip] * sample_rate_hz) // size, size, sample_rate_hz)
        active = samples >= needed
        number_of = {name: number for number, name in enumerate(names)}
        for start_s, end_s, label in zip(*(annotated[name].tolist() for name in COLUMNS), strict=True):
            if label == BACKGROUND:
                continue
            within = slice(int(start_s * sample_rate_hz) // size, math.ceil(end_s * sample_rate_hz / size))
            events[label] += 1
            lost[label] += not active[within, number_of[label]].any()
        n_labelled += int(active.any(axis=1).sum())
        n_shared += int((active.sum(axis=1) > 1).sum())
        other = active & (largest_classes(samples, needed)[:, np.newaxis] != np.arange(1, len(names) + 1))
        labelled.update(dict(zip(names, active.sum(axis=0).tolist(), strict=True)))
        taken.update(dict(zip(names, other.sum(axis=0).tolist(), strict=True)))
    if lost.total():
        n, length_s, overlap = lost.total(), frames.label_frame_s, frames.frame_overlap
        yield NO_FRAME.fill(n=n, n_events=events.total(), length_s=length_s, overlap=overlap, shares=_shares(lost, events))
    if n_shared and frames.label_form == "multi_class":
        yield SHARED_FRAME.fill(n=n_shared, n_labelled=n_labelled, shares=_shares(taken, labelled))


def _shares(parts: Counter[str], wholes: Counter[str]) -> str:
    """Return a text such as ``click: all 6, call: 2 of 10``, the classes that lose most first."""
    lost = sorted((name for name in parts if parts[name]), key=lambda name: (-parts[name] / wholes[name], natural_key(name)))
    return first_names(
        f"{name}: {f'all {wholes[name]}' if parts[name] == wholes[name] else f'{parts[name]} of {wholes[name]}'}"
        for name in lost
    )
