"""Annotated events that the targets of frames leave out: too short for a frame, or in one with an event of another class.

Comes in: the events of a corpus for frame classification, and how its recordings are cut into frames. Goes out: cautions.
"""

import math
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from preprocessing.annotations.annotation_settings import FrameSettings
from preprocessing.annotations.labels import (
    BACKGROUND,
    COLUMNS,
    POLICIES,
    heard_samples,
    largest_classes,
    needed_samples,
    resolve_recordings,
)
from preprocessing.clips.listing import first_names
from preprocessing.clips.table import natural_key
from xval.base.errors import counted, verb_of

if TYPE_CHECKING:
    import pandas as pd


def lost_events(annotations: "pd.DataFrame", clips: "pd.DataFrame", frames: FrameSettings, sample_rate_hz: int) -> list[str]:
    """Return what to do about events that no frame has, and about frames of which one class of several is kept.

    Args:
        annotations: clip, start_s, end_s, label, annotator.
        clips: The recordings: clip, duration_s.
        frames: How they are cut. A policy that names nobody here is for the run to refuse.
        sample_rate_hz: Of the features.
    """
    if frames.annotation_policy not in (*POLICIES, *annotations["annotator"]):
        return []
    events, lost = Counter[str](), Counter[str]()
    labelled, taken = Counter[str](), Counter[str]()
    n_labelled = n_shared = 0
    size, durations = frames.frame_samples(sample_rate_hz), dict(zip(clips["clip"], clips["duration_s"], strict=True))
    needed = needed_samples(frames.frame_overlap, size)
    resolved = resolve_recordings(annotations.rename(columns={"clip": "path"}), frames.annotation_policy)
    for clip, (heard, _) in resolved.items():
        names = sorted(set(heard["label"]) - {BACKGROUND}, key=natural_key)
        if not names or math.isnan(durations.get(clip, math.nan)):
            continue
        samples = heard_samples([heard], names, round(durations[clip] * sample_rate_hz) // size, size, sample_rate_hz)
        active = samples >= needed
        number_of = {name: number for number, name in enumerate(names)}
        for start_s, end_s, label in zip(*(heard[name].tolist() for name in COLUMNS), strict=True):
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
    texts = []
    if lost.total():
        texts.append(
            f"{lost.total()} of {counted(events.total(), 'event')} {verb_of(lost.total())} in no frame, too "
            f"short for label_frame_s={frames.label_frame_s:g} at frame_overlap={frames.frame_overlap:g} "
            f"({_shares(lost, events)}). Lower these in the experiment, or remove such events"
        )
    if n_shared and frames.label_form == "multi_class":
        texts.append(
            f"{n_shared} of {n_labelled} frames with events {verb_of(n_shared, 'have')} several classes, of which "
            f"label_form=multi_class keeps only one (frames lost: {_shares(taken, labelled)}). Give --set "
            "label_form=multi_label in the experiment"
        )
    return texts


def _shares(parts: Counter[str], wholes: Counter[str]) -> str:
    """Return ``click: all 6, call: 2 of 10``, those of which most is lost first."""
    lost = sorted((name for name in parts if parts[name]), key=lambda name: (-parts[name] / wholes[name], natural_key(name)))
    return first_names(
        f"{name}: {f'all {wholes[name]}' if parts[name] == wholes[name] else f'{parts[name]} of {wholes[name]}'}"
        for name in lost
    )
